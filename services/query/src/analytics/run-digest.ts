/**
 * What can be counted of a run once and for all, because a run never changes: events by hour and type, by type, by entity, and the earliest and
 * latest time of each tenant's types. A question that means a run as a whole is answered from its digest; hours fit into days, weeks and months, so their
 * counts do too. The tail grows with every append, so a digest is made only of a run that was met before with as many rows.
 */
import type { EventRun, RunSource } from '../history/event-run.ts';
import { type CacheFigures, RunCache } from './run-cache.ts';
import type { Pace } from '@allsource/service-kit/turns';

export const HOUR_MICROS = 3_600_000_000;
const MIB = 1024 * 1024;
const BYTES_MAX = 256 * MIB;
/** A count by hour is kept when it is at least so many times shorter than the run. */
const HOURS_GAIN = 4;
/** Work on changes of the hour, in cells looked at for each row, beyond which rows are too much out of order to be counted by hour. */
const CELLS_A_ROW = 16;
const ROWS_A_STEP = 32_768;

/** Counts by hour since the epoch and by cell, the hours ascending. */
export interface HourCounts {
  readonly hours: Float64Array;
  /** Tenant number times the number of types, plus type number. */
  readonly cells: Uint32Array;
  readonly counts: Uint32Array;
}

export interface RunDigest {
  readonly rowCount: number;
  /** The number of types that cells are counted with. */
  readonly typeCount: number;
  /** Null when the run has hardly more events than hours and types: its rows are then as good. */
  readonly hours: HourCounts | null;
  /** By cell; see {@link HourCounts}. */
  readonly cellCounts: Uint32Array;
  /** By cell; infinite where a cell has no events. */
  readonly timestampMins: Float64Array;
  readonly timestampMaxs: Float64Array;
  /** By entity number. */
  readonly entityCounts: Uint32Array;
}

/** The cells of a tenant, or the one of its types that is named: from `start` to before `end`. */
export function cellsOf(
  { typeCount }: RunDigest,
  { tenant, type = null }: { readonly tenant: number; readonly type?: number | null },
): { readonly start: number; readonly end: number } {
  const start = tenant * typeCount;
  return type === null
    ? { start, end: start + typeCount }
    : { start: start + type, end: start + type + 1 };
}

/** When the latest event of a tenant is. */
export function latestOf(digest: RunDigest, tenant: number): number {
  const { start, end } = cellsOf(digest, { tenant });
  return digest.timestampMaxs
    .subarray(start, end)
    .reduce((latest, each) => Math.max(latest, each), Number.NEGATIVE_INFINITY);
}

export class RunDigests {
  readonly #digests: RunCache<RunDigest>;
  /** With how many rows a source was met last. */
  readonly #met = new WeakMap<RunSource, number>();

  constructor(bytesMax = BYTES_MAX) {
    this.#digests = new RunCache(bytesMax);
  }

  get figures(): CacheFigures {
    return this.#digests.figures;
  }

  /** The digest of a run; null when it is not worth making one yet. */
  async of(run: EventRun, pace: Pace): Promise<RunDigest | null> {
    const { source, rowCount } = run;
    const known = this.#met.get(source) === rowCount;
    this.#met.set(source, rowCount);
    if (!known) return null;
    const digest = this.#digests.get(source);
    if (digest?.rowCount === rowCount) return digest;
    if (source.tenantNames.length * source.typeNames.length > rowCount) return null;
    const made = await digestOf(run, pace);
    this.#digests.set(source, made, bytesOf(made));
    return made;
  }
}

function bytesOf({ hours, cellCounts, entityCounts }: RunDigest): number {
  const ofHours = hours === null ? 0 : hours.hours.length * 16;
  return ofHours + cellCounts.byteLength + entityCounts.byteLength;
}

