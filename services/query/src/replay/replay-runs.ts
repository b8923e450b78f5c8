/**
 * All replays: one runs at a time, the others wait in the order in which they were asked for.
 *
 * Promise: a replay that was accepted has a record until it is deleted or makes room for later ones; one that was under way when the process ended
 * goes on at the next start from what it had saved. A tenant sees and changes its own replays only, and a projection of a tenant is replayed by one at a time.
 *
 * A crash may come between the switch of a generation and the record of it: then the generation is live, and the next start says that the
 * replay is completed.
 *
 * Files: records in `replays.sqlite`; what is being built in `<id>-<share>.sqlite` below `replays`, removed at the end of a replay and, where no open record
 * has them, at the start.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { problem } from '@allsource/shared/errors';
import { assert } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import type { Clock } from '@allsource/shared/model';
import type { Logger } from '@allsource/service-kit/observability';
import type { Projection } from '../projections/projection.ts';
import type { ProjectionFolds } from '../projections/projection-folds.ts';
import { ActiveReplay } from './active-replay.ts';
import { ReplayGenerations } from './replay-generations.ts';
import { isEnded, type ReplayRecord, type ReplayRequest } from './replay-record.ts';
import { ReplayRecords } from './replay-records.ts';
import { ReplayRun, switchedOutcomes } from './replay-run.ts';
import type { CoreAccess } from './replay-processes.ts';
import { wantedProjections } from './wanted-projections.ts';

export interface ReplayRunsOptions {
  /** Of the service. */
  readonly folder: string;
  readonly projectionsFile: string;
  /** Events that a process folds in a second, at most. Setting ALLSOURCE_REPLAY_EVENTS_PER_S. */
  readonly eventsPerSecond: number;
  readonly folds: ProjectionFolds;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told when a replay is accepted, and when it comes to its end or fails. */
  readonly onStep: (step: 'started' | 'completed' | 'failed') => void;
}

