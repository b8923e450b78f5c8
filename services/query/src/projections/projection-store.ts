/**
 * The states of the built-in projections in one SQLite file, with the position they are true at.
 *
 * Promise: states and position move in one transaction, so after any crash the file holds exactly the events up to the position it names,
 * each counted once. The one writer is {@link ProjectionFolds}, which holds what is newer in memory. The file can be deleted at any time
 * the service does not run: it is filled again from the log. A file that is damaged, or was written by another format, is set aside and
 * replaced by an empty one, and the error is thrown on.
 *
 * Generations: the states of a projection and tenant carry the number of a generation, of which one is live: what is read and folded into. A replay
 * builds another one beside it, from a process with its own connection; a switch makes that one live in one transaction, and only when that is
 * committed does anybody read it. Where nothing was ever switched, the live generation is 0.
 *
 * Single states are read here; a thread lists them, with a connection that lasts as long as the list.
 *
 * Three connections write: that of the thread that saves, this one, and that of a replay. SQLite lets one at a time. This one does not wait inside of a call but tries again
 * in a later turn of the event loop; reads are held up by none.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from 'better-sqlite3';
import { type Position, position } from '@allsource/shared/model';
import { problem } from '@allsource/shared/errors';
import { assert, must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { Turns } from '@allsource/service-kit/turns';
import { type RowChunk, RowPacker } from './packed-rows.ts';
import { createListThread, type ListThread } from './list-thread.ts';
import type { ListWindow } from './list-states.ts';
import { createSaveThread, type SaveThread } from './save-thread.ts';
import {
  isBusy,
  isDamage,
  openProjectionDatabase,
  setAsideDatabase,
} from './projection-database.ts';
import { type GenerationSwitch, type KeyReplacement, Generations } from './generations.ts';
import type { Projection } from './projection.ts';
import { prepareStatements, type Statements } from './projection-statements.ts';
import type { KeyedState, StoredState } from './stored-state.ts';

export type { KeyedState, StoredState } from './stored-state.ts';

/** What one transaction changes. */
export interface ProjectionChange {
  readonly position: Position;
  readonly logId: string;
  /** In any order; the order of keys is the quickest. */
  readonly states: Iterable<KeyedState>;
  /** Bytes of text added, by tenant. */
  readonly textBytes: ReadonlyMap<string, number>;
}

export interface StatePage extends ListWindow {
  readonly projection: Projection;
  readonly tenant: string;
}

/** A window of states, how many there are, and the position at which that is so. */
export interface StateList {
  readonly position: Position;
  /** The states as JSON in UTF-8, with commas in between. */
  readonly rows: Buffer;
  /** States in `rows`. */
  readonly count: number;
  readonly total: number;
}

export interface ProjectionStoreOptions {
  readonly file: string;
  readonly nowMs: () => number;
  /** Told when a file is set aside, with the reason. */
  readonly onSetAside: (reason: string) => void;
}

/** How long, and how often, a write is tried again while another connection writes. Its transactions are short. */
const BUSY_WAIT_MS = 2;
const BUSY_TRIES_MAX = 10_000;

export class ProjectionStore {
  /** Called when the file was replaced by an empty one. */
  onReplaced: () => void = () => {};
  readonly #options: ProjectionStoreOptions;
  readonly #thread: SaveThread = createSaveThread();
  readonly #lister: ListThread = createListThread();
  #lists = 0;
  /** How often the file was replaced. */
  #replaced = 0;
  #isSaving = false;
  /** What a read has met while the thread was saving: the file is replaced when that has ended. */
  #damage: unknown = null;
  #database: Database;
  #statements: Statements;
  #generations: Generations;
  #position: Position;
  #logId: string | null;
  #createdMs: number;

  constructor(options: ProjectionStoreOptions) {
    this.#options = options;
    const opened = openProjectionDatabase(options.file, options.nowMs());
    if (opened.setAside !== null) options.onSetAside(opened.setAside);
    this.#database = opened.database;
    this.#statements = prepareStatements(opened.database);
    this.#generations = new Generations(opened.database);
    const progress = readProgress(opened.database);
    this.#position = position(progress.position);
    this.#logId = progress.logId;
    this.#createdMs = progress.createdMs;
  }

  get position(): Position {
    return this.#position;
  }