async function digestOf(run: EventRun, pace: Pace): Promise<RunDigest> {
  const counting = new Counting(run);
  for (let start = 0; start < run.rowCount; start += ROWS_A_STEP) {
    if (pace.isTurnOver) await pace.nextTurn();
    counting.add(start, Math.min(run.rowCount, start + ROWS_A_STEP));
  }
  return counting.digest();
}

class Counting {
  readonly #run: EventRun;
  readonly #typeCount: number;
  readonly #entityCounts: Uint32Array;
  readonly #cellCounts: Uint32Array;
  readonly #mins: Float64Array;
  readonly #maxs: Float64Array;
  /** The counts of the hour at hand, by cell: rows of one hour mostly follow each other. */
  readonly #ofHour: Uint32Array;
  #hour = Number.NaN;
  /** Hour times number of cells plus cell, to count; null when there are too many of them. */
  #byHour: Map<number, number> | null = new Map();
  #cellsLookedAt = 0;

  constructor(run: EventRun) {
    const { tenantNames, typeNames, entityCount } = run.source;
    this.#run = run;
    this.#typeCount = typeNames.length;
    const cells = tenantNames.length * typeNames.length;
    this.#cellCounts = new Uint32Array(cells);
    this.#ofHour = new Uint32Array(cells);
    this.#mins = new Float64Array(cells).fill(Number.POSITIVE_INFINITY);
    this.#maxs = new Float64Array(cells).fill(Number.NEGATIVE_INFINITY);
    this.#entityCounts = new Uint32Array(entityCount);
  }

  add(start: number, end: number): void {
    const { entities, entityTenants, types, timestamps } = this.#run.source;
    for (let row = start; row < end; row++) {
      const entity = entities[row] as number;
      const tenant = entityTenants[entity] as number;
      const timestamp = timestamps[row] as number;
      const cell = tenant * this.#typeCount + (types[row] as number);
      const hour = Math.floor(timestamp / HOUR_MICROS);
      if (hour !== this.#hour && this.#byHour !== null) this.#beginHour(hour);
      this.#ofHour[cell] = (this.#ofHour[cell] as number) + 1;
      this.#entityCounts[entity] = (this.#entityCounts[entity] as number) + 1;
      if (timestamp < (this.#mins[cell] as number)) this.#mins[cell] = timestamp;
      if (timestamp > (this.#maxs[cell] as number)) this.#maxs[cell] = timestamp;
    }
  }

  #beginHour(hour: number): void {
    const cells = this.#ofHour.length;
    for (let cell = 0; cell < cells; cell++) {
      const count = this.#ofHour[cell] as number;
      if (count === 0) continue;
      this.#ofHour[cell] = 0;
      this.#cellCounts[cell] = (this.#cellCounts[cell] as number) + count;
      const key = this.#hour * cells + cell;
      this.#byHour?.set(key, (this.#byHour.get(key) ?? 0) + count);
    }
    this.#hour = hour;
    this.#cellsLookedAt += cells;
    const { rowCount } = this.#run;
    const isLong = (this.#byHour?.size ?? 0) * HOURS_GAIN > rowCount;
    if (isLong || this.#cellsLookedAt > (rowCount + cells) * CELLS_A_ROW) this.#byHour = null;
  }

  digest(): RunDigest {
    this.#beginHour(Number.NaN);
    return {
      rowCount: this.#run.rowCount,
      typeCount: this.#typeCount,
      hours: this.#byHour === null ? null : hourCounts(this.#byHour, this.#ofHour.length),
      cellCounts: this.#cellCounts,
      timestampMins: this.#mins,
      timestampMaxs: this.#maxs,
      entityCounts: this.#entityCounts,
    };
  }
}

function hourCounts(byHour: ReadonlyMap<number, number>, cellCount: number): HourCounts {
  const keys = Float64Array.from(byHour.keys()).sort();
  return {
    hours: keys.map((key) => Math.floor(key / cellCount)),
    cells: Uint32Array.from(keys, (key) => key - Math.floor(key / cellCount) * cellCount),
    counts: Uint32Array.from(keys, (key) => byHour.get(key) as number),
  };
}
