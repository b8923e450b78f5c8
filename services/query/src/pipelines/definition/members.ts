import { type ProblemMembers, problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';

/** Why a value of a document is refused: 422 with a pointer to it. */
export function refusal(pointer: string, detail: string, members: ProblemMembers = {}): Error {
  return problem('invalid_body', detail, { pointer, ...members });
}

/** True for an object of JSON, which an array is not. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface TextLimits {
  readonly min?: number;
  readonly max: number;
}

export interface NumberLimits {
  readonly min: number;
  readonly max: number;
}

/**
 * The members of one object of a document, read one by one. What nobody has asked for when `done` is called is refused, so that a slip of
 * the pen is no setting that does nothing. Every refusal names the member by its JSON pointer, its value and what is allowed.
 */
export class Members {
  readonly pointer: string;
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #asked = new Set<string>();

  constructor(value: unknown, pointer: string) {
    if (!isObject(value)) throw refusal(pointer, `${nameOf(pointer)} must be an object.`);
    this.#object = value;
    this.pointer = pointer;
  }

  at(name: string): string {
    return `${this.pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  }

  /** The value of a member; undefined when it is absent. */
  value(name: string): unknown {
    this.#asked.add(name);
    return Object.hasOwn(this.#object, name) ? this.#object[name] : undefined;
  }

  has(name: string): boolean {
    const value = this.value(name);
    return value !== undefined && value !== null;
  }

  text(name: string, { min = 1, max }: TextLimits): string {
    const value = this.value(name);
    if (typeof value === 'string' && value.length >= min && value.length <= max) return value;
    const allowed = `allowed is text of ${min} to ${max} characters`;
    throw refusal(this.at(name), `'${name}' is ${shown(value)}; ${allowed}.`, { limit: max });
  }

  optionalText(name: string, limits: TextLimits): string | null {
    return this.has(name) ? this.text(name, limits) : null;
  }

  number(name: string, { min, max }: NumberLimits): number {
    const value = this.value(name);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    const allowed = `allowed is a number from ${min} to ${max}`;
    throw refusal(this.at(name), `'${name}' is ${shown(value)}; ${allowed}.`, { min, max });
  }

  optionalNumber(name: string, limits: NumberLimits): number | null {
    return this.has(name) ? this.number(name, limits) : null;
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.value(name);
    if (value === undefined || value === null) return otherwise;
    if (typeof value === 'boolean') return value;
    throw refusal(this.at(name), `'${name}' is ${shown(value)}; allowed are true and false.`);
  }

  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.value(name);
    const choice = choices.find((candidate) => candidate === value);
    if (choice !== undefined) return choice;
    const allowed = choices.join(', ');
    throw refusal(this.at(name), `'${name}' is ${shown(value)}; allowed are ${allowed}.`, {
      allowed: choices,
    });
  }

  optionalChoice<T extends string>(name: string, choices: readonly T[]): T | null {
    return this.has(name) ? this.choice(name, choices) : null;
  }

  /** A list whose elements are still unknown. */
  list(name: string, { min = 0, max }: TextLimits): readonly unknown[] {
    const value = this.value(name);
    if (Array.isArray(value) && value.length >= min && value.length <= max) return value;
    const found = Array.isArray(value) ? `a list of ${value.length}` : shown(value);
    const allowed = `allowed is a list of ${min} to ${max}`;
    throw refusal(this.at(name), `'${name}' is ${found}; ${allowed}.`, { limit: max });
  }

  /** An object with names of the client's own. */
  entries(name: string, { min = 0, max }: TextLimits): readonly (readonly [string, unknown])[] {
    const value = this.value(name);
    const entries = isObject(value) ? Object.entries(value) : null;
    if (entries !== null && entries.length >= min && entries.length <= max) return entries;
    const found = entries === null ? shown(value) : `an object of ${entries.length} members`;
    const allowed = `allowed is an object of ${min} to ${max} members`;
    throw refusal(this.at(name), `'${name}' is ${found}; ${allowed}.`, { limit: max });
  }

  /** Refuses members that nobody has asked for. */
  done(): void {
    const unknown = Object.keys(this.#object).find((name) => !this.#asked.has(name));
    if (unknown === undefined) return;
    const allowed = [...this.#asked];
    throw refusal(
      this.at(unknown.slice(0, 100)),
      `${nameOf(this.pointer)} has no member ${quoted(unknown)}; its members are ${allowed.join(', ')}.`,
      { allowed },
    );
  }
}

function nameOf(pointer: string): string {
  return pointer === '' ? 'The body' : `'${pointer}'`;
}

/** A value as a sentence shows it: cut, so that no input floods an answer. */
export function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return quoted(value);
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
