import { assert } from '../lang/assert.ts';
import type { Brand } from '../lang/brand.ts';

/** Place of an event in the one log: 1, 2, 3, ... without gaps. 0 means "before the first event". */
export type Position = Brand<number, 'Position'>;

/** The position before the first event: the head of an empty log, the cursor of a reader that has seen nothing. */
export const POSITION_ZERO = 0 as Position;

/** Names a number as a position. It must be a safe integer of at least 0. */
export function position(value: number): Position {
  assert(Number.isSafeInteger(value) && value >= 0, `not a position: ${value}`);
  return value as Position;
}

/** The position `count` places further on. */
export function positionAfter(from: Position, count: number): Position {
  return position(from + count);
}
