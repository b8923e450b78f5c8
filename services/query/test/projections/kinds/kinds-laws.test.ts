/** Each type of projection beside a model of it that is written in another way, over random events. */
import { describe, expect, it } from '@jest/globals';
import type { FoldedEvent } from '../../../src/projections/kinds/compiled-projection.ts';
import { propertySeed, Random } from '../../support/random.ts';
import {
  compiled,
  type Definition,
  eventsOf,
  folded,
  FoldedStates,
  mergedShown,
} from './folded-states.ts';

const SEED = propertySeed('kinds-laws');
const RUNS = 12;
const TYPES = ['cart.opened', 'cart.item_added', 'order.placed', 'order.paid', 'page.seen'];
const COUNTRIES = ['DE', 'FR', 'US', 'x|y', '~', ''];

/** Values that sums go wrong with: large and small ones, of both signs, and whole ones beyond 2^53. */
function number(random: Random): number {
  const scale = 10 ** (random.below(30) - 12);
  const value = (random.next() - 0.5) * scale;
  return random.chance(0.4) ? Math.round(value) : value;
}

function payloadOf(random: Random): Record<string, unknown> {
  const payload: Record<string, unknown> = { n: random.below(1000) };
  if (random.chance(0.8)) payload['amount'] = random.chance(0.1) ? 0 : number(random);
  if (random.chance(0.1)) payload['amount'] = null;
  const country = random.pick(COUNTRIES);
  if (country !== '') payload['customer'] = { country, vip: random.chance(0.5) };
  if (random.chance(0.2))
    payload[random.pick(['__proto__', 'toString', 'a b', '7'])] = random.below(9);
  return payload;
}

function randomEvents(random: Random, count: number): FoldedEvent[] {
  let at = Date.UTC(2026, 0, 30) * 1000;
  return eventsOf(
    Array.from({ length: count }, () => {
      at += random.below(7_200_000) * 1000;
      const lateBy = random.chance(0.2) ? random.below(40 * 86_400) * 1_000_000 : 0;
      return {
        eventType: random.pick(TYPES),
        entityId: `e-${random.below(8)}`,
        timestamp: at - lateBy,
        payload: JSON.stringify(payloadOf(random)),
      };
    }),
  );
}

/** Calls a check with the events of many runs. */
async function eachRun(
  check: (events: FoldedEvent[], random: Random) => Promise<void>,
): Promise<void> {
  for (let run = 0; run < RUNS; run++) {
    const random = new Random(SEED * 1000 + run);
    await check(randomEvents(random, 1 + random.below(150)), random);
  }
}

interface Plain {
  readonly amount?: number | null;
  readonly n: number;
  readonly customer?: { readonly country: string; readonly vip: boolean };
}

function plain({ payload }: FoldedEvent): Plain {
  return JSON.parse(payload) as Plain;
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const sorted = items.map((item) => [keyOf(item), item] as const);
  const keys = [...new Set(sorted.map(([key]) => key))].toSorted((a, b) => (a < b ? -1 : 1));
  return new Map(
    keys.map((key) => [key, sorted.flatMap(([own, item]) => (own === key ? [item] : []))]),
  );
}

function mapped<T, U>(
  groups: ReadonlyMap<string, T>,
  change: (value: T, key: string) => U,
): Map<string, U> {
  return new Map([...groups].map(([key, value]) => [key, change(value, key)]));
}

/** The exact sum, as a fraction of 2^1074, rounded once. */
function exactSum(values: readonly number[]): number {
  const view = new DataView(new ArrayBuffer(8));
  let sum = 0n;
  for (const value of values) {
    view.setFloat64(0, value);
    const bits = view.getBigUint64(0);
    const exponent = (bits >> 52n) & 0x7ffn;
    const fraction = (bits & 0xfffffffffffffn) + (exponent === 0n ? 0n : 1n << 52n);
    const scaled = fraction << (exponent === 0n ? 0n : exponent - 1n);
    sum += bits >> 63n === 1n ? -scaled : scaled;
  }
  // Number() rounds correctly; the division by a power of two is exact for sums of this size.
  const size = sum < 0n ? -sum : sum;
  const digits = BigInt(Math.max(0, size.toString(2).length - 900));
  return digits === 0n ? Number(sum) / 2 ** 1000 / 2 ** 74 : roundedQuotient(sum, digits);
}

