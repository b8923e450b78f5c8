/**
 * Writes a generation that nobody reads yet into the file of the projections, from a process beside the service. Transactions are short, and
 * after each one the process rests, so that the saves of the live projections come in between. States and checkpoint of a share move in one
 * transaction: killed at any point, the share goes on from its checkpoint, or copies the same rows over those of the first try.
 */
import Database, { type Database as Connection, type Statement } from 'better-sqlite3';
import type { Projection } from '../projections/projection.ts';
import type { FoldedStates, FoldTarget } from './fold-target.ts';
import type { ShadowRow } from './shadow-file.ts';

const CACHE_KIB = 16 * 1024;
/** How long a write waits for the saves of the live projections. */
const BUSY_TIMEOUT_MS = 60_000;

export interface GenerationWriterOptions {
  readonly file: string;
  readonly tenant: string;
  readonly generation: number;
  readonly share: number;
}

interface Checkpoint {
  readonly position: number;
  readonly processed: number;
}

export class GenerationWriter implements FoldTarget {
  readonly keysMax = 1_000;
  readonly restMs = 3;
  readonly #options: GenerationWriterOptions;
  readonly #database: Connection;
  readonly #state: Statement<[number, string, number, string], { readonly state: string | null }>;
  readonly #put: Statement<[number, string, number, string, string | null]>;
  readonly #mark: Statement<[number, number, number, number]>;
  #checkpoint: Checkpoint | null;

  constructor(options: GenerationWriterOptions) {
    this.#options = options;
    const database = new Database(options.file, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    this.#database = database;
    database.pragma('synchronous = NORMAL');
    database.pragma(`cache_size = -${CACHE_KIB}`);
    this.#state = database.prepare(
      'SELECT state FROM states WHERE projection = ? AND tenant = ? AND generation = ? AND key = ?',
    );
    this.#put = database.prepare(
      `INSERT INTO states (projection, tenant, generation, key, state) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state`,
    );
    this.#mark = database.prepare(
      `INSERT INTO checkpoints (generation, share, position, processed) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET position = excluded.position, processed = excluded.processed`,
    );
    this.#checkpoint = this.#readCheckpoint();
  }

  /** True when the share has been copied, so that it goes on from here. */
  get isBegun(): boolean {
    return this.#checkpoint !== null;
  }

  get position(): number {
    return this.#checkpoint?.position ?? 0;
  }

  get processed(): number {
    return this.#checkpoint?.processed ?? 0;
  }

  state(projection: Projection, key: string): { readonly state: string | null } | null {
    const { tenant, generation } = this.#options;
    return this.#state.get(projection.number, tenant, generation, key) ?? null;
  }

  /** Writes rows without a checkpoint: a copy that is not finished counts for nothing. */
  copy(rows: readonly ShadowRow[]): void {
    const { tenant, generation } = this.#options;
    const write = this.#database.transaction(() => {
      for (const { projection, key, state } of rows)
        this.#put.run(projection, tenant, generation, key, state);
    });
    write.immediate();
  }

  save({ position, processed, states }: FoldedStates): void {
    const { tenant, generation, share } = this.#options;
    const write = this.#database.transaction(() => {
      for (const { projection, key, state } of states)
        this.#put.run(projection.number, tenant, generation, key, state);
      this.#mark.run(generation, share, position, processed);
    });
    write.immediate();
    this.#checkpoint = { position, processed };
  }

  close(): void {
    this.#database.close();
  }

  #readCheckpoint(): Checkpoint | null {
    const { generation, share } = this.#options;
    const read = this.#database.prepare<[number, number], Checkpoint>(
      'SELECT position, processed FROM checkpoints WHERE generation = ? AND share = ?',
    );
    return read.get(generation, share) ?? null;
  }
}
