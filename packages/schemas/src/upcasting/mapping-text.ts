import { type Problem, problem } from '@allsource/shared/errors';
import { rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { unescapeToken } from '../json-schema/validation-run.ts';

/** The refusal of an upcaster. `pointer` is a JSON pointer into what was sent. */
export function invalidUpcaster(pointer: string, detail: string): Problem {
  return problem('invalid_upcaster', `${quoted(pointer)}: ${detail}`, { pointer });
}

/** The members of one mapping as they were sent, and where it stands. */
export class MappingText {
  readonly pointer: string;
  readonly #members: ReadonlyMap<string, string>;

  constructor(text: string, pointer: string) {
    const members = rawMembers(Buffer.from(text));
    if (members === null)
      throw invalidUpcaster(pointer, 'a mapping is an object such as {"op":"drop","path":"/old"}.');
    this.pointer = pointer;
    this.#members = members;
  }

  /** Refuses members that the operation does not have. */
  requireOnly(names: readonly string[]): void {
    for (const name of this.#members.keys())
      if (name !== 'op' && !names.includes(name))
        throw invalidUpcaster(
          `${this.pointer}/${name}`,
          `this operation has no such member; it has ${names.join(', ')}.`,
        );
  }

  /** The text of any value. */
  raw(name: string): string {
    const text = this.#members.get(name);
    if (text === undefined) throw invalidUpcaster(`${this.pointer}/${name}`, 'it is missing.');
    return text;
  }

  value(name: string): unknown {
    return JSON.parse(this.raw(name));
  }

  text(name: string): string {
    const value = this.value(name);
    if (typeof value === 'string' && value !== '') return value;
    throw this.refused(name, 'a text that is not empty');
  }

  /** One of several words. */
  word<T extends string>(name: string, words: readonly T[]): T {
    const value = this.value(name);
    const word = words.find((known) => known === value);
    if (word === undefined) throw this.refused(name, words.join(', '));
    return word;
  }

  /** The tokens of a JSON pointer to a place below the payload. */
  place(name: string): string[] {
    const text = this.text(name);
    return this.#tokens(name, text);
  }

  /** A list of JSON pointers. */
  places(name: string): string[][] {
    const value = this.value(name);
    const isList = Array.isArray(value) && value.length > 0;
    if (!isList || value.length > LIMITS.upcasterPointerTokensMax)
      throw this.refused(name, `a list of 1 to ${LIMITS.upcasterPointerTokensMax} pointers`);
    return value.map((text, index) => this.#tokens(`${name}/${index}`, text));
  }

  refused(name: string, allowed: string): Problem {
    const given = this.#members.get(name) ?? 'missing';
    return invalidUpcaster(
      `${this.pointer}/${name}`,
      `it is ${quoted(given)}; allowed is ${allowed}.`,
    );
  }

  #tokens(name: string, text: unknown): string[] {
    const pointer = `${this.pointer}/${name}`;
    if (typeof text !== 'string' || !text.startsWith('/') || /~(?![01])/.test(text))
      throw invalidUpcaster(
        pointer,
        `it is ${quoted(JSON.stringify(text))}; allowed is a JSON pointer below the payload, such as "/address/city".`,
      );
    const tokens = text.slice(1).split('/').map(unescapeToken);
    if (tokens.length <= LIMITS.upcasterPointerTokensMax) return tokens;
    throw invalidUpcaster(
      pointer,
      `it has ${tokens.length} parts; at most ${LIMITS.upcasterPointerTokensMax} are allowed.`,
    );
  }
}