function roundedQuotient(sum: bigint, digits: bigint): number {
  // Keeps far more bits than a number has, and one that says whether anything was cut off.
  const kept = sum >> digits;
  const sticky = kept << digits === sum ? kept << 1n : (kept << 1n) | 1n;
  return Number(sticky) * 2 ** (Number(digits) - 1 - 1000) * 2 ** -74;
}

function bucketName(bucket: string, timestamp: number): string {
  const date = new Date(timestamp / 1000);
  const iso = date.toISOString();
  if (bucket === 'minute') return `${iso.slice(0, 16)}:00Z`;
  if (bucket === 'hour') return `${iso.slice(0, 13)}:00:00Z`;
  if (bucket === 'month') return `${iso.slice(0, 7)}-01T00:00:00Z`;
  if (bucket === 'week') date.setTime(date.getTime() - ((date.getUTCDay() + 6) % 7) * 86_400_000);
  return `${date.toISOString().slice(0, 10)}T00:00:00Z`;
}

describe('an entity snapshot', () => {
  it('is the payloads of the entity laid over each other', async () => {
    await eachRun(async (events) => {
      const model = mapped(
        grouped(events, ({ entityId }) => entityId),
        (own) =>
          JSON.parse(
            JSON.stringify(
              own.reduce((state, { payload }) => {
                for (const [name, value] of Object.entries(JSON.parse(payload) as object))
                  Object.defineProperty(state, name, {
                    value,
                    enumerable: true,
                    configurable: true,
                    writable: true,
                  });
                return state;
              }, {}),
            ),
          ) as unknown,
      );
      expect(await folded('entity_snapshot', {}, events)).toEqual(model);
    });
  });
});

describe('an event counter', () => {
  it.each<[Definition, (event: FoldedEvent) => string]>([
    [{}, ({ eventType }) => eventType],
    [{ by: 'entity' }, ({ entityId }) => entityId],
    [
      { by: 'field', field: 'customer.country' },
      (event) => plain(event).customer?.country ?? '(none)',
    ],
    [{ by: 'field', field: 'n' }, (event) => String(plain(event).n)],
  ])('%j counts the events of each key', async (definition, keyOf) => {
    await eachRun(async (events) => {
      const model = mapped(grouped(events, keyOf), ({ length }) => ({ count: length }));
      expect(await folded('event_counter', definition, events)).toEqual(model);
    });
  });
});

describe('a time series', () => {
  it.each(['minute', 'hour', 'day', 'week', 'month'])(
    'by %s has the aggregates of the values of each bucket',
    async (bucket) => {
      const aggregates = ['count', 'sum', 'avg', 'min', 'max', 'percentiles'];
      await eachRun(async (events) => {
        const shown = await folded(
          'time_series',
          { bucket, field: 'amount', aggregates, group_by: 'customer.country' },
          events,
        );
        const groups = grouped(
          events,
          (event) =>
            `${plain(event).customer?.country ?? '(none)'}|${bucketName(bucket, event.timestamp)}`,
        );
        expect([...shown.keys()]).toEqual([...groups.keys()]);
        for (const [key, own] of groups) expectBucket(shown.get(key), own);
      });
    },
  );
});

describe('a time series with a retention', () => {
  it.each(['day', 'month'])(
    'by %s keeps the newest buckets of each group, as of each event',
    async (bucket) => {
      const retention = 3;
      await eachRun(async (events) => {
        const shown = await folded(
          'time_series',
          { bucket, group_by: 'customer.country', retention },
          events,
        );
        const model = [...grouped(events, (event) => plain(event).customer?.country ?? '(none)')]
          .flatMap(([group, own]) =>
            [...keptCounts(own, bucket, retention)].map(
              ([name, count]) => [`${group}|${name}`, { bucket: name, group, count }] as const,
            ),
          )
          .toSorted(([a], [b]) => (a < b ? -1 : 1));
        expect([...shown]).toEqual(model);
      });
    },
  );
});

function keptCounts(
  own: readonly FoldedEvent[],
  bucket: string,
  retention: number,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { timestamp } of own) {
    const name = bucketName(bucket, timestamp);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    const newest = [...counts.keys()].toSorted().at(-1) ?? name;
    for (const other of counts.keys())
      if (bucketsBetween(bucket, other, newest) >= retention) counts.delete(other);
  }
  return counts;
}

