import type { EventRun } from './event-run.ts';
import type { EventSelection } from './stored-event.ts';

const NONE = new Uint32Array(0);
/** Where a scan collects its rows before it knows how many they are. A scan does not wait in between, so one is enough. */
let scratch = new Uint32Array(0);
/** 0, 1, 2, ...: the rows of a run that is meant as a whole. */
let allRows = new Uint32Array(0);

/**
 * Finds the rows of a run that a selection means, ascending. It takes the cheapest way: names that the run does not have and times outside of it
 * end the search before any column is read, an entity leads straight to its rows, and only what is left is a scan of columns.
 */
export function matchRows(run: EventRun, selection: EventSelection): Uint32Array {
  const { source } = run;
  const tenant = source.tenantNames.indexOf(selection.tenant);
  if (tenant === -1 || run.rowCount === 0 || isOutsideOfTime(run, selection)) return NONE;
  const types = allowedTypes(source.typeNames, selection);
  if (types === 'none') return NONE;
  const rowCount =
    selection.untilPosition === undefined ? run.rowCount : run.rowsUntil(selection.untilPosition);
  if (selection.entity !== undefined)
    return entityRows(run, { entity: selection.entity, rowCount, types, selection });
  return scan(run, {
    rowCount,
    tenant: source.tenantNames.length === 1 ? -1 : tenant,
    types: types === 'all' ? null : types,
    ...timeBounds(run, selection),
  });
}

function isOutsideOfTime(run: EventRun, { since, until }: EventSelection): boolean {
  return (
    (since !== undefined && run.timestampMax < since) ||
    (until !== undefined && run.timestampMin > until)
  );
}

/** Which type numbers pass: 1 where the type does. */
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

/** The bounds that can still fail inside the run. */
function timeBounds(run: EventRun, { since, until }: EventSelection) {
  const from = since ?? Number.NEGATIVE_INFINITY;
  const to = until ?? Number.POSITIVE_INFINITY;
  return { from, to, isTimed: from > run.timestampMin || to < run.timestampMax };
}

interface EntitySearch {
  readonly entity: string;
  readonly rowCount: number;
  readonly types: Uint8Array | 'all';
  readonly selection: EventSelection;
}

function entityRows(run: EventRun, search: EntitySearch): Uint32Array {
  const { source } = run;
  const entity = source.findEntity(search.selection.tenant, search.entity);
  if (entity === -1) return NONE;
  const rows = source.rowsOfEntity(entity);
  const types = search.types === 'all' ? null : search.types;
  const { from, to, isTimed } = timeBounds(run, search.selection);
  const typeColumn = types === null ? null : source.types;
  const timestamps = isTimed ? source.timestamps : null;
  return rows.filter((row) => {
    if (row >= search.rowCount) return false;
    if (types !== null && types[typeColumn?.[row] as number] === 0) return false;
    const time = timestamps?.[row];
    return time === undefined || (time >= from && time <= to);
  });
}

interface Scan {
  readonly rowCount: number;
  /** The tenant number wanted; -1 when all rows are of it. */
  readonly tenant: number;
  readonly types: Uint8Array | null;
  readonly from: number;
  readonly to: number;
  readonly isTimed: boolean;
}

/** One condition at a time over the whole run, each on the rows the one before left: tight loops that the compiler can unroll. */
function scan(run: EventRun, { rowCount, tenant, types, from, to, isTimed }: Scan): Uint32Array {
  const { source } = run;
  if (types === null && tenant === -1 && !isTimed) return firstRows(rowCount);
  if (scratch.length < rowCount) scratch = new Uint32Array(rowCount);
  const rows = scratch;
  let count = rowCount;
  if (types === null) for (let row = 0; row < rowCount; row++) rows[row] = row;
  else count = keepTypes(rows, { rowCount, typeColumn: source.types, allowed: types });
  if (tenant !== -1) {
    const { entities, entityTenants } = source;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row = rows[i] as number;
      rows[kept] = row;
      kept += entityTenants[entities[row] as number] === tenant ? 1 : 0;
    }
    count = kept;
  }
  if (isTimed) {
    const { timestamps } = source;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row = rows[i] as number;
      const time = timestamps[row] as number;
      rows[kept] = row;
      kept += time >= from && time <= to ? 1 : 0;
    }
    count = kept;
  }
  return rows.slice(0, count);
}

function firstRows(count: number): Uint32Array {
  if (allRows.length < count) {
    allRows = new Uint32Array(count * 2);
    for (let row = 0; row < allRows.length; row++) allRows[row] = row;
  }
  return allRows.subarray(0, count);
}

interface TypeScan {
  readonly rowCount: number;
  readonly typeColumn: Uint32Array;
  readonly allowed: Uint8Array;
}

/** Fills `rows` with the numbers of the rows whose type is allowed; returns how many. */
function keepTypes(rows: Uint32Array, { rowCount, typeColumn, allowed }: TypeScan): number {
  let kept = 0;
  for (let row = 0; row < rowCount; row++) {
    rows[kept] = row;
    kept += allowed[typeColumn[row] as number] as number;
  }
  return kept;
}
