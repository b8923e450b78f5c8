/**
 * How one run is searched. The plan takes the cheapest way that the selection allows, and is made before any column is read, as far as that goes:
 *
 *     skipped        the tenant, the types, the times, the positions or the entity of the run rule every row out
 *     entity_index   the rows of the entity, from its index
 *     time_range     the run is in time order, and its times are cut by binary search
 *     type_column    a scan of the column of types
 *     every_row      all that is left, scanned only where the run holds other tenants or stands in no time order
 *
 * Bounds of position and of the recorded clock are cut by binary search in every way: both only grow along the log. The rest is one condition at a time over the rows that are left, in tight loops. Counting makes no list of rows.
 */
import type { EventRun } from './event-run.ts';
import { rowRange } from './row-range.ts';
import type { EventSelection } from './stored-event.ts';

/** Why a run holds nothing that is meant, known without looking at a row. */
export type SkipReason = 'tenant' | 'position' | 'recorded_time' | 'time' | 'type' | 'entity';

/** By which way the rows of a run are found. */
export type Access = 'entity_index' | 'time_range' | 'type_column' | 'every_row';

export interface SkippedRun {
  readonly kind: 'skipped';
  readonly reason: SkipReason;
}

export interface SearchedRun {
  readonly kind: 'searched';
  readonly access: Access;
  /** Rows that are looked at, one by one. 0: all of the range are meant. */
  readonly rowsScanned: number;
  /** The rows from `from` to before `end` come into question; of them only those in `rows`, where there is such a list. */
  readonly from: number;
  readonly end: number;
  readonly rows: Uint32Array | null;
  /** Which type numbers pass: 1 where the type does. Null: all. */
  readonly types: Uint8Array | null;
  /** The tenant number wanted; null when no other can be among the rows. */
  readonly tenant: number | null;
  /** Bounds of the timestamp that rows can still fail. */
  readonly times: { readonly from: number; readonly to: number } | null;
}

export type RunPlan = SkippedRun | SearchedRun;

const NONE = new Uint32Array(0);
/** Where a scan collects its rows before it knows how many they are. A scan does not wait in between, so one is enough. */
let scratch = new Uint32Array(0);

/** Finds the rows of a run that a selection means, ascending. */
export function matchRows(run: EventRun, selection: EventSelection): Uint32Array {
  const plan = planRun(run, selection);
  return plan.kind === 'skipped' ? NONE : plannedRows(run, plan);
}

/** Decides how a run is searched. */
export function planRun(run: EventRun, selection: EventSelection): RunPlan {
  const { source } = run;
  if (run.rowCount > 0 && run.isOutsideOf(selection)) return skipped('time');
  const tenant = source.tenantNames.indexOf(selection.tenant);
  if (tenant === -1) return skipped('tenant');
  if (run.rowCount === 0) return skipped(selection.entity === undefined ? 'tenant' : 'entity');
  const types = allowedTypes(source.typeNames, selection);
  if (types === 'none') return skipped('type');
  const typed = types === 'all' ? null : types;
  const { untilPosition, afterPosition } = selection;
  const start =
    afterPosition === undefined || afterPosition < run.firstPosition
      ? 0
      : run.rowsUntil(afterPosition);
  const end = untilPosition === undefined ? run.rowCount : run.rowsUntil(untilPosition);
  if (start >= end) return skipped('position');
  const isShared = source.tenantNames.length > 1;
  if (selection.entity === undefined)
    return columnPlan(run, selection, {
      start,
      end,
      types: typed,
      tenant: isShared ? tenant : null,
    });
  return entityPlan(run, selection, { start, end, types: typed, entity: selection.entity });
}

function skipped(reason: SkipReason): SkippedRun {
  return { kind: 'skipped', reason };
}

function allowedTypes(
  typeNames: readonly string[],
  selection: EventSelection,
): Uint8Array | 'all' | 'none' {
  const { type, typePrefix, excludedTypePrefixes: excluded = [] } = selection;
  if (type === undefined && typePrefix === undefined && excluded.length === 0) return 'all';
  const allowed = new Uint8Array(typeNames.length);
  let count = 0;
  for (const [number, name] of typeNames.entries()) {
    if (type !== undefined && name !== type) continue;
    if (typePrefix !== undefined && !name.startsWith(typePrefix)) continue;
    if (excluded.some((prefix) => name.startsWith(prefix))) continue;
    allowed[number] = 1;
    count++;
  }
  if (count === 0) return 'none';
  return count === typeNames.length ? 'all' : allowed;
}

interface EntitySearch {
  readonly entity: string;
  readonly start: number;
  readonly end: number;
  readonly types: Uint8Array | null;
}

