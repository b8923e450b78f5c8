import type { Database } from 'better-sqlite3';
import { must } from '@allsource/shared/lang';
import type { KeyRange, StateTable } from './list-states.ts';
import type { StoredState } from './stored-state.ts';

const OF_PROJECTION = 'projection = ? AND tenant = ? AND generation = ?';
const IN_RANGE = 'key >= ? AND key IS NOT ? AND key <= ?';

type Whose = [projection: number, tenant: string, generation: number];
type Range = [from: string, behind: string | null, end: string];

/** The live states of a projection and tenant in the open transaction of a connection, and the position they are true at. */
export function stateTableOf(
  database: Database,
  { projection, tenant }: { readonly projection: number; readonly tenant: string },
): { readonly position: number; readonly table: StateTable } {
  const progress = database.prepare<[], { position: number }>('SELECT position FROM progress');
  const { position } = must(progress.get(), 'a file of projections has its progress');
  const live = database.prepare<[number, string], { generation: number }>(
    `SELECT generation FROM generations WHERE projection = ? AND tenant = ? AND status = 'live'`,
  );
  // Where nothing was ever switched, the live generation is the first one.
  const { generation } = live.get(projection, tenant) ?? { generation: 0 };
  const whose: Whose = [projection, tenant, generation];
  const count = database.prepare<[...Whose, ...Range, number], { keys: number; last: string }>(
    `SELECT count(*) AS keys, coalesce(max(key), '') AS last FROM
       (SELECT key FROM states WHERE ${OF_PROJECTION} AND ${IN_RANGE} ORDER BY key LIMIT ?)`,
  );
  const page = database.prepare<[...Whose, ...Range, number, number], StoredState>(
    `SELECT key, state FROM states WHERE ${OF_PROJECTION} AND ${IN_RANGE} ORDER BY key LIMIT ? OFFSET ?`,
  );
  const bound = ({ from, behind, end }: KeyRange): [...Whose, ...Range] => [
    ...whose,
    from,
    behind,
    end,
  ];
  const table: StateTable = {
    countKeys: (range, keysMax) =>
      must(count.get(...bound(range), keysMax), 'a count answers one row'),
    states: (range, offset, limit) => page.iterate(...bound(range), limit, offset),
  };
  return { position, table };
}
