import { problem, type ProblemMembers } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';

/** A JSON object out of a request. */
export type Body = Readonly<Record<string, unknown>>;

/** The problem of a member. `path` is its place, with slashes; `what` says what is wrong and what is allowed. */
export function invalid(path: string, what: string, members: ProblemMembers = {}): Error {
  const said = `'${path.replaceAll('/', '.')}' ${what}.`;
  return problem('invalid_body', said, { pointer: `/${path}`, ...members });
}

/** The members are named by their path; the last part is the name in `body`. Each returns null for a member that is left out or null. */
export function text(body: Body, path: string, charactersMax: number): string | null {
  const value = member(body, path);
  if (value === null) return null;
  if (typeof value !== 'string') throw invalid(path, `is ${shown(value)}; allowed is a text`);
  if (value.length <= charactersMax) return value;
  throw invalid(path, `has ${value.length} characters; at most ${charactersMax} are allowed`, {
    limit: charactersMax,
  });
}

export function flag(body: Body, path: string): boolean | null {
  const value = member(body, path);
  if (value === null || typeof value === 'boolean') return value;
  throw invalid(path, `is ${shown(value)}; allowed are true and false`);
}

export function whole(
  body: Body,
  path: string,
  { min, max }: { readonly min: number; readonly max: number },
): number | null {
  const value = member(body, path);
  if (value === null) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
    return value;
  throw invalid(path, `is ${shown(value)}; allowed is a whole number from ${min} to ${max}`, {
    min,
    max,
  });
}

export function object(body: Body, path: string): Body | null {
  const value = member(body, path);
  if (value === null) return null;
  if (isObject(value)) return value;
  throw invalid(path, `is ${shown(value)}; allowed is an object`);
}

/** One of some words, in any case. */
export function oneOf<T extends string>(body: Body, path: string, words: readonly T[]): T | null {
  const value = member(body, path);
  if (value === null) return null;
  const plain = typeof value === 'string' ? value.toLowerCase() : null;
  const word = words.find((known) => known === plain);
  if (word !== undefined) return word;
  throw invalid(path, `is ${shown(value)}; allowed are ${words.join(', ')}`, { allowed: words });
}

export function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function member(body: Body, path: string): unknown {
  const value = body[path.slice(path.lastIndexOf('/') + 1)];
  return value ?? null;
}

/** A value in a sentence: short, escaped, and no matter how large it is. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