function entityPlan(run: EventRun, selection: EventSelection, search: EntitySearch): RunPlan {
  const { source } = run;
  const entity = source.findEntity(selection.tenant, search.entity);
  if (entity === -1) return skipped('entity');
  const end = recordedEnd(run, selection, search.end);
  if (end <= search.start) return skipped('recorded_time');
  const ofEntity = source.rowsOfEntity(entity);
  const { length } = ofEntity;
  const rows = ofEntity.subarray(
    countBelow(ofEntity, length, search.start),
    countBelow(ofEntity, length, end),
  );
  if (rows.length === 0) return skipped('position');
  const { types } = search;
  const times = openTimes(run, selection);
  const rowsScanned = rows.length;
  return {
    kind: 'searched',
    access: 'entity_index',
    rowsScanned,
    from: 0,
    end,
    rows,
    types,
    tenant: null,
    times,
  };
}

interface ColumnSearch {
  readonly start: number;
  readonly end: number;
  readonly types: Uint8Array | null;
  readonly tenant: number | null;
}

function columnPlan(run: EventRun, selection: EventSelection, search: ColumnSearch): RunPlan {
  const { types, tenant } = search;
  const bound = recordedEnd(run, selection, search.end);
  if (bound <= search.start) return skipped('recorded_time');
  const times = openTimes(run, selection);
  const isCut = times !== null && run.isTimeOrdered;
  const [first, end] = isCut ? timeRange(run, times, bound) : [0, bound];
  const from = Math.max(first, search.start);
  if (from >= end) return skipped('time');
  const left = isCut ? null : times;
  const isScanned = types !== null || tenant !== null || left !== null;
  const access = isCut ? 'time_range' : types === null ? 'every_row' : 'type_column';
  const rowsScanned = isScanned ? end - from : 0;
  return {
    kind: 'searched',
    access,
    rowsScanned,
    from,
    end,
    rows: null,
    types,
    tenant,
    times: left,
  };
}

/** The bounds of time that rows of the run can fail. */
function openTimes(run: EventRun, { since, until }: EventSelection): SearchedRun['times'] {
  const from = since ?? Number.NEGATIVE_INFINITY;
  const to = until ?? Number.POSITIVE_INFINITY;
  return from > run.timestampMin || to < run.timestampMax ? { from, to } : null;
}

function recordedEnd(run: EventRun, { recordedUntil }: EventSelection, end: number): number {
  return recordedUntil === undefined
    ? end
    : countBelow(run.source.recordedAts, end, recordedUntil + 1);
}

function timeRange(
  run: EventRun,
  times: { from: number; to: number },
  end: number,
): [number, number] {
  const { timestamps } = run.source;
  return [countBelow(timestamps, end, times.from), countBelow(timestamps, end, times.to + 1)];
}

/** How many of the first `count` values, which ascend, are below a bound. */
function countBelow(values: Uint32Array | Float64Array, count: number, bound: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((values[middle] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rows that a plan finds, ascending. They may be shared with other searches: nobody changes them. */
export function plannedRows(run: EventRun, plan: SearchedRun): Uint32Array {
  if (isWhole(plan)) return plan.rows ?? rowRange(plan.from, plan.end);
  return scan(run, plan).slice();
}

/** How many rows a plan finds. */
export function countPlanned(run: EventRun, plan: SearchedRun): number {
  if (isWhole(plan)) return plan.rows?.length ?? plan.end - plan.from;
  if (plan.types !== null && plan.tenant === null && plan.times === null && plan.rows === null)
    return countTypes(run, plan, plan.types);
  return scan(run, plan).length;
}

function isWhole({ types, tenant, times }: SearchedRun): boolean {
  return types === null && tenant === null && times === null;
}

function countTypes(run: EventRun, { from, end }: SearchedRun, allowed: Uint8Array): number {
  const column = run.source.types;
  let count = 0;
  for (let row = from; row < end; row++) count += allowed[column[row] as number] as number;
  return count;
}

/** The rows found, in `scratch`: valid until the next scan. */
function scan(run: EventRun, plan: SearchedRun): Uint32Array {
  const { source } = run;
  const candidates = plan.rows ?? rowRange(plan.from, plan.end);
  if (scratch.length < candidates.length) scratch = new Uint32Array(candidates.length);
  let left = candidates;
  if (plan.types !== null) left = keepTypes(left, source.types, plan.types);
  if (plan.tenant !== null) left = keepTenant(left, run, plan.tenant);
  if (plan.times !== null) left = keepTimes(left, source.timestamps, plan.times);
  return left;
}

function keepTypes(rows: Uint32Array, types: Uint32Array, allowed: Uint8Array): Uint32Array {
  const kept = scratch;
  let count = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    kept[count] = row;
    count += allowed[types[row] as number] as number;
  }
  return kept.subarray(0, count);
}

function keepTenant(rows: Uint32Array, run: EventRun, tenant: number): Uint32Array {
  const { entities, entityTenants } = run.source;
  const kept = scratch;
  let count = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    kept[count] = row;
    count += entityTenants[entities[row] as number] === tenant ? 1 : 0;
  }
  return kept.subarray(0, count);
}

function keepTimes(
  rows: Uint32Array,
  timestamps: Float64Array,
  { from, to }: { readonly from: number; readonly to: number },
): Uint32Array {
  const kept = scratch;
  let count = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    const time = timestamps[row] as number;
    kept[count] = row;
    count += time >= from && time <= to ? 1 : 0;
  }
  return kept.subarray(0, count);
}