  /** The log the states come from, as hex; null while there are none. */
  get logId(): string | null {
    return this.#logId;
  }

  /** When the file was made, in milliseconds since the epoch. */
  get createdMs(): number {
    return this.#createdMs;
  }

  /**
   * Applies a change whole or not at all; one call at a time. A thread writes it. The event loop turns meanwhile, and what is read then may be older or newer,
   * so the caller answers from memory for the keys it saves. Throws what SQLite says.
   */
  async save(change: ProjectionChange): Promise<void> {
    this.#isSaving = true;
    try {
      await this.#save(change);
    } finally {
      this.#isSaving = false;
      if (this.#damage !== null) this.#replaceDamaged(this.#damage);
    }
  }

  async #save({ logId, position: to, states, textBytes }: ProjectionChange): Promise<void> {
    const fault = await this.#thread.run({
      file: this.#options.file,
      logId,
      position: to,
      rows: await this.#packed(states),
      textBytes: [...textBytes],
    });
    if (fault !== null) {
      const error = sqliteError(fault);
      this.#replaceIfDamaged(error);
      throw error;
    }
    if (this.#damage !== null) throw replacedProblem();
    this.#position = to;
    this.#logId = logId;
  }

  async #packed(states: Iterable<KeyedState>): Promise<readonly RowChunk[]> {
    const packer = new RowPacker();
    const turns = new Turns();
    for (const { projection, tenant, key, state } of states) {
      const generation = this.#generations.live(projection, tenant);
      packer.add({ projection: projection.number, tenant, generation, key, state });
      if (turns.isTurnOver) await turns.nextTurn();
    }
    return packer.chunks();
  }

  /** Into a generation, or the live one of each state. */
  async #saveStates(states: Iterable<KeyedState>, generation: number | null): Promise<void> {
    const { saveState } = this.#statements;
    const turns = new Turns();
    for (const { projection, tenant, key, state } of states) {
      const into = generation ?? this.#generations.live(projection, tenant);
      saveState.run(projection.number, tenant, into, key, state);
      if (turns.isTurnOver) await turns.nextTurn();
    }
  }

  /** Begins a generation of some projections of a tenant, beside the live one. Returns its number, which no other has. */
  async beginGeneration(tenant: string, projections: readonly Projection[]): Promise<number> {
    let generation = 0;
    await this.#transaction(() => {
      generation = this.#generations.begin(tenant, projections);
    });
    return generation;
  }

  /** Makes a generation live, with what was folded into it since it was built. The live one before it is dropped. */
  async switchTo(change: GenerationSwitch): Promise<void> {
    await this.#transaction(async () => {
      await this.#saveStates(change.states, change.generation);
      this.#generations.makeLive(change);
    });
    // Only what is committed is read.
    this.#generations.reload();
  }

  /** Replaces the states of some keys in the live generation; those without a state are removed. */
  async replaceKeys(changes: readonly KeyReplacement[]): Promise<void> {
    const { deleteState } = this.#statements;
    await this.#transaction(async () => {
      for (const { tenant, projection, removedKeys } of changes) {
        const live = this.#generations.live(projection, tenant);
        for (const key of removedKeys) deleteState.run(projection.number, tenant, live, key);
      }
      await this.#saveStates(
        changes.flatMap(({ states }) => states),
        null,
      );
    });
  }

  /** Marks a generation that is being built, so that its rows are removed. */
  async dropGeneration(generation: number): Promise<void> {
    await this.#transaction(() => this.#generations.drop(generation));
  }

  /** The generations that are being built or are no longer read. */
  get generations(): Pick<Generations, 'building' | 'hasDropped' | 'isLive' | 'live'> {
    return this.#generations;
  }

  async #transaction(work: () => Promise<void> | void): Promise<void> {
    await this.#guardedAsync(async () => {
      const database = this.#database;
      await beginWriting(database);
      try {
        await work();
        database.exec('COMMIT');
      } catch (error) {
        if (database.open && database.inTransaction) database.exec('ROLLBACK');
        throw error;
      }
    });
  }

  /** Looks up states in one transaction of SQLite: a lookup of its own costs two locks of the file, more than to find the state. `work` ends within the turn and writes nothing. */
  reading<T>(work: () => T): T {
    const database = this.#database;
    // In a transaction of the writes of this connection, lookups are in that one.
    if (database.inTransaction) return work();
    const { begin, commit } = this.#statements;
    this.#guarded(() => begin.run());
    try {
      return work();
    } finally {
      // A file that turns out to be damaged is closed, and its transaction with it.
      if (database.inTransaction) commit.run();
    }
  }

  /** The state of a key in the live generation, or in the one given; null when there is none. */
  state(
    projection: Projection,
    tenant: string,
    { key, generation }: { readonly key: string; readonly generation?: number | undefined },
  ): StoredState | null {
    const from = generation ?? this.#generations.live(projection, tenant);
    return this.#guarded(
      () => this.#statements.state.get(projection.number, tenant, from, key) ?? null,
    );
  }

  /**
   * Lists the live states of a projection in the order of their keys, as they are in the file at one moment after the call. Throws `query_budget_exceeded`, `overloaded`, and what
   * SQLite says.
   */
  async list({ projection, ...page }: StatePage): Promise<StateList> {
    if (this.#lists >= LIMITS.stateListsMax)
      throw problem(
        'overloaded',
        `${this.#lists} lists of states are wanted at the moment. Try again.`,
        { limit: LIMITS.stateListsMax },
      );
    const replaced = this.#replaced;
    const job = { file: this.#options.file, projection: projection.number, ...page };
    this.#lists += 1;
    const report = await this.#lister.run(job).finally(() => (this.#lists -= 1));
    if (replaced !== this.#replaced) throw replacedProblem();
    if (report.kind === 'failed') {
      const error = sqliteError(report);
      this.#replaceIfDamaged(error);
      throw error;
    }
    const { count, total } = report;
    return { position: position(report.position), rows: Buffer.from(report.rows), count, total };
  }

  /** Bytes of names, payloads and metadata of a tenant's events. */
  textBytes(tenant: string): number {
    return this.#guarded(() => this.#statements.textBytes.get(tenant)?.textBytes ?? 0);
  }

  /** Empties the store. */
  reset(): void {
    this.#replaceFile();
  }

  async close(): Promise<void> {
    await Promise.all([this.#thread.close(), this.#lister.close()]);
    this.#database.close();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#replaceIfDamaged(error);
      throw error;
    }
  }

  async #guardedAsync(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#replaceIfDamaged(error);
      throw error;
    }
  }

  #replaceIfDamaged(error: unknown): void {
    if (!isDamage(error)) return;
    if (this.#isSaving) this.#damage ??= error;
    else this.#replaceDamaged(error);
  }

  #replaceDamaged(error: unknown): void {
    this.#damage = null;
    this.#options.onSetAside(String(error));
    this.#replaceFile();
  }

  #replaceFile(): void {
    assert(!this.#isSaving, 'a file is not replaced while it is saved');
    this.#replaced += 1;
    this.#database.close();
    setAsideDatabase(this.#options.file);
    const nowMs = this.#options.nowMs();
    this.#database = openProjectionDatabase(this.#options.file, nowMs).database;
    this.#statements = prepareStatements(this.#database);
    this.#generations = new Generations(this.#database);
    this.#position = position(0);
    this.#logId = null;
    this.#createdMs = nowMs;
    this.onReplaced();
  }
}

/** What fails because the file was replaced by an empty one meanwhile. */
export function replacedProblem(): Error {
  return problem(
    'read_behind',
    'The file of the projections was replaced by an empty one, which is being filled.',
  );
}

/** A fault that a thread has met, as this thread would have met it. */
function sqliteError({
  code,
  message,
}: {
  readonly code: string;
  readonly message: string;
}): Error {
  return Object.assign(new RangeError(message), { code });
}

async function beginWriting(database: Database): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      database.exec('BEGIN IMMEDIATE');
      return;
    } catch (error) {
      if (!isBusy(error) || tries >= BUSY_TRIES_MAX) throw error;
      await sleep(BUSY_WAIT_MS);
    }
  }
}

interface Progress {
  readonly logId: string | null;
  readonly position: number;
  readonly createdMs: number;
}

function readProgress(database: Database): Progress {
  const read = database.prepare<[], Progress>(
    'SELECT log_id AS logId, position, created_ms AS createdMs FROM progress',
  );
  return must(read.get(), 'a database that was opened has its progress');
}
