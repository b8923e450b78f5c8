/** The thread that saves states of the built-in projections. What a save promises is said in projection-store.ts. */
import { serveJobs } from '@allsource/service-kit/threads';
import type { Database } from 'better-sqlite3';
import { rowsOf } from './packed-rows.ts';
import { connectToProjections, sqliteCode } from './projection-database.ts';
import { prepareStatements } from './projection-statements.ts';
import type { SaveFault, SaveJob } from './save-thread.ts';

/** How long another connection may write, such as that of a replay; its transactions are short. */
const BUSY_WAIT_MS = 20_000;

serveJobs((job: SaveJob) => Promise.resolve(save(job)));

// No connection is left open: it would go on with a file that was replaced meanwhile.
function save(job: SaveJob): SaveFault {
  let database: Database | null = null;
  try {
    database = connectToProjections(job.file, BUSY_WAIT_MS);
    write(database, job);
    return null;
  } catch (error) {
    const code = sqliteCode(error);
    if (code === null) throw error;
    return { code, message: String(error) };
  } finally {
    database?.close();
  }
}

function write(database: Database, job: SaveJob): void {
  const { saveState, addTextBytes, saveProgress } = prepareStatements(database);
  const transaction = database.transaction(() => {
    for (const { projection, tenant, generation, key, state } of rowsOf(job.rows))
      saveState.run(projection, tenant, generation, key, state);
    for (const [tenant, bytes] of job.textBytes) addTextBytes.run(tenant, bytes);
    saveProgress.run(job.logId, job.position);
  });
  transaction.immediate();
}
