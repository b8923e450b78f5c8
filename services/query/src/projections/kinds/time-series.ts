/**
 * Aggregates of a field by time: one state for each bucket, or for each group and bucket.
 *
 * An event belongs to the bucket of its `timestamp`, however late it comes. Every part of a state is independent of the order of the events: counts, exact sums,
 * the least and the largest value, and a sketch. So states of several workers merge into the state of one.
 */
import { LIMITS } from '@allsource/shared/limits';
import type {
  CompiledProjection,
  FoldedEvent,
  JsonValue,
  StateTable,
} from './compiled-projection.ts';
import { definitionFault, DefinitionMembers, type DefinitionValue } from './definition-members.ts';
import { EventFields } from './event-fields.ts';
import { EMPTY_SUM, type ExactSum, plus, rounded, sumOf } from './exact-sum.ts';
import { type FieldPath, parseFieldPath } from './field-path.ts';
import { projectionFault } from './projection-fault.ts';
import {
  EMPTY_SKETCH,
  quantile,
  type QuantileSketch,
  sketchOf,
  sketchPlus,
} from './quantile-sketch.ts';
import { HIDDEN, keyAt } from './state-key.ts';
import { type Bucket, BUCKETS, TimeBuckets } from './time-bucket.ts';

const AGGREGATES = ['count', 'sum', 'avg', 'min', 'max', 'percentiles'] as const;
type Aggregate = (typeof AGGREGATES)[number];
const PERCENTILES = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 } as const;
const MEMBERS = ['bucket', 'field', 'aggregates', 'group_by', 'retention'] as const;
const GROUPS_KEY = `${HIDDEN}groups`;

interface TimeSeriesOptions {
  readonly bucket: Bucket;
  readonly field: FieldPath | null;
  readonly groupBy: FieldPath | null;
  readonly aggregates: ReadonlySet<Aggregate>;
  /** The newest buckets that are kept of each group; null: all. */
  readonly retention: number | null;
}

interface BucketState {
  readonly events: number;
  readonly values: number;
  readonly sum: ExactSum;
  readonly min: number | null;
  readonly max: number | null;
  /** Only where percentiles are asked for. */
  readonly sketch?: QuantileSketch;
}

const EMPTY: BucketState = { events: 0, values: 0, sum: EMPTY_SUM, min: null, max: null };

class TimeSeries implements CompiledProjection {
  readonly #options: TimeSeriesOptions;
  readonly #buckets: TimeBuckets;

  constructor(options: TimeSeriesOptions) {
    this.#options = options;
    this.#buckets = new TimeBuckets(options.bucket);
  }

