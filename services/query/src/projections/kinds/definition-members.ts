import { type Problem, problem, type ProblemMembers } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';

/** A value of a definition and where it stands in the request. */
export interface DefinitionValue {
  readonly value: unknown;
  readonly pointer: string;
}

/** The problem of a value of a definition. `what` says what is wrong and what is allowed, without a full stop. */
export function definitionFault(
  pointer: string,
  what: string,
  members: ProblemMembers = {},
): Problem {
  const name = pointer.slice(1).replaceAll('/', '.');
  return problem('invalid_body', `'${name}' ${what}.`, { pointer, ...members });
}

/** A value in a sentence: short, escaped, and no matter how large it is. */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  // What is left of JSON: numbers, true, false and null.
  return JSON.stringify(value);
}

/** The members of an object of a definition. Members that are not known are refused, because a misspelt one would silently mean nothing. */
export class DefinitionMembers {
  readonly pointer: string;
  readonly #members: Readonly<Record<string, unknown>>;

  constructor({ value, pointer }: DefinitionValue, known: readonly string[]) {
    this.pointer = pointer;
    this.#members = requireKnownMembers({ value, pointer }, known);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#members, name) && this.#members[name] !== null;
  }

  at(name: string): DefinitionValue {
    const value = this.has(name) ? this.#members[name] : undefined;
    return { value, pointer: `${this.pointer}/${name}` };
  }

  /** A text that is not empty. */
  text(name: string, charactersMax: number): string {
    const { value, pointer } = this.at(name);
    if (typeof value !== 'string' || value === '')
      throw definitionFault(pointer, `is ${shownValue(value)}; allowed is a text`);
    if (value.length > charactersMax)
      throw definitionFault(
        pointer,
        `has ${value.length} characters; at most ${charactersMax} are allowed`,
        { limit: charactersMax },
      );
    return value;
  }

  oneOf<T extends string>(name: string, words: readonly T[]): T {
    const { value, pointer } = this.at(name);
    const word = words.find((known) => known === value);
    if (word !== undefined) return word;
    throw definitionFault(pointer, `is ${shownValue(value)}; allowed are ${words.join(', ')}`, {
      allowed: words,
    });
  }

  /** A whole number. */
  whole(name: string, { min, max }: { readonly min: number; readonly max: number }): number {
    const { value, pointer } = this.at(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
      return value;
    throw definitionFault(
      pointer,
      `is ${shownValue(value)}; allowed is a whole number from ${min} to ${max}`,
      { min, max },
    );
  }

  list(
    name: string,
    { min, max }: { readonly min: number; readonly max: number },
  ): DefinitionValue[] {
    const { value, pointer } = this.at(name);
    if (!Array.isArray(value) || value.length < min || value.length > max)
      throw definitionFault(
        pointer,
        `is ${Array.isArray(value) ? `a list of ${value.length}` : shownValue(value)}; allowed is a list of ${min} to ${max}`,
        { min, max },
      );
    return value.map((one: unknown, index) => ({ value: one, pointer: `${pointer}/${index}` }));
  }

  /** The members of an object whose names its owner chooses. */
  named(name: string, max: number): [string, DefinitionValue][] {
    const { value, pointer } = this.at(name);
    const entries = Object.entries(membersOf({ value, pointer }));
    if (entries.length > max)
      throw definitionFault(pointer, `has ${entries.length} members; at most ${max} are allowed`, {
        limit: max,
      });
    return entries.map(([member, one]) => {
      requireOwnName(pointer, member);
      return [member, { value: one, pointer: `${pointer}/${escaped(member)}` }];
    });
  }
}

/** The members of an object that has no others than those known. */
export function requireKnownMembers(
  wanted: DefinitionValue,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  const members = membersOf(wanted);
  for (const name of Object.keys(members))
    if (!known.includes(name)) throw unknownMember(wanted.pointer, name, known);
  return members;
}

function membersOf({ value, pointer }: DefinitionValue): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw definitionFault(pointer, `is ${shownValue(value)}; allowed is an object`);
}

function requireOwnName(pointer: string, name: string): void {
  const max = LIMITS.projectionNameLengthMax;
  if (name !== '' && name.length <= max) return;
  throw definitionFault(
    `${pointer}/${escaped(name.slice(0, max))}`,
    `has a name of ${name.length} characters; allowed are 1 to ${max}`,
  );
}

function unknownMember(pointer: string, name: string, known: readonly string[]): Problem {
  const allowed = known.length === 0 ? 'no members' : known.join(', ');
  return definitionFault(
    `${pointer}/${escaped(name.slice(0, LIMITS.projectionNameLengthMax))}`,
    `is not known; allowed are ${allowed}`,
    { allowed: known },
  );
}

/** A name as a part of a JSON pointer. */
function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
