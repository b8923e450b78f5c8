import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, type Micros, micros } from '@allsource/shared/model';
import type { EventSelection } from '../history/event-history.ts';
import { payloadAt } from '../history/row-text.ts';
import { ExactSum } from './exact-sum.ts';
import type { PayloadField } from './payload-field.ts';
import { visitRows } from './scan.ts';
import type { ScanDesk } from './scan-desk.ts';
import type { Pace } from '@allsource/service-kit/turns';

export interface SlidingQuestion {
  readonly selection: EventSelection;
  readonly since: Micros;
  readonly until: Micros;
  readonly windowSeconds: number;
  /** The window is a whole multiple of it. */
  readonly slideSeconds: number;
  /** Null: events are only counted. */
  readonly field: PayloadField | null;
}

/** One window, in its wire shape: from `start` to before `end`. */
export interface SlidingWindow {
  readonly start: string;
  readonly end: string;
  readonly count: number;
  /** What the numbers of the field are; left out where no field was named. */
  readonly values?: number;
  readonly sum?: number | null;
  readonly avg?: number | null;
  readonly min?: number | null;
  readonly max?: number | null;
}

/** The answer; windows are put together one by one as they are asked for. */
export interface SlidingWindows {
  readonly windows: readonly SlidingWindow[];
  readonly totalEvents: number;
}

const MICROS_A_SECOND = 1_000_000;
/** The last window may end behind all instants that can be told. */
const INSTANT_MAX = Number.MAX_SAFE_INTEGER;
/** Panes laid together between two looks at the clock. */
const PANES_A_LOOK = 8_192;

/**
 * Windows that begin one slide apart, the first at `since`, the last before `until`; each has the events of its length, as far as they lie before or at `until`.
 * Events are counted once, into panes of one slide, and a window is its panes laid together. Throws `invalid_parameter` where the windows
 * are too many.
 */
export async function slidingWindows(
  { history }: ScanDesk,
  question: SlidingQuestion,
  pace: Pace,
): Promise<SlidingWindows> {
  const { since, until, slideSeconds, windowSeconds, field } = question;
  const slide = slideSeconds * MICROS_A_SECOND;
  const paneCount = Math.max(1, Math.ceil((until - since + 1) / slide));
  requireFew(paneCount, windowSeconds / slideSeconds);
  const panes = new Panes(paneCount);
  const selection = { ...question.selection, since, until };
  await visitRows({ history, selection, pace }, (run, row) => {
    const pane = Math.floor(((run.source.timestamps[row] as number) - since) / slide);
    const payload = field === null ? null : payloadAt(run.source, row);
    panes.add(pane, payload === null ? null : (field?.numberIn(payload) ?? null));
    return payload?.length ?? 0;
  });
  const windows = await windowsOf(panes, question, pace);
  return { windows, totalEvents: panes.total };
}

/** Counts by pane. */
class Panes {
  readonly counts: Uint32Array;
  readonly #values: Uint32Array;
  readonly #sums: (ExactSum | undefined)[];
  readonly #mins: Float64Array;
  readonly #maxs: Float64Array;
  total = 0;

  constructor(count: number) {
    this.counts = new Uint32Array(count);
    this.#values = new Uint32Array(count);
    this.#sums = Array.from({ length: count });
    this.#mins = new Float64Array(count).fill(Number.POSITIVE_INFINITY);
    this.#maxs = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
  }

  add(pane: number, number: number | null): void {
    this.total += 1;
    this.counts[pane] = (this.counts[pane] as number) + 1;
    if (number === null) return;
    this.#values[pane] = (this.#values[pane] as number) + 1;
    (this.#sums[pane] ??= new ExactSum()).add(number);
    this.#mins[pane] = Math.min(this.#mins[pane] as number, number);
    this.#maxs[pane] = Math.max(this.#maxs[pane] as number, number);
  }

  /** The panes from `first` to before `end` as one. */
  merged(first: number, end: number) {
    const merged = {
      count: 0,
      values: 0,
      min: Number.POSITIVE_INFINITY,
      max: Number.NEGATIVE_INFINITY,
    };
    const sum = new ExactSum();
    for (let pane = first; pane < Math.min(end, this.counts.length); pane++) {
      const count = this.counts[pane] as number;
      if (count === 0) continue;
      merged.count += count;
      merged.values += this.#values[pane] as number;
      merged.min = Math.min(merged.min, this.#mins[pane] as number);
      merged.max = Math.max(merged.max, this.#maxs[pane] as number);
      sum.add(this.#sums[pane]?.value ?? 0);
    }
    return { ...merged, sum: sum.value };
  }
}

async function windowsOf(
  panes: Panes,
  { since, windowSeconds, slideSeconds, field }: SlidingQuestion,
  pace: Pace,
): Promise<SlidingWindow[]> {
  const length = windowSeconds / slideSeconds;
  const windows: SlidingWindow[] = [];
  let looked = 0;
  for (let first = 0; first < panes.counts.length; first++) {
    const { count, ...numbers } = panes.merged(first, first + length);
    const start = since + first * slideSeconds * MICROS_A_SECOND;
    windows.push({
      start: formatTimestamp(micros(start)),
      end: formatTimestamp(micros(Math.min(start + windowSeconds * MICROS_A_SECOND, INSTANT_MAX))),
      count,
      ...(field === null ? {} : numberFacts(numbers)),
    });
    looked += length;
    if (looked < PANES_A_LOOK) continue;
    looked = 0;
    if (pace.isTurnOver) await pace.nextTurn();
  }
  return windows;
}

function numberFacts(numbers: { values: number; sum: number; min: number; max: number }) {
  const { values, sum, min, max } = numbers;
  if (values === 0) return { values, sum: null, avg: null, min: null, max: null };
  return { values, sum, avg: sum / values, min, max };
}

function requireFew(windowCount: number, panesAWindow: number): void {
  const limit = LIMITS.analyticsBucketsMax;
  if (windowCount > limit)
    throw problem(
      'invalid_parameter',
      `This range holds ${windowCount} windows; at most ${limit} are answered. Choose a larger slide_seconds or a shorter range.`,
      { parameter: 'slide_seconds', window_count: windowCount, limit },
    );
  if (panesAWindow > LIMITS.slidesAWindowMax)
    throw problem(
      'invalid_parameter',
      `A window would slide ${panesAWindow} times within its length; at most ${LIMITS.slidesAWindowMax} times are allowed. Choose a larger slide_seconds.`,
      { parameter: 'slide_seconds', limit: LIMITS.slidesAWindowMax },
    );
}
