/**
 * The process that removes the rows of generations that nobody reads any more, at a low priority and in short transactions with rests between, so
 * that the saves of the live projections come first. Killed at any point, the next one goes on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '@allsource/shared/lang';
import Database from 'better-sqlite3';

const file = must(process.argv[2], 'the file of the projections');
const ROWS_A_TRANSACTION = 1_000;
const REST_MS = 10;
const BUSY_TIMEOUT_MS = 60_000;

interface Dropped {
  readonly projection: number;
  readonly tenant: string;
  readonly generation: number;
}

process.once('disconnect', () => process.exit(0));

const database = new Database(file, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
database.pragma('synchronous = NORMAL');
const dropped = database.prepare<[], Dropped>(
  `SELECT projection, tenant, generation FROM generations WHERE status = 'dropped' LIMIT 1`,
);
const lastOfSome = database.prepare<[number, string, number, number], { readonly key: string }>(
  `SELECT key FROM states WHERE projection = ? AND tenant = ? AND generation = ?
   ORDER BY key LIMIT 1 OFFSET ?`,
);
const removeUpTo = database.prepare<[number, string, number, string]>(
  'DELETE FROM states WHERE projection = ? AND tenant = ? AND generation = ? AND key <= ?',
);
const removeAll = database.prepare<[number, string, number]>(
  'DELETE FROM states WHERE projection = ? AND tenant = ? AND generation = ?',
);
const forget = database.prepare<[number, string, number]>(
  `DELETE FROM generations WHERE projection = ? AND tenant = ? AND generation = ? AND status = 'dropped'`,
);
const forgetCheckpoints = database.prepare<[number, number]>(
  `DELETE FROM checkpoints WHERE generation = ?
   AND NOT EXISTS (SELECT 1 FROM generations WHERE generation = ?)`,
);

/** Removes some rows; true when they were the last. */
const removeSome = database.transaction(({ projection, tenant, generation }: Dropped): boolean => {
  const last = lastOfSome.get(projection, tenant, generation, ROWS_A_TRANSACTION - 1);
  if (last !== undefined) {
    removeUpTo.run(projection, tenant, generation, last.key);
    return false;
  }
  removeAll.run(projection, tenant, generation);
  forget.run(projection, tenant, generation);
  forgetCheckpoints.run(generation, generation);
  return true;
});

try {
  for (let one = dropped.get(); one !== undefined; one = dropped.get()) {
    while (!removeSome.immediate(one)) await sleep(REST_MS);
    await sleep(REST_MS);
  }
} finally {
  database.close();
  process.disconnect();
}
