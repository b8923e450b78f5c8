/**
 * Snapshots of all entities of a tenant, taken in the background. A run is answered at once and can be watched; runs of all tenants are worked on
 * one after the other, at a share of the time, with one batch in memory. A run is forgotten with a restart; the snapshots it has kept stay.
 */
import { randomUUID } from 'node:crypto';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { Clock, Position } from '@allsource/shared/model';
import { Turns } from '@allsource/service-kit/turns';
import type { EntityCounts } from './snapshotter.ts';
import type { FoldedSnapshot } from './snapshot.ts';
import { isTooLarge, type Snapshots } from './snapshots.ts';

export interface SnapshotRunsOptions {
  readonly history: { readonly appliedPosition: Position };
  readonly catalog: EntityCounts;
  readonly snapshots: Snapshots;
  readonly clock: Clock;
}

/** How far a run has come. */
export interface SnapshotRun {
  readonly id: string;
  readonly tenant: string;
  status: 'waiting' | 'running' | 'completed' | 'failed';
  /** Entities at the start; more may come while it runs. */
  readonly entityCount: number;
  entitiesDone: number;
  taken: number;
  /** Entities whose newest snapshot is at their version already. */
  unchanged: number;
  /** Entities whose state passes what a snapshot may hold. */
  tooLarge: number;
  readonly createdMs: number;
  completedMs: number | null;
  /** Why it has failed. */
  error: string | null;
}

const WORK_SHARE = 0.3;
const BATCH_SNAPSHOTS = 64;
/** A batch is written in one turn of the event loop. */
const BATCH_BYTES = 1024 * 1024;

export class SnapshotRuns {
  readonly #options: SnapshotRunsOptions;
  /** In the order in which they were asked for. */
  readonly #runs = new Map<string, SnapshotRun>();
  #working: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();

  constructor(options: SnapshotRunsOptions) {
    this.#options = options;
  }

  /** Begins a run. Throws `operation_running` while the tenant has one, and `overloaded` when too many wait. */
  start(tenant: string): SnapshotRun {
    this.#requireRoom(tenant);
    const run: SnapshotRun = {
      id: randomUUID(),
      tenant,
      status: 'waiting',
      entityCount: this.#options.catalog.tenant(tenant).entityCount,
      entitiesDone: 0,
      taken: 0,
      unchanged: 0,
      tooLarge: 0,
      createdMs: this.#nowMs,
      completedMs: null,
      error: null,
    };
    this.#runs.set(run.id, run);
    this.#working = this.#working.then(() => this.#work(run));
    return run;
  }

  /** A run of a tenant; null when there is none of this id. */
  find(tenant: string, id: string): SnapshotRun | null {
    const run = this.#runs.get(id);
    return run?.tenant === tenant ? run : null;
  }

  /** Ends what runs, in the middle. */
  async close(): Promise<void> {
    this.#stop.abort(problem('shutting_down', 'The service stops; begin again later.'));
    await this.#working;
  }

  get #nowMs(): number {
    return this.#options.clock.nowMicros() / 1000;
  }

  #requireRoom(tenant: string): void {
    const open = [...this.#runs.values()].filter(({ completedMs }) => completedMs === null);
    const own = open.find((run) => run.tenant === tenant);
    if (own !== undefined) {
      throw problem(
        'operation_running',
        `Snapshots of all entities are being taken already. Watch run ${own.id}.`,
        { run_id: own.id },
      );
    }
    const limit = LIMITS.snapshotRunsMax;
    if (open.length >= limit)
      throw problem('overloaded', `${limit} runs of snapshots wait; try again later.`, { limit });
    const oldest = [...this.#runs.values()].find(({ completedMs }) => completedMs !== null);
    if (this.#runs.size >= limit && oldest !== undefined) this.#runs.delete(oldest.id);
  }

  async #work(run: SnapshotRun): Promise<void> {
    run.status = 'running';
    try {
      await this.#takeAll(run);
      run.status = 'completed';
    } catch (error) {
      run.status = 'failed';
      run.error = error instanceof Error ? error.message : String(error);
    }
    run.completedMs = this.#nowMs;
  }

  async #takeAll(run: SnapshotRun): Promise<void> {
    const turns = new Turns(WORK_SHARE, this.#stop.signal);
    let drafts: FoldedSnapshot[] = [];
    let bytes = 0;
    const keep = () => {
      this.#options.snapshots.keep(drafts);
      run.taken += drafts.length;
      drafts = [];
      bytes = 0;
    };
    for (const { entity } of this.#options.catalog.tenant(run.tenant).everyEntity()) {
      this.#stop.signal.throwIfAborted();
      const draft = await this.#draftOf(run, entity, turns);
      if (draft !== null) {
        drafts.push(draft);
        bytes += draft.stored.length;
      }
      run.entitiesDone++;
      if (drafts.length >= BATCH_SNAPSHOTS || bytes >= BATCH_BYTES) keep();
      if (turns.isTurnOver) await turns.nextTurn();
    }
    keep();
  }

  // oxlint-disable-next-line eslint/max-params -- the run, one entity of it and the pace.
  async #draftOf(run: SnapshotRun, entity: string, turns: Turns): Promise<FoldedSnapshot | null> {
    const { snapshots, catalog, history } = this.#options;
    const { tenant } = run;
    const count = catalog.tenant(tenant).entityEventCount(entity);
    if (snapshots.newestVersion(tenant, entity) >= count) {
      run.unchanged++;
      return null;
    }
    const untilPosition = history.appliedPosition;
    try {
      return await snapshots.draft({ tenant, entity, kind: 'manual', untilPosition }, turns);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      run.tooLarge++;
      return null;
    }
  }
}