  fold(event: FoldedEvent, states: StateTable): void {
    const { field, groupBy } = this.#options;
    const fields = new EventFields(event);
    const value = field === null ? null : fields.number(field);
    const group = groupBy === null ? null : keyAt(fields, groupBy);
    const start = this.#buckets.startOf(event.timestamp);
    if (!this.#retains(group, start, states)) return;
    const key = this.#keyOf(group, start);
    const before = states.get(key);
    if (before === undefined && group !== null) admitGroup(group, states);
    states.set(key, asJson(this.#plus(asBucket(before), value)));
  }

  merge(key: string, states: readonly JsonValue[]): JsonValue {
    if (key.startsWith(HIDDEN)) return states[0] ?? null;
    const parts = states.map(asBucket);
    const sketches = parts.map(({ sketch }) => sketch ?? EMPTY_SKETCH);
    return asJson({
      events: parts.reduce((sum, { events }) => sum + events, 0),
      values: parts.reduce((sum, { values }) => sum + values, 0),
      sum: sumOf(parts.map(({ sum }) => sum)),
      min: parts.reduce<number | null>((least, { min }) => lesser(least, min), null),
      max: parts.reduce<number | null>((most, { max }) => larger(most, max), null),
      ...(this.#hasSketch ? { sketch: sketchOf(sketches) } : {}),
    });
  }

  present(key: string, state: JsonValue): JsonValue | null {
    if (key.startsWith(HIDDEN)) return null;
    const bar = this.#options.groupBy === null ? -1 : key.lastIndexOf('|');
    const group = bar === -1 ? {} : { group: key.slice(0, bar) };
    return { bucket: key.slice(bar + 1), ...group, ...this.#presented(asBucket(state)) };
  }

  close(): void {}

  #keyOf(group: string | null, start: number): string {
    const bucket = this.#buckets.nameOf(start);
    return group === null ? bucket : `${group}|${bucket}`;
  }

  /** False for an event of a bucket that is kept no more. A newer bucket makes room for itself. */
  #retains(group: string | null, start: number, states: StateTable): boolean {
    const { retention } = this.#options;
    if (retention === null) return true;
    const key = `${HIDDEN}newest|${group ?? ''}`;
    const newest = Number(states.get(key) ?? start);
    const oldest = this.#buckets.before(Math.max(newest, start), retention - 1);
    let dropped = this.#buckets.before(newest, retention - 1);
    for (; dropped < oldest && dropped <= newest; dropped = this.#buckets.after(dropped))
      states.delete(this.#keyOf(group, dropped));
    states.set(key, Math.max(newest, start));
    return start >= oldest;
  }

  get #hasSketch(): boolean {
    return this.#options.aggregates.has('percentiles');
  }

  #plus(before: BucketState, value: number | null): BucketState {
    const events = before.events + 1;
    if (value === null) return { ...before, events };
    return {
      events,
      values: before.values + 1,
      sum: summed(before.sum, value),
      min: lesser(before.min, value),
      max: larger(before.max, value),
      ...(this.#hasSketch ? { sketch: sketchPlus(before.sketch ?? EMPTY_SKETCH, value) } : {}),
    };
  }

  #presented(state: BucketState): { readonly [name: string]: JsonValue } {
    const { aggregates, field } = this.#options;
    const { events, values, min, max } = state;
    const sum = rounded(state.sum);
    const all: Record<Exclude<Aggregate, 'percentiles'>, JsonValue> = {
      count: events,
      sum,
      avg: values === 0 ? null : sum / values,
      min,
      max,
    };
    const shown: Record<string, JsonValue> = {};
    for (const name of AGGREGATES)
      if (name !== 'percentiles' && aggregates.has(name)) shown[name] = all[name];
    if (field !== null) shown['values'] = values;
    return this.#hasSketch ? { ...shown, ...percentilesOf(state) } : shown;
  }
}

/** Refuses the event of one group too many. A group is known by a key of its own. */
function admitGroup(group: string, states: StateTable): void {
  const key = `${HIDDEN}group|${group}`;
  if (states.get(key) !== undefined) return;
  const groups = Number(states.get(GROUPS_KEY) ?? 0) + 1;
  const max = LIMITS.projectionGroupsMax;
  if (groups > max)
    throw projectionFault(
      `The group '${group}' would be one of more than ${max}; group by a field with fewer values.`,
      { limit: max },
    );
  states.set(key, 1);
  states.set(GROUPS_KEY, groups);
}

function summed(sum: ExactSum, value: number): ExactSum {
  const next = plus(sum, value);
  if (Number.isFinite(rounded(next))) return next;
  throw projectionFault('The sum is beyond what a number can hold (1.8e308).');
}

function percentilesOf({ sketch = EMPTY_SKETCH, min, max }: BucketState): {
  readonly [name: string]: JsonValue;
} {
  const named = Object.entries(PERCENTILES).map(([name, share]): [string, number | null] => {
    const value = quantile(sketch, share);
    return [name, value === null ? null : Math.min(Math.max(value, min ?? value), max ?? value)];
  });
  return Object.fromEntries(named);
}

function lesser(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

function larger(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}

function asBucket(state: JsonValue | undefined): BucketState {
  return state === undefined ? EMPTY : (state as unknown as BucketState);
}

function asJson(state: BucketState): JsonValue {
  return state as unknown as JsonValue;
}

/** `{"bucket":"hour","field":"amount","aggregates":["count","sum","percentiles"],"group_by":"country","retention":720}`. */
export function compileTimeSeries(definition: DefinitionValue): CompiledProjection {
  const members = new DefinitionMembers(definition, MEMBERS);
  const field = members.has('field') ? parseFieldPath(members.at('field')) : null;
  return new TimeSeries({
    bucket: members.oneOf('bucket', BUCKETS),
    field,
    groupBy: members.has('group_by') ? parseFieldPath(members.at('group_by')) : null,
    aggregates: aggregatesOf(members, field),
    retention: members.has('retention')
      ? members.whole('retention', { min: 1, max: LIMITS.projectionRetentionMax })
      : null,
  });
}

function aggregatesOf(members: DefinitionMembers, field: FieldPath | null): Set<Aggregate> {
  if (!members.has('aggregates'))
    return new Set(field === null ? ['count'] : ['count', 'sum', 'avg', 'min', 'max']);
  const list = members.list('aggregates', { min: 1, max: AGGREGATES.length });
  const wanted = list.map(({ value, pointer }) => {
    const known = AGGREGATES.find((name) => name === value);
    if (known === undefined)
      throw definitionFault(pointer, `is not one of ${AGGREGATES.join(', ')}`, {
        allowed: AGGREGATES,
      });
    if (known !== 'count' && field === null)
      throw definitionFault(
        pointer,
        `is '${known}', which needs a 'field' of numbers; without one only 'count' is allowed`,
      );
    return known;
  });
  return new Set(wanted);
}
