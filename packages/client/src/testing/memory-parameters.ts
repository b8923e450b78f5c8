import { problem } from '@allsource/shared/errors';
import { type Micros, parseTimestamp, quoted } from '@allsource/shared/model';
import type { EventQueryParameters } from '@allsource/shared/protocol';

/** The parameters of a URL, read as the real store reads them. */
export class MemoryParameters implements EventQueryParameters {
  readonly #values: URLSearchParams;

  constructor(values: URLSearchParams) {
    this.#values = values;
  }

  text(name: string): string | null {
    const value = this.#values.get(name);
    return value === '' ? null : value;
  }

  name(name: string): string | null {
    const value = this.#values.get(name);
    if (value !== '') return value;
    throw problem(
      'invalid_parameter',
      `'${name}' is empty. Name one, or leave the parameter out.`,
      { parameter: name },
    );
  }

  texts(name: string): string[] {
    const parts = this.#values.getAll(name).flatMap((value) => value.split(','));
    return parts.map((part) => part.trim()).filter((part) => part !== '');
  }

  requiredText(name: string): string {
    const value = this.text(name);
    if (value !== null) return value;
    throw problem('invalid_parameter', `The parameter '${name}' is missing.`, { parameter: name });
  }

  integer(name: string, limits: { readonly min: number; readonly max: number }): number | null {
    const value = this.text(name);
    if (value === null) return null;
    const number = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
    if (number >= limits.min && number <= limits.max) return number;
    throw problem(
      'invalid_parameter',
      `'${name}' is ${quoted(value)}; allowed is a whole number from ${limits.min} to ${limits.max}.`,
      { parameter: name, ...limits },
    );
  }

  timestamp(name: string): Micros | null {
    const value = this.#values.get(name);
    if (value === null) return null;
    const instant = parseTimestamp(value.replace(/ (?=\d{2}:\d{2}$)/, '+'));
    if (instant !== null) return instant;
    throw problem(
      'invalid_parameter',
      `'${name}' is ${quoted(value)}; allowed is an RFC 3339 instant with a zone, such as 2026-01-31T12:00:00Z.`,
      { parameter: name },
    );
  }

  choice<T extends string>(
    name: string,
    choices: readonly T[],
    sentence?: (value: string) => string,
  ): T | null {
    const value = this.text(name);
    if (value === null) return null;
    const choice = choices.find((candidate) => candidate === value.toLowerCase());
    if (choice !== undefined) return choice;
    const detail = `'${name}' is ${quoted(value)}; allowed are ${choices.join(', ')}.`;
    throw problem('invalid_parameter', sentence?.(value) ?? detail, { parameter: name });
  }
}