function bucketsBetween(bucket: string, from: string, to: string): number {
  const [a, b] = [new Date(from), new Date(to)];
  if (bucket === 'day') return (b.getTime() - a.getTime()) / 86_400_000;
  return (b.getUTCFullYear() - a.getUTCFullYear()) * 12 + b.getUTCMonth() - a.getUTCMonth();
}

function expectBucket(state: unknown, events: readonly FoldedEvent[]): void {
  const {
    p50,
    p90,
    p95,
    p99,
    bucket: _bucket,
    group: _group,
    ...exact
  } = state as Record<string, number>;
  const values = events.flatMap((event) => plain(event).amount ?? []).toSorted((a, b) => a - b);
  const sum = exactSum(values);
  expect(exact).toEqual({
    count: events.length,
    values: values.length,
    sum,
    avg: values.length === 0 ? null : sum / values.length,
    min: values[0] ?? null,
    max: values.at(-1) ?? null,
  });
  // What is so much smaller than the largest value is told apart no more.
  const lowest = Math.max(0, ...values.map(Math.abs)) * 2e-18;
  for (const [share, found] of [
    [0.5, p50],
    [0.9, p90],
    [0.95, p95],
    [0.99, p99],
  ] as const) {
    const wanted = values[Math.max(0, Math.ceil(share * values.length - 1e-6) - 1)];
    const error = wanted === undefined ? Number(found !== null) : Math.abs(Number(found) - wanted);
    expect(error).toBeLessThanOrEqual(Math.max(Math.abs(wanted ?? 0) * 0.010001, lowest));
  }
}

describe('a funnel', () => {
  const types = ['cart.opened', 'cart.*', 'order.placed', 'order.paid'];
  const where = { field: 'n', op: 'lt', value: 700 };

  it.each([undefined, 'customer.country'])(
    'with the key %s counts each key for the longest attempt that it made',
    async (key) => {
      await eachRun(async (events, random) => {
        // In the order of time: what comes out of order is passed over, which is a law of its own.
        const inOrder = eventsOf(events.toSorted((a, b) => a.timestamp - b.timestamp));
        const windowSeconds = 1 + random.below(100_000);
        const steps = types.map((event_type, step) =>
          step === 2 ? { event_type, where } : { event_type },
        );
        const shown = await folded(
          'funnel',
          { steps, window_seconds: windowSeconds, ...(key === undefined ? {} : { key }) },
          inOrder,
        );
        const keyOf = (event: FoldedEvent): string =>
          key === undefined ? event.entityId : (plain(event).customer?.country ?? '(none)');
        const longest = [...grouped(inOrder, keyOf).values()].map((own) =>
          longestAttempt(own, windowSeconds * 1_000_000),
        );
        const counts = types.map((_, step) => longest.filter((length) => length > step).length);
        const found = shown.get('funnel') as
          | { readonly steps: readonly { readonly count: number }[] }
          | undefined;
        expect(found?.steps.map(({ count }) => count) ?? [0, 0, 0, 0]).toEqual(counts);
        expect([...shown.keys()].length).toBeLessThanOrEqual(1);
      });
    },
  );

  function fits(event: FoldedEvent, step: number): boolean {
    if (step === 1) return event.eventType.startsWith('cart.');
    return event.eventType === types[step] && (step !== 2 || plain(event).n < 700);
  }

  /** By trying every first event and, from there, the earliest event that fits each further step, behind the one before. */
  function longestAttempt(events: readonly FoldedEvent[], windowMicros: number): number {
    let longest = 0;
    events.forEach((first, start) => {
      let at = fits(first, 0) ? start : -1;
      for (let length = 1; at !== -1; length++) {
        longest = Math.max(longest, length);
        const after = at;
        at = events.findIndex(
          (event, index) =>
            index > after &&
            fits(event, length) &&
            event.timestamp - first.timestamp <= windowMicros,
        );
      }
    });
    return longest;
  }
});

interface Model {
  readonly seen: Readonly<Record<string, number>>;
  readonly total: number;
  readonly vip: boolean;
  readonly last?: string;
  readonly version?: number;
}

interface Given {
  readonly payload: Plain;
  readonly event_type: string;
  readonly version: number;
  readonly timestamp: string;
}