export class ReplayRuns {
  readonly #options: ReplayRunsOptions;
  readonly #records: ReplayRecords;
  readonly #generations: ReplayGenerations;
  readonly #active = new Map<string, ActiveReplay>();
  #core: CoreAccess | null = null;
  #running: ActiveReplay | null = null;
  /** Settled when nothing is left of the replays that ended; never rejects. */
  #left: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: ReplayRunsOptions) {
    this.#options = options;
    const { folder, logger } = options;
    this.#records = new ReplayRecords({
      file: join(folder, 'replays.sqlite'),
      onSetAside: (reason) => logger.warn({ reason }, 'the records of replays are set aside'),
    });
    this.#generations = new ReplayGenerations(options);
    for (const record of this.#records.open()) this.#admit(record);
    this.#removeFilesBut(this.#active);
    options.folds.onReplaced = () => this.#interrupt();
  }

  /** Begins to carry out what waits. */
  start(core: CoreAccess): void {
    this.#core = core;
    this.#left = this.#tidy();
    this.#next();
  }

  /**
   * Accepts a replay. Throws `operation_running` when one of the same tenant and projection has not ended. One for an unknown projection is
   * accepted and fails.
   */
  begin(request: ReplayRequest, totalEvents: number): ReplayRecord {
    this.#requireFree(request);
    const now = this.#options.clock.nowMicros();
    const record: ReplayRecord = {
      id: randomUUID(),
      request,
      status: 'pending',
      createdAt: now,
      startedAt: null,
      updatedAt: now,
      completedAt: null,
      totalEvents,
      processedEvents: 0,
      activeMs: 0,
      message: null,
      generation: null,
      outcomes: [],
    };
    this.#records.put(record, false);
    const active = this.#admit(record);
    this.#options.onStep('started');
    this.#next();
    return active.record;
  }

  /** A replay of a tenant, or null. */
  one(tenant: string, id: string): ReplayRecord | null {
    const active = this.#active.get(id);
    if (active !== undefined) return active.record.request.tenant === tenant ? active.record : null;
    return this.#records.one(tenant, id);
  }

  /** The replays of a tenant, the newest first. */
  ofTenant(tenant: string): ReplayRecord[] {
    return this.#records
      .ofTenant(tenant)
      .map((record) => this.#active.get(record.id)?.record ?? record);
  }

  /** The replay of a tenant's projection that has not ended, or null. */
  underWay(tenant: string, projection: string | null): ReplayRecord | null {
    for (const { record } of this.#active.values()) {
      const { request } = record;
      if (request.tenant !== tenant) continue;
      if (request.projection === null || projection === null) return record;
      if (request.projection === projection) return record;
    }
    return null;
  }

  /** Cancels a replay and waits until it has ended; it may have come to its end before. Null when there is none that has not ended. */
  async cancel(tenant: string, id: string): Promise<ReplayRecord | null> {
    const active = this.#active.get(id);
    if (active?.record.request.tenant !== tenant) return null;
    active.isCancelled = true;
    if (active.ending === null) this.#end(active, { status: 'cancelled' });
    else {
      await active.run?.stop();
      await active.ending;
    }
    return active.record;
  }

  /** Removes the record of a replay that has ended. */
  delete(tenant: string, id: string): void {
    assert(!this.#active.has(id), 'a replay that has not ended is not deleted');
    this.#records.delete(tenant, id);
  }

  /** Stops what runs; it goes on at the next start. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const running = this.#running;
    await running?.run?.stop();
    await running?.ending;
    await this.#left;
    await this.#generations.close();
    this.#records.close();
  }

  #admit(record: ReplayRecord): ActiveReplay {
    const active = new ActiveReplay(record, {
      records: this.#records,
      clock: this.#options.clock,
      logger: this.#options.logger,
    });
    this.#active.set(record.id, active);
    return active;
  }

  #requireFree({ tenant, projection }: ReplayRequest): void {
    const other = this.underWay(tenant, projection);
    if (other !== null) {
      throw problem(
        'operation_running',
        `The replay ${other.id} of ${other.request.projection ?? 'all projections'} has not ended. Wait for it or cancel it.`,
        { replay_id: other.id },
      );
    }
    const limit = LIMITS.replaysWaitingMax;
    if (this.#active.size < limit) return;
    throw problem('operation_running', `${limit} replays are waiting already. Try again later.`, {
      limit,
    });
  }

  /** Has everything removed that no open replay builds. */
  async #tidy(): Promise<void> {
    const open = [...this.#active.values()].map(({ record }) => record.generation);
    await this.#generations.dropOthers(new Set(open));
  }

  #next(): void {
    if (this.#running !== null || this.#isClosed || this.#core === null) return;
    const [active] = this.#active.values();
    if (active === undefined) return;
    this.#running = active;
    const now = this.#options.clock.nowMicros();
    active.change({
      status: 'running',
      startedAt: active.record.startedAt ?? now,
      message: null,
    });
    active.save();
    active.ending = this.#toItsEnd(active, this.#core);
  }

  /** The next one is running as soon as this one is known to have ended; its work begins when what this one left is gone. */
  async #toItsEnd(active: ActiveReplay, core: CoreAccess): Promise<void> {
    await this.#left;
    await this.#carryOut(active, core);
    const left = this.#leave(active);
    this.#left = left;
    this.#running = null;
    this.#next();
    await left;
  }

  async #carryOut(active: ActiveReplay, core: CoreAccess): Promise<void> {
    try {
      const projections = wantedProjections(active.record.request.projection);
      const generation = await this.#generations.of(active.record, projections);
      if (generation === 'live') {
        const outcomes = switchedOutcomes(projections, null);
        return this.#end(active, { status: 'completed', outcomes });
      }
      active.change({ generation });
      active.save();
      const isStopped = this.#isClosed || active.isCancelled || active.interruption !== null;
      if (isStopped) throw new RangeError('stopped');
      active.run = this.#run(active, { core, projections, generation });
      const outcomes = await active.run.carryOut();
      this.#end(active, {
        status: 'completed',
        outcomes,
        totalEvents: active.record.processedEvents,
      });
    } catch (error) {
      if (active.isCancelled) this.#end(active, { status: 'cancelled' });
      else if (this.#isClosed) active.save();
      else this.#end(active, { status: 'failed', message: active.interruption ?? reasonOf(error) });
    }
  }

  #run(
    active: ActiveReplay,
    {
      core,
      projections,
      generation,
    }: {
      readonly core: CoreAccess;
      readonly projections: readonly Projection[];
      readonly generation: number | null;
    },
  ): ReplayRun {
    const { folds, projectionsFile, eventsPerSecond, logger } = this.#options;
    const { id, request } = active.record;
    active.beginSession();
    return new ReplayRun({
      id,
      request,
      projections,
      generation,
      folds,
      core,
      folder: this.#shadowFolder,
      projectionsFile,
      eventsPerSecond,
      onProgress: (processed) => active.noteProgress(processed),
      onWaiting: (reason) => active.noteWaiting(reason),
      onStarved: () =>
        logger.warn({ id }, 'a replay had no processor time left to it; it takes some now'),
    });
  }

  /** What a replay leaves when it has ended or is stopped. */
  async #leave(active: ActiveReplay): Promise<void> {
    const { run, record } = active;
    try {
      await run?.stop();
      if (!isEnded(record.status)) return;
      this.#removeFilesBut(this.#active);
      await this.#tidy();
    } catch (error) {
      this.#options.logger.error({ err: error, id: record.id }, 'what a replay left stays');
    }
  }

  /** The file of the projections was replaced by an empty one, which is being filled from the log: what was built for the old one is of no use. */
  #interrupt(): void {
    const running = this.#running;
    if (running === null) return;
    running.interruption =
      'The file of the projections was replaced by an empty one, which is being filled from the log again; that does what the replay was to do.';
    // Whoever carries it out hears of it.
    void running.run?.stop();
  }

  #end(active: ActiveReplay, change: Partial<ReplayRecord>): void {
    active.change({ ...change, completedAt: this.#options.clock.nowMicros() });
    this.#active.delete(active.record.id);
    active.save();
    const { id, status, message, request } = active.record;
    if (status === 'completed' || status === 'failed') this.#options.onStep(status);
    this.#options.logger.info({ id, status, message, tenant: request.tenant }, 'a replay ended');
  }

  get #shadowFolder(): string {
    return join(this.#options.folder, 'replays');
  }

  /** Removes the files of replays that have ended. */
  #removeFilesBut(open: ReadonlyMap<string, unknown>): void {
    mkdirSync(this.#shadowFolder, { recursive: true });
    for (const name of readdirSync(this.#shadowFolder)) {
      const isOpen = [...open.keys()].some((id) => name.startsWith(id));
      if (!isOpen) rmSync(join(this.#shadowFolder, name), { force: true });
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
