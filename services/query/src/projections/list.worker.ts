/** The thread that lists states of the built-in projections. A list is read in one transaction, so all of it is true at the position that it names. */
import { serveJobs } from '@allsource/service-kit/threads';
import { LIMITS } from '@allsource/shared/limits';
import Database from 'better-sqlite3';
import { listStates } from './list-states.ts';
import type { ListJob, ListReport } from './list-thread.ts';
import { sqliteCode } from './projection-database.ts';
import { stateTableOf } from './state-table.ts';

serveJobs((job: ListJob) => Promise.resolve(list(job)));

// Each list opens the file anew, because it may have been replaced since the last one.
function list(job: ListJob): ListReport {
  let database: Database.Database | null = null;
  try {
    database = new Database(job.file, { readonly: true });
    database.exec('BEGIN');
    return read(database, job);
  } catch (error) {
    const code = sqliteCode(error);
    if (code === null) throw error;
    return { kind: 'failed', code, message: String(error) };
  } finally {
    database?.close();
  }
}

function read(database: Database.Database, { projection, tenant, ...window }: ListJob): ListReport {
  const endsAt = performance.now() + LIMITS.stateListMsMax;
  const { position, table } = stateTableOf(database, { projection, tenant });
  const { rows, count, total } = listStates(table, window, () => performance.now() > endsAt);
  return { kind: 'listed', position, rows: sharedBytes(rows), count, total };
}

/** Memory that both threads see: nothing is copied on the way. */
function sharedBytes(text: string): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(Buffer.byteLength(text));
  Buffer.from(memory).write(text);
  return memory;
}
