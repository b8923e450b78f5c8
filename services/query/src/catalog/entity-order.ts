/**
 * Entities by the time of their last event, of equal times by their id, which always ascends: the part of that order which a page shows. It is of the moment
 * of the call, whatever is noted meanwhile, and however many entities there are others run in between.
 *
 * The first pages are picked out in one pass, with memory for the page alone. Any other page sorts all entities by time, and by id only those whose
 * times are equal and that the page touches.
 */
import { type Pace, type Slices, sortInTurns } from '@allsource/service-kit/turns';
import type { EntityFacts, EntityRecords } from './entity-records.ts';
import { inSlices, orderOfKeys } from './key-order.ts';
import { PICKED_MAX, sortedWindow, type WindowBounds } from './sorted-window.ts';

/** Entities that are offered or sorted between two looks at the clock. */
const ENTITIES_A_LOOK = 2_048;

export interface EntitiesAt {
  readonly records: EntityRecords;
  /** How many there were at that moment. */
  readonly size: number;
  /** Those that changed since, as they were. */
  readonly before: ReadonlyMap<number, EntityFacts>;
}

/** The numbers of the entities of a page, in order. */
export async function entitiesInOrder(
  entities: EntitiesAt,
  { order, bounds }: { readonly order: 'asc' | 'desc'; readonly bounds: WindowBounds },
  pace: Pace,
): Promise<Uint32Array> {
  const { size } = entities;
  const { offset, limit } = bounds;
  const end = limit === null ? size : Math.min(size, offset + limit);
  if (offset >= end) return new Uint32Array(0);
  const sign = order === 'asc' ? 1 : -1;
  if (end <= PICKED_MAX) return picked(entities, { sign, bounds }, pace);
  const keys = await timeKeys(entities, sign, pace);
  const sorted = await orderOfKeys(keys, pace);
  await settleTies({ entities, keys, sorted }, { offset, end }, pace);
  return sorted.slice(offset, end);
}

function timeOf({ records, before }: EntitiesAt, number: number): number {
  if (before.size === 0) return records.lastTimestamp(number);
  return before.get(number)?.lastTimestamp ?? records.lastTimestamp(number);
}

async function picked(
  entities: EntitiesAt,
  { sign, bounds }: { readonly sign: number; readonly bounds: WindowBounds },
  pace: Pace,
): Promise<Uint32Array> {
  const { records, size } = entities;
  const compare = (a: number, b: number) =>
    sign * (timeOf(entities, a) - timeOf(entities, b)) || records.compareNames(a, b);
  return Uint32Array.from(await sortedWindow({ count: size, compare }, bounds, pace));
}

/** Each entity's time, negative where the latest comes first. Times may be further apart than a safe integer is large, so they are not counted from the first. */
async function timeKeys(entities: EntitiesAt, sign: number, pace: Pace): Promise<Float64Array> {
  const keys = new Float64Array(entities.size);
  await inSlices(keys.length, pace, (from, to) => {
    for (let i = from; i < to; i++) keys[i] = sign * timeOf(entities, i);
  });
  return keys;
}

interface Sorted {
  readonly entities: EntitiesAt;
  readonly keys: Float64Array;
  readonly sorted: Uint32Array;
}

/** Puts entities of equal times into the order of their ids, where the page touches them. */
async function settleTies(
  { entities, keys, sorted }: Sorted,
  { offset, end }: { readonly offset: number; readonly end: number },
  pace: Pace,
): Promise<void> {
  const keyAt = (place: number) => keys[sorted[place] as number];
  const looks = new Looks(pace);
  let start = offset;
  while (start > 0 && keyAt(start - 1) === keyAt(offset)) {
    start--;
    if (looks.isDue) await pace.nextTurn();
  }
  while (start < end) {
    let next = start + 1;
    while (next < sorted.length && keyAt(next) === keyAt(start)) {
      next++;
      if (looks.isDue) await pace.nextTurn();
    }
    if (next - start > 1) await sortNames(entities.records, sorted.subarray(start, next), pace);
    start = next;
    if (looks.isDue) await pace.nextTurn();
  }
}

/** Looks at the clock once in many small steps. */
class Looks {
  readonly #pace: Pace;
  #steps = 0;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  get isDue(): boolean {
    return ++this.#steps % ENTITIES_A_LOOK === 0 && this.#pace.isTurnOver;
  }
}

async function sortNames(records: EntityRecords, tied: Uint32Array, pace: Pace): Promise<void> {
  const compare = (a: number, b: number) => records.compareNames(a, b);
  if (tied.length <= ENTITIES_A_LOOK) tied.sort(compare);
  else tied.set(await sortInTurns(slices(tied), compare, pace));
}

function slices(numbers: Uint32Array): Slices<number> {
  const { length } = numbers;
  return { length, slice: (start, end) => [...numbers.subarray(start, end)] };
}
