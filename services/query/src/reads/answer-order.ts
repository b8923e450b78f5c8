/**
 * The order of answers: by timestamp, then version, then position; `desc` is its exact reverse (compareEvents of the shared event query says
 * the same). Events lie in position order, which is nearly this order: events of one commit share a timestamp, and imports bring
 * older ones. So where timestamps never go back, only the events of equal timestamp are sorted among each other, one such group at a
 * time as the answer is written; only otherwise are all found events sorted.
 */
import type { QueryOrder } from '@allsource/shared/protocol';
import { sortedWindow, type WindowBounds } from '../catalog/sorted-window.ts';
import type { FoundEvents } from './found-events.ts';

/** The numbers of the found events in the window, in the order of answers. */
export function windowNumbers(
  found: FoundEvents,
  order: QueryOrder,
  bounds: WindowBounds,
): Iterable<number> {
  if (!found.isTimeOrdered) return sortedNumbers(found, order, bounds);
  const end = bounds.limit === null ? found.count : bounds.offset + bounds.limit;
  const from = Math.min(bounds.offset, found.count);
  const to = Math.min(end, found.count);
  if (order === 'asc') return ascendingNumbers(found, from, to);
  return descendingNumbers(found, found.count - to, found.count - from);
}

function sortedNumbers(found: FoundEvents, order: QueryOrder, bounds: WindowBounds): Uint32Array {
  const sign = order === 'asc' ? 1 : -1;
  const { timestamps, versions } = found.sortKeys();
  const compare = (a: number, b: number) =>
    sign *
    ((timestamps[a] as number) - (timestamps[b] as number) ||
      (versions[a] as number) - (versions[b] as number) ||
      a - b);
  return sortedWindow(found.count, compare, bounds);
}

function* ascendingNumbers(found: FoundEvents, from: number, to: number): Generator<number> {
  let next = from;
  while (next < to) {
    const group = groupAround(found, next);
    const numbers = sortedGroup(found, group);
    const last = Math.min(to, group.end);
    for (; next < last; next++) yield numbers[next - group.start] as number;
  }
}

function* descendingNumbers(found: FoundEvents, from: number, to: number): Generator<number> {
  let next = to - 1;
  while (next >= from) {
    const group = groupAround(found, next);
    const numbers = sortedGroup(found, group);
    const last = Math.max(from, group.start);
    for (; next >= last; next--) yield numbers[next - group.start] as number;
  }
}

/** The found events of one timestamp: from `start` to before `end`. */
interface Group {
  readonly start: number;
  readonly end: number;
}

function groupAround(found: FoundEvents, number: number): Group {
  const timestamp = found.timestamp(number);
  let start = number;
  while (start > 0 && found.timestamp(start - 1) === timestamp) start--;
  let end = number + 1;
  while (end < found.count && found.timestamp(end) === timestamp) end++;
  return { start, end };
}

function sortedGroup(found: FoundEvents, { start, end }: Group): Uint32Array {
  const numbers = new Uint32Array(end - start);
  for (let i = 0; i < numbers.length; i++) numbers[i] = start + i;
  if (numbers.length === 1) return numbers;
  return numbers.sort((a, b) => found.version(a) - found.version(b) || a - b);
}
