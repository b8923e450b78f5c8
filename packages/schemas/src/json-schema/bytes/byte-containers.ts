import { standsAt } from './byte-scalars.ts';
import {
  type ByteWalk,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  NO_FIT,
  plainTextEnd,
  QUOTE,
  skipSpace,
} from './byte-walk.ts';

/** A member that is named in the schema. */
export interface NamedMember {
  /** UTF-8. */
  readonly name: Uint8Array;
  readonly walk: ByteWalk;
  readonly isRequired: boolean;
}

export interface ObjectMembers {
  /** At most NAMED_MEMBERS_MAX. */
  readonly named: readonly NamedMember[];
  /** What all others have to fit. */
  readonly others: ByteWalk;
}

/** Those that were seen are the bits of one small integer. */
export const NAMED_MEMBERS_MAX = 30;

/** Objects with these members, in any order. Most writers keep to one order: the member behind the last one is looked for first. */
export function objectWalk({ named, others }: ObjectMembers): ByteWalk {
  const names = named.map(({ name }) => name);
  const walks = named.map(({ walk }) => walk);
  const required = named.reduce((bits, { isRequired }, i) => bits | (isRequired ? 1 << i : 0), 0);
  return (bytes, start) => {
    let at = skipSpace(bytes, start + 1);
    if (bytes[at] === CLOSE_OBJECT) return required === 0 ? at + 1 : NO_FIT;
    let seen = 0;
    let member = 0;
    while (true) {
      let nameEnd = endOfName(names[member], bytes, at);
      if (nameEnd === NO_FIT) {
        nameEnd = plainTextEnd(bytes, at);
        if (nameEnd === NO_FIT) return NO_FIT;
        member = memberNamed(names, bytes, at);
      }
      at = skipSpace(bytes, skipSpace(bytes, nameEnd) + 1);
      const bit = 1 << member;
      if (member === names.length) at = others(bytes, at);
      else if ((seen & bit) !== 0) return NO_FIT;
      else {
        seen |= bit;
        at = (walks[member++] as ByteWalk)(bytes, at);
      }
      if (at === NO_FIT) return NO_FIT;
      at = skipSpace(bytes, at);
      if (bytes[at] !== COMMA) return (seen & required) === required ? at + 1 : NO_FIT;
      at = skipSpace(bytes, at + 1);
    }
  };
}

/** Where a name ends that stands in quotes from `start` on; NO_FIT when another name does. */
function endOfName(name: Uint8Array | undefined, bytes: Uint8Array, start: number): number {
  if (name === undefined) return NO_FIT;
  const end = start + 1 + name.length;
  return bytes[end] === QUOTE && standsAt(name, bytes, start + 1) ? end + 1 : NO_FIT;
}

/** The number of the member whose name stands at `start`; their count for one that is not named. */
function memberNamed(names: readonly Uint8Array[], bytes: Uint8Array, start: number): number {
  for (let i = 0; i < names.length; i++) if (endOfName(names[i], bytes, start) !== NO_FIT) return i;
  return names.length;
}

export interface ArrayItems {
  readonly items: ByteWalk;
  readonly least: number;
  readonly most: number;
}

/** Arrays of some length with items that fit. */
export function arrayWalk({ items, least, most }: ArrayItems): ByteWalk {
  return (bytes, start) => {
    let at = skipSpace(bytes, start + 1);
    if (bytes[at] === CLOSE_ARRAY) return least === 0 ? at + 1 : NO_FIT;
    for (let count = 1; ; count++) {
      at = items(bytes, at);
      if (at === NO_FIT) return NO_FIT;
      at = skipSpace(bytes, at);
      if (bytes[at] !== COMMA) return count >= least && count <= most ? at + 1 : NO_FIT;
      at = skipSpace(bytes, at + 1);
    }
  };
}
