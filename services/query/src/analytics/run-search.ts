import type { EventRun } from '../history/event-run.ts';
import type { EventSelection } from '../history/stored-event.ts';

/** What a scan has to look for in one run: the conditions of a selection in the numbers of that run. */
export interface RunSearch {
  readonly tenant: number;
  /** Rows of the run that lie at or below the position of the answer. */
  readonly rowCount: number;
  /** 1 for each type number that is meant; null when all are. */
  readonly types: Uint8Array | null;
  readonly from: number;
  readonly to: number;
  /** True when rows of the run can lie outside of the time range. */
  readonly isTimed: boolean;
  /** True when rows of the run can be of other tenants. */
  readonly isShared: boolean;
}

/** How to look for a selection in a run; null when the run has nothing of it. The entity of the selection is not looked at. */
export function searchOf(run: EventRun, selection: EventSelection): RunSearch | null {
  const { tenantNames, typeNames } = run.source;
  const tenant = tenantNames.indexOf(selection.tenant);
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = selection;
  if (tenant === -1 || run.timestampMax < since || run.timestampMin > until) return null;
  const { untilPosition = run.lastPosition } = selection;
  const rowCount = run.rowsUntil(untilPosition);
  const types = typesOf(typeNames, selection.type);
  if (rowCount === 0 || types?.includes(1) === false) return null;
  return {
    tenant,
    rowCount,
    types,
    from: since,
    to: until,
    isTimed: since > run.timestampMin || until < run.timestampMax,
    isShared: tenantNames.length > 1,
  };
}

function typesOf(typeNames: readonly string[], type: string | undefined): Uint8Array | null {
  if (type === undefined) return null;
  return Uint8Array.from(typeNames, (name) => (name === type ? 1 : 0));
}

/** A stretch of rows, from `start` to before `end`. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** Writes the rows of a stretch that are meant into `rows`; returns how many. One condition at a time, each on what the one before left. */
// oxlint-disable-next-line eslint/max-params -- a hot loop: an object for each call would cost more than the call.
export function fillRows(
  run: EventRun,
  search: RunSearch,
  { start, end }: RowRange,
  rows: Uint32Array,
): number {
  const { source } = run;
  let count = firstRows(
    rows,
    { start, end },
    search.types === null ? null : { allowed: search.types, column: source.types },
  );
  if (search.isShared) {
    const { entities, entityTenants } = source;
    const { tenant } = search;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row = rows[i] as number;
      rows[kept] = row;
      kept += entityTenants[entities[row] as number] === tenant ? 1 : 0;
    }
    count = kept;
  }
  return search.isTimed
    ? keepTimes(rows, count, { timestamps: source.timestamps, ...search })
    : count;
}

function firstRows(
  rows: Uint32Array,
  { start, end }: RowRange,
  types: { readonly allowed: Uint8Array; readonly column: Uint32Array } | null,
): number {
  if (types === null) {
    for (let row = start; row < end; row++) rows[row - start] = row;
    return end - start;
  }
  const { allowed, column } = types;
  let kept = 0;
  for (let row = start; row < end; row++) {
    rows[kept] = row;
    kept += allowed[column[row] as number] as number;
  }
  return kept;
}

interface TimeRange {
  readonly timestamps: Float64Array;
  readonly from: number;
  readonly to: number;
}

function keepTimes(rows: Uint32Array, count: number, { timestamps, from, to }: TimeRange): number {
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i] as number;
    const time = timestamps[row] as number;
    rows[kept] = row;
    kept += time >= from && time <= to ? 1 : 0;
  }
  return kept;
}
