import { escapeToken } from '../json-schema/validation-run.ts';
import { type MappingRun, UpcastFault } from './mapping-run.ts';
import { RawValue } from './raw-value.ts';

/** Stands for each item, where an array is met. In an object it is a name like any other. */
export const EACH = '*';
/** Characters that are looked through in the time of one place. */
const CHARACTERS_A_PLACE = 256;
/** What stands around a member: two quotes, a colon and a comma. */
const NAME_OVERHEAD = 4;
const INDEX = /^(?:0|[1-9]\d{0,8})$/;

/** The tokens of a pointer as a pointer. */
export function pointerText(tokens: readonly string[]): string {
  return tokens.map((token) => `/${escapeToken(token)}`).join('');
}

/** The value at a place below another one; null when there is none. */
export function valueAt(
  from: RawValue,
  tokens: readonly string[],
  run: MappingRun,
): RawValue | null {
  let value: RawValue | null = from;
  for (const token of tokens) {
    if (value === null) return null;
    value = inside(value, token, run);
  }
  return value;
}

/** Takes the value at a place away; null when there is none. The place is not the value itself. */
export function takeAt(
  from: RawValue,
  tokens: readonly string[],
  run: MappingRun,
): RawValue | null {
  const parent = valueAt(from, tokens.slice(0, -1), run);
  const last = tokens.at(-1) ?? '';
  const value = parent === null ? null : inside(parent, last, run);
  if (value !== null) parent?.remove(last);
  return value;
}

export interface Putting {
  readonly tokens: readonly string[];
  readonly value: RawValue;
  /** False: a value that stands there already is a fault. */
  readonly replaces: boolean;
  /** True when the value stood in the payload before, so that it adds only its name. */
  readonly isMoved?: boolean;
}

/** Puts a value at a place; objects that are missing on the way are made. */
export function putAt(from: RawValue, putting: Putting, run: MappingRun): void {
  const { tokens, value, replaces, isMoved = false } = putting;
  let parent = from;
  for (const [depth, token] of tokens.slice(0, -1).entries()) {
    let next = inside(parent, token, run);
    if (next === null) {
      next = new RawValue('{}');
      setMember(parent, { token, value: next, at: tokens.slice(0, depth), isMoved }, run);
    }
    parent = next;
  }
  const token = tokens.at(-1) ?? '';
  const before = inside(parent, token, run);
  if (before !== null && !replaces)
    throw new UpcastFault(`there is a value at ${pointerText(tokens)} already`);
  setMember(parent, { token, value, at: tokens.slice(0, -1), isMoved }, run);
}

/** All values that a place stands for, where `*` is each item of an array. */
export function valuesAt(from: RawValue, tokens: readonly string[], run: MappingRun): RawValue[] {
  let values = [from];
  for (const token of tokens) {
    const next: RawValue[] = [];
    for (const value of values) {
      const items = token === EACH ? opened(value, run).items() : null;
      if (items === null) {
        const one = inside(value, token, run);
        if (one !== null) next.push(one);
      } else {
        run.look(items.length);
        for (const item of items) next.push(item);
      }
    }
    values = next;
  }
  return values;
}

function inside(value: RawValue, token: string, run: MappingRun): RawValue | null {
  run.look(1);
  const { kind } = opened(value, run);
  if (kind === 'object') return value.members()?.get(token) ?? null;
  if (kind === 'array' && INDEX.test(token)) return value.items()?.[Number(token)] ?? null;
  return null;
}

/** Opening costs what the text is long, once. */
function opened(value: RawValue, run: MappingRun): RawValue {
  if (!value.isOpen && (value.kind === 'object' || value.kind === 'array'))
    run.look(value.length / CHARACTERS_A_PLACE);
  return value;
}

interface Member {
  readonly token: string;
  readonly value: RawValue;
  readonly at: readonly string[];
  readonly isMoved: boolean;
}

function setMember(parent: RawValue, { token, value, at, isMoved }: Member, run: MappingRun): void {
  const isMember = parent.kind === 'object';
  if (!isMember && inside(parent, token, run) === null)
    throw new UpcastFault(
      `nothing can be put at ${pointerText([...at, token])}: what stands above it is ${article(parent.kind)}`,
    );
  run.grow((isMoved ? 0 : value.length) + token.length + NAME_OVERHEAD);
  parent.set(token, value);
}

function article(kind: string): string {
  if (kind === 'null') return 'null';
  return `${/^[aeio]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
