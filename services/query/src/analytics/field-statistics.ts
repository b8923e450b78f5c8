import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { EventSelection } from '../history/event-history.ts';
import { payloadAt } from '../history/row-text.ts';
import { ExactSum } from './exact-sum.ts';
import { NumberList } from './number-list.ts';
import type { PayloadField } from './payload-field.ts';
import { visitRows } from './scan.ts';
import type { ScanDesk } from './scan-desk.ts';
import type { Pace } from '@allsource/service-kit/turns';
import { sortNumbers } from './sort-numbers.ts';

export interface FieldQuestion {
  readonly selection: EventSelection;
  readonly field: PayloadField;
}

/** What every answer about a field says. */
interface FieldFacts {
  readonly field: string;
  /** Events that have a number there. */
  readonly count: number;
  /** Events meant that have none. */
  readonly skipped: number;
  readonly min: number | null;
  readonly max: number | null;
}

/** The answer in its wire shape. */
export interface Percentiles extends FieldFacts {
  /** `p50` and so on to the value; null where no event has a number. */
  readonly percentiles: Readonly<Record<string, number | null>>;
  readonly method: 'linear';
}

/** The answer in its wire shape. */
export interface Spread extends FieldFacts {
  readonly sum: number | null;
  readonly mean: number | null;
  /** Of the values as all there are, and as a sample of more; a sample needs two. */
  readonly variance: number | null;
  readonly stddev: number | null;
  readonly sample_variance: number | null;
  readonly sample_stddev: number | null;
}

/**
 * Percentiles of a numeric field: exact, between two values in proportion (as spreadsheets and NumPy do by default). Throws `invalid_parameter` when more
 * events have a number than one answer may sort.
 */
export async function fieldPercentiles(
  { history }: ScanDesk,
  { selection, field, percents }: FieldQuestion & { readonly percents: readonly number[] },
  pace: Pace,
): Promise<Percentiles> {
  const list = new NumberList();
  let skipped = 0;
  await visitRows({ history, selection, pace }, (run, row) => {
    const payload = payloadAt(run.source, row);
    const number = field.numberIn(payload);
    if (number === null) skipped += 1;
    else list.add(number);
    if (list.size > LIMITS.sortedValuesMax) throw tooManyValues(field.text);
    return payload.length;
  });
  const values = list.values();
  await sortNumbers(values, pace);
  return {
    field: field.text,
    count: values.length,
    skipped,
    min: values[0] ?? null,
    max: values.at(-1) ?? null,
    percentiles: Object.fromEntries(
      percents.map((percent) => [`p${percent}`, percentile(values, percent)]),
    ),
    method: 'linear',
  };
}

function percentile(sorted: Float64Array, percent: number): number | null {
  if (sorted.length === 0) return null;
  const rank = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] as number;
  const above = sorted[Math.ceil(rank)] as number;
  const share = rank - Math.floor(rank);
  return below === above ? below : below * (1 - share) + above * share;
}

/** Mean, variance and standard deviation of a numeric field, in one pass and without holding the values (Welford's method). */
export async function fieldSpread(
  { history }: ScanDesk,
  { selection, field }: FieldQuestion,
  pace: Pace,
): Promise<Spread> {
  const moments = new Moments();
  let skipped = 0;
  await visitRows({ history, selection, pace }, (run, row) => {
    const payload = payloadAt(run.source, row);
    const number = field.numberIn(payload);
    if (number === null) skipped += 1;
    else moments.add(number);
    return payload.length;
  });
  return { field: field.text, skipped, ...moments.facts() };
}

class Moments {
  #count = 0;
  #mean = 0;
  #squares = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  readonly #sum = new ExactSum();

  add(number: number): void {
    this.#count += 1;
    const distance = number - this.#mean;
    this.#mean += distance / this.#count;
    this.#squares += distance * (number - this.#mean);
    this.#min = Math.min(this.#min, number);
    this.#max = Math.max(this.#max, number);
    this.#sum.add(number);
  }

  facts(): Omit<Spread, 'field' | 'skipped'> {
    const count = this.#count;
    const variance = count === 0 ? null : this.#squares / count;
    const sampleVariance = count < 2 ? null : this.#squares / (count - 1);
    return {
      count,
      min: count === 0 ? null : this.#min,
      max: count === 0 ? null : this.#max,
      sum: count === 0 ? null : this.#sum.value,
      mean: count === 0 ? null : this.#mean,
      variance,
      stddev: variance === null ? null : Math.sqrt(variance),
      sample_variance: sampleVariance,
      sample_stddev: sampleVariance === null ? null : Math.sqrt(sampleVariance),
    };
  }
}

function tooManyValues(field: string): Error {
  const limit = LIMITS.sortedValuesMax;
  return problem(
    'invalid_parameter',
    `More than ${limit} events have a number at '${field}'; at most ${limit} are sorted. Name an event_type, an entity_id or a shorter range.`,
    { parameter: 'field', limit },
  );
}
