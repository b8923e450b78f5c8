import type { Database as Connection, Statement } from 'better-sqlite3';
import { LIMITS } from '@allsource/shared/limits';
import type { OutputId } from './pipeline-file.ts';

/** Events that are appended together. They stay together whenever the append is tried again. */
export interface EmitBatch {
  readonly number: number;
  readonly entries: readonly (OutputId & { readonly body: string })[];
}

/** A delivery that is due. */
export interface Delivery extends OutputId {
  readonly route: string;
  readonly body: string;
  readonly attempts: number;
}

/** With the kinds named, the index over kind and status is used. */
const ANY_KIND = "kind IN ('emit', 'webhook')";

type PendingRow = OutputId & { readonly body: string };

/** What waits in the file of a pipeline to be written into the log or delivered. */
export class Outbox {
  readonly #database: Connection;
  readonly #begun: Statement<[], { readonly batch: number | null }>;
  readonly #ofBatch: Statement<[number], PendingRow>;
  readonly #next: Statement<[number], PendingRow>;
  readonly #assign: Statement<[number, number, number]>;
  readonly #due: Statement<[number, number], Delivery>;
  readonly #pending: Statement<[], { readonly count: number }>;
  readonly #dead: Statement<[], { readonly count: number }>;
  #batches: number;

  constructor(database: Connection) {
    this.#database = database;
    this.#begun = database.prepare(
      `SELECT min(batch) AS batch FROM outbox WHERE kind = 'emit' AND status = 'pending'`,
    );
    this.#ofBatch = database.prepare(
      `SELECT position, ordinal, body FROM outbox WHERE kind = 'emit' AND status = 'pending' AND batch = ?
       ORDER BY position, ordinal`,
    );
    this.#next = database.prepare(
      `SELECT position, ordinal, body FROM outbox WHERE kind = 'emit' AND status = 'pending' AND batch IS NULL
       ORDER BY position, ordinal LIMIT ?`,
    );
    this.#assign = database.prepare(
      'UPDATE outbox SET batch = ? WHERE position = ? AND ordinal = ?',
    );
    this.#due = database.prepare(
      `SELECT position, ordinal, route, body, attempts FROM outbox
       WHERE kind = 'webhook' AND status = 'pending' AND due_ms <= ?
       ORDER BY due_ms, position, ordinal LIMIT ?`,
    );
    this.#pending = database.prepare(
      `SELECT count(*) AS count FROM outbox WHERE ${ANY_KIND} AND status = 'pending'`,
    );
    this.#dead = database.prepare(
      `SELECT count(*) AS count FROM outbox WHERE ${ANY_KIND} AND status = 'dead'`,
    );
    this.#batches =
      database
        .prepare<[], { readonly last: number }>(
          'SELECT coalesce(max(batch), 0) AS last FROM outbox',
        )
        .get()?.last ?? 0;
  }

  /** The number of outputs that wait, dead letters left out. */
  get pendingCount(): number {
    return this.#pending.get()?.count ?? 0;
  }

  /** How many outputs wait, and how many are dead letters. */
  counts(): { readonly pending: number; readonly dead: number } {
    const pending = this.pendingCount;
    const dead = this.#dead.get()?.count ?? 0;
    return { pending, dead };
  }

  /** The events to append next: those that were begun before a restart, else the oldest. Null when there are none. */
  nextBatch(): EmitBatch | null {
    const begun = this.#begun.get()?.batch ?? null;
    if (begun !== null) return { number: begun, entries: this.#ofBatch.all(begun) };
    const entries = upToBytes(this.#next.all(LIMITS.pipelineAppendEventsMax));
    if (entries.length === 0) return null;
    this.#batches += 1;
    const number = this.#batches;
    this.#transaction(() => {
      for (const { position, ordinal } of entries) this.#assign.run(number, position, ordinal);
    });
    return { number, entries };
  }

  /** Cuts a batch that was refused into single events, so that only those that cannot be stored are left over. */
  cut({ entries }: EmitBatch): void {
    this.#transaction(() => {
      for (const { position, ordinal } of entries) {
        this.#batches += 1;
        this.#assign.run(this.#batches, position, ordinal);
      }
    });
  }

  /** Lets the events of batches be put together anew. */
  dissolve(): void {
    this.#database.exec(
      `UPDATE outbox SET batch = NULL WHERE kind = 'emit' AND status = 'pending'`,
    );
  }

  /** Deliveries whose time has come. */
  dueDeliveries(nowMs: number, limit: number): Delivery[] {
    return this.#due.all(nowMs, limit);
  }

  /** When the next delivery is due, in milliseconds; null when none waits. */
  nextDueMs(): number | null {
    const next = this.#database.prepare<[], { readonly due: number | null }>(
      `SELECT min(due_ms) AS due FROM outbox WHERE kind = 'webhook' AND status = 'pending'`,
    );
    return next.get()?.due ?? null;
  }

  /** Takes away what was written or delivered, and counts it. */
  settle(outputs: readonly OutputId[], counter: 'emitted' | 'delivered'): void {
    const drop = this.#database.prepare<[number, number]>(
      'DELETE FROM outbox WHERE position = ? AND ordinal = ?',
    );
    const count = this.#database.prepare<[number]>(
      `UPDATE progress SET ${counter} = ${counter} + ?`,
    );
    this.#transaction(() => {
      let changes = 0;
      for (const { position, ordinal } of outputs) changes += drop.run(position, ordinal).changes;
      count.run(changes);
    });
  }

  /** Tries again later. */
  postpone(
    { position, ordinal }: OutputId,
    again: { readonly dueMs: number; readonly error: string },
  ): void {
    this.#database
      .prepare<[number, string, number, number]>(
        'UPDATE outbox SET attempts = attempts + 1, due_ms = ?, error = ? WHERE position = ? AND ordinal = ?',
      )
      .run(Math.ceil(again.dueMs), again.error, position, ordinal);
  }

  /** Puts an output among the dead letters. */
  bury({ position, ordinal }: OutputId, error: string): void {
    this.#database
      .prepare<[string, number, number]>(
        `UPDATE outbox SET status = 'dead', attempts = attempts + 1, error = ?, batch = NULL
         WHERE position = ? AND ordinal = ?`,
      )
      .run(error, position, ordinal);
  }

  /** Lets dead letters be tried again: all, or one. Returns how many. */
  revive(one: OutputId | null): number {
    const revived = `UPDATE outbox SET status = 'pending', attempts = 0, due_ms = 0 WHERE status = 'dead'`;
    if (one === null) return this.#database.prepare(revived).run().changes;
    const only = this.#database.prepare<[number, number]>(
      `${revived} AND position = ? AND ordinal = ?`,
    );
    return only.run(one.position, one.ordinal).changes;
  }

  #transaction(work: () => void): void {
    this.#database.transaction(work).immediate();
  }
}

function upToBytes(rows: readonly PendingRow[]): PendingRow[] {
  const taken: PendingRow[] = [];
  let bytes = 0;
  for (const row of rows) {
    bytes += row.body.length;
    if (taken.length > 0 && bytes > LIMITS.pipelineAppendBytesMax) break;
    taken.push(row);
  }
  return taken;
}
