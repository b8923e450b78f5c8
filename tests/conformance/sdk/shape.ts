/** Reading JSON with the strictness of a typed language: a member that is missing or of another type is a decode error. */
import { SdkDecodeError } from './transport.ts';

export type Members = Readonly<Record<string, unknown>>;

export function membersOf(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SdkDecodeError(`${what} is not an object: ${JSON.stringify(value)}`);
  return value as Members;
}

export function text(members: Members, name: string): string {
  const value = members[name];
  if (typeof value !== 'string') throw mismatch(name, 'a string', value);
  return value;
}

/** A whole number; SDKs read them into 64-bit integers, and none of ours is beyond 2^53. */
export function integer(members: Members, name: string): number {
  const value = members[name];
  if (!Number.isSafeInteger(value)) throw mismatch(name, 'an integer', value);
  return value as number;
}

export function boolean(members: Members, name: string): boolean {
  const value = members[name];
  if (typeof value !== 'boolean') throw mismatch(name, 'a boolean', value);
  return value;
}

export function list<T>(members: Members, name: string, item: (value: unknown) => T): T[] {
  const value = members[name];
  if (!Array.isArray(value)) throw mismatch(name, 'a list', value);
  return value.map(item);
}

/** Reads a member where it is there and not null. */
export function optional<T>(
  members: Members,
  name: string,
  read: (members: Members, name: string) => T,
): T | null {
  return members[name] === undefined || members[name] === null ? null : read(members, name);
}

/** A member of any JSON value that must be there. */
export function present(members: Members, name: string): unknown {
  if (!(name in members)) throw mismatch(name, 'there', undefined);
  return members[name];
}

function mismatch(name: string, wanted: string, value: unknown): SdkDecodeError {
  return new SdkDecodeError(`'${name}' is not ${wanted}: ${JSON.stringify(value)}`);
}

/** Percent-encodes all but the unreserved characters, as the SDKs do with what they put into a path. */
export function percentEncoded(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A query string with form encoding (a space is `+`), of the members that are given. */
export function queryString(
  parameters: Readonly<Record<string, string | number | undefined>>,
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) query.set(name, String(value));
  const joined = query.toString();
  return joined === '' ? '' : `?${joined}`;
}
