import { assert } from '../lang/assert.ts';
import type { Brand } from '../lang/brand.ts';

/** Place of an event in its stream: the first is 1. A stream's version is its event count; 0 means no events. */
export type Version = Brand<number, 'Version'>;

/** The version of an entity that has no events. */
export const VERSION_ZERO = 0 as Version;

/** Names a number as a version. It must be a safe integer of at least 0. */
export function version(value: number): Version {
  assert(Number.isSafeInteger(value) && value >= 0, `not a version: ${value}`);
  return value as Version;
}
