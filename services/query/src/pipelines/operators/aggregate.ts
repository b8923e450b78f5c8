import type { ReduceFunction } from '../definition/operator-definition.ts';

/**
 * What is remembered of numbers in order to say their count, sum, average, least and greatest: few figures, whatever the number of events. The sum is kept with what
 * rounding has lost of it (Neumaier), so it is that of the exact numbers in all but extreme cases.
 */
export interface Aggregate {
  /** Events, with a number or without. */
  readonly events: number;
  /** Numbers. */
  readonly n: number;
  readonly sum: number;
  readonly lost: number;
  readonly min: number | null;
  readonly max: number | null;
}

export const NO_AGGREGATE: Aggregate = { events: 0, n: 0, sum: 0, lost: 0, min: null, max: null };

/** The aggregate with one more event. `value` is its number; null: it has none. */
export function added(aggregate: Aggregate, value: number | null): Aggregate {
  const events = aggregate.events + 1;
  if (value === null) return { ...aggregate, events };
  const { min, max } = aggregate;
  return {
    events,
    n: aggregate.n + 1,
    ...summed(aggregate, value),
    min: min === null ? value : Math.min(min, value),
    max: max === null ? value : Math.max(max, value),
  };
}

/** The aggregate of the events of both. */
export function merged(one: Aggregate, other: Aggregate): Aggregate {
  const { sum, lost } = summed(one, other.sum);
  return {
    events: one.events + other.events,
    n: one.n + other.n,
    sum,
    lost: lost + other.lost,
    min: least([one.min, other.min]),
    max: greatest([one.max, other.max]),
  };
}

/** What a function says of an aggregate. Without numbers there is no average, least or greatest. */
export function resultOf(aggregate: Aggregate, name: ReduceFunction): number | null {
  const { events, n, sum, lost, min, max } = aggregate;
  switch (name) {
    case 'count':
      return events;
    case 'sum':
      return sum + lost;
    case 'avg':
      return n === 0 ? null : (sum + lost) / n;
    case 'min':
      return min;
    case 'max':
      return max;
  }
}

function summed({ sum, lost }: Aggregate, value: number): Pick<Aggregate, 'sum' | 'lost'> {
  const next = sum + value;
  const rest = Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
  return { sum: next, lost: lost + rest };
}

function least(values: readonly (number | null)[]): number | null {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? null : Math.min(...numbers);
}

function greatest(values: readonly (number | null)[]): number | null {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? null : Math.max(...numbers);
}
