/** The thread that saves states of the built-in projections, with a connection of its own. What a save promises is said in projection-store.ts. */
import { serveJobs } from '@allsource/service-kit/threads';
import type { Database } from 'better-sqlite3';
import { connectToProjections, sqliteCode } from './projection-database.ts';
import { prepareStatements, type Statements } from './projection-statements.ts';
import { rowsOf } from './packed-rows.ts';
import type { SaveFault, SaveJob } from './save-thread.ts';

/** How long another connection may write, such as that of a replay; its transactions are short. */
const BUSY_WAIT_MS = 20_000;

interface Connection {
  readonly incarnation: number;
  readonly database: Database;
  readonly statements: Statements;
}

let connection: Connection | null = null;

serveJobs((job: SaveJob) => Promise.resolve(save(job)));

function save(job: SaveJob): SaveFault {
  try {
    write(connected(job), job);
    return null;
  } catch (error) {
    const code = sqliteCode(error);
    if (code === null) throw error;
    return { code, message: String(error) };
  }
}

function connected({ file, incarnation }: SaveJob): Connection {
  if (connection?.incarnation === incarnation) return connection;
  connection?.database.close();
  connection = null;
  const database = connectToProjections(file, BUSY_WAIT_MS);
  connection = { incarnation, database, statements: prepareStatements(database) };
  return connection;
}

function write({ database, statements }: Connection, job: SaveJob): void {
  const { saveState, addTextBytes, saveProgress } = statements;
  const transaction = database.transaction(() => {
    for (const { projection, tenant, generation, key, state } of rowsOf(job.rows))
      saveState.run(projection, tenant, generation, key, state);
    for (const [tenant, bytes] of job.textBytes) addTextBytes.run(tenant, bytes);
    saveProgress.run(job.logId, job.position);
  });
  transaction.immediate();
}
