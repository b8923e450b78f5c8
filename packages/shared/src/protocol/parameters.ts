import { problem } from '../errors/problem.ts';
import { quoted } from '../model/names.ts';
import { type Micros, parseTimestamp } from '../model/timestamp.ts';
import { queryOfUrl } from './url-query.ts';

/** The query parameters of a request, read strictly: a value that cannot be used is answered with what is allowed. */
export class Parameters {
  readonly #values: URLSearchParams;

  constructor(values: URLSearchParams) {
    this.#values = values;
  }

  /** Throws `invalid_parameter` where the URL's query is not validly percent-encoded. */
  static ofUrl(url: string): Parameters {
    return new Parameters(queryOfUrl(url));
  }

  /** The text of a parameter; null when it is absent or empty. */
  text(name: string): string | null {
    const value = this.#values.get(name);
    return value === null || value === '' ? null : value;
  }

  /** A text that narrows the answer down or says where it begins; null when absent. An empty one is refused: it would quietly mean everything. */
  name(name: string): string | null {
    const value = this.#values.get(name);
    if (value !== '') return value;
    throw problem(
      'invalid_parameter',
      `'${name}' is empty. Give it a value, or leave the parameter out.`,
      { parameter: name },
    );
  }

  /** The values of a parameter that may be repeated or hold several values with commas between them. */
  texts(name: string): string[] {
    const parts = this.#values.getAll(name).flatMap((value) => value.split(','));
    return parts.map((part) => part.trim()).filter((part) => part !== '');
  }

  /** The text of a parameter that must be there. */
  requiredText(name: string): string {
    const value = this.text(name);
    if (value === null)
      throw problem('invalid_parameter', `The parameter '${name}' is missing.`, {
        parameter: name,
      });
    return value;
  }

  /** A whole number within limits; null when absent. */
  integer(name: string, limits: { readonly min: number; readonly max: number }): number | null {
    const text = this.name(name);
    if (text === null) return null;
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= limits.min && number <= limits.max) return number;
    throw problem(
      'invalid_parameter',
      `'${name}' is ${quoted(text)}; allowed is a whole number from ${limits.min} to ${limits.max}.`,
      { parameter: name, min: limits.min, max: limits.max },
    );
  }

  /** An RFC 3339 instant; null when absent. A '+' that arrived as a space is read as the '+' it was. */
  timestamp(name: string): Micros | null {
    const text = this.#values.get(name);
    if (text === null) return null;
    const instant = parseTimestamp(text.replace(/ (?=\d{2}:\d{2}$)/, '+'));
    if (instant !== null) return instant;
    throw problem(
      'invalid_parameter',
      `'${name}' is ${quoted(text)}; allowed is an RFC 3339 instant with a zone, such as 2026-01-31T12:00:00Z.`,
      { parameter: name },
    );
  }

  /** One of the given words, in any case; null when absent. `sentence` replaces the usual detail where clients know another. */
  choice<T extends string>(
    name: string,
    choices: readonly T[],
    sentence?: (value: string) => string,
  ): T | null {
    const text = this.name(name);
    if (text === null) return null;
    const choice = choices.find((candidate) => candidate === text.toLowerCase());
    if (choice !== undefined) return choice;
    const detail =
      sentence?.(text) ?? `'${name}' is ${quoted(text)}; allowed are ${choices.join(', ')}.`;
    throw problem('invalid_parameter', detail, { parameter: name, allowed: choices });
  }

  /** true or false; null when absent. */
  flag(name: string): boolean | null {
    const choice = this.choice(name, ['true', 'false', '1', '0']);
    return choice === null ? null : choice === 'true' || choice === '1';
  }
}