/** The source of the projection too, so it uses nothing but its arguments. */
const reduce = (state: Model, event: Given): Model | null => {
  const { amount, customer } = event.payload;
  if (amount === 0) return null;
  const seen = { ...state.seen, [event.event_type]: (state.seen[event.event_type] ?? 0) + 1 };
  const { timestamp: last, version } = event;
  const vip = state.vip || customer?.vip === true;
  return { seen, total: state.total + (amount ?? 0), last, version, vip };
};

describe('a custom projection', () => {
  const source = String(reduce);
  const initial_state = { seen: {}, total: 0, vip: false };

  it('in JavaScript is the function applied to each event of its key', async () => {
    await eachRun(async (events) => {
      const model = new Map<string, Model>();
      for (const event of events) {
        const { entityId, eventType, version, timestamp } = event;
        const given = {
          payload: plain(event),
          event_type: eventType,
          version,
          timestamp: new Date(timestamp / 1000).toISOString(),
        };
        const state = reduce(model.get(entityId) ?? initial_state, given);
        if (state === null) model.delete(entityId);
        else model.set(entityId, state);
      }
      const shown = await folded(
        'custom',
        { language: 'javascript', source, initial_state },
        events,
      );
      expect(shown).toEqual(new Map([...model].toSorted(([a], [b]) => (a < b ? -1 : 1))));
    });
  });

  it('in JSON has the mapped values and aggregates of its key', async () => {
    const paid = { field: '$event_type', value: 'order.paid' };
    const definition = {
      key: 'customer.country',
      mapping: {
        last: 'n',
        first: { from: 'n', keep: 'first' },
        paid_n: { from: 'n', where: paid },
      },
      aggregates: {
        events: { fn: 'count' },
        amounts: { fn: 'count', field: 'amount' },
        total: { fn: 'sum', field: 'amount', where: { field: 'amount', op: 'gt', value: 0 } },
        mean: { fn: 'avg', field: 'amount' },
        low: { fn: 'min', field: 'amount' },
        high: { fn: 'max', field: 'amount' },
        types: { fn: 'set', field: '$event_type' },
      },
    };
    await eachRun(async (events) => {
      const model = mapped(
        grouped(events, (event) => plain(event).customer?.country ?? '(none)'),
        (own) => {
          const amounts = own.flatMap((event) => plain(event).amount ?? []);
          const paidN = own
            .filter(({ eventType }) => eventType === 'order.paid')
            .map((event) => plain(event).n)
            .at(-1);
          return {
            last: plain(own.at(-1) as FoldedEvent).n,
            first: plain(own[0] as FoldedEvent).n,
            ...(paidN === undefined ? {} : { paid_n: paidN }),
            events: own.length,
            amounts: amounts.length,
            total: exactSum(amounts.filter((amount) => amount > 0)),
            mean: amounts.length === 0 ? null : exactSum(amounts) / amounts.length,
            low: amounts.length === 0 ? null : Math.min(...amounts),
            high: amounts.length === 0 ? null : Math.max(...amounts),
            types: [...new Set(own.map(({ eventType }) => eventType))].toSorted(),
          };
        },
      );
      expect(await folded('custom', definition, events)).toEqual(model);
    });
  });
});

describe('every type', () => {
  const series = {
    bucket: 'week',
    field: 'amount',
    aggregates: ['count', 'sum', 'avg', 'percentiles'],
  };
  const steps = ['cart.opened', 'order.placed', 'order.paid'].map((event_type) => ({ event_type }));

  it.each([
    ['entity_snapshot', {}],
    ['event_counter', {}],
    ['event_counter', { by: 'field', field: 'customer.country' }],
    ['time_series', series],
    ['time_series', { ...series, group_by: 'customer.country' }],
    ['funnel', { steps, window_seconds: 86_400 }],
    ['custom', { aggregates: { total: { fn: 'sum', field: 'amount' } } }],
  ] as const)(
    '%s %j gives the same states from several workers, each with a share of the entities, as from one',
    async (type, definition) => {
      await eachRun(async (events) => {
        const one = await compiled(type, definition);
        const parts = [0, 1, 2].map((share) =>
          new FoldedStates(one).fold(
            events.filter(({ entityId }) => Number(entityId.slice(2)) % 3 === share),
          ),
        );
        const serial = new FoldedStates(one).fold(events);
        expect(mergedShown(one, parts)).toEqual(serial.shown());
      });
    },
  );
});
