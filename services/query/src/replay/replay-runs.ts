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
import { BUILT_IN_PROJECTIONS, builtInProjection } from '../projections/built-in.ts';
import type { Projection } from '../projections/projection.ts';
import type { ProjectionFolds } from '../projections/projection-folds.ts';
import { GenerationCleaner } from './generation-cleaner.ts';
import { isUnfiltered } from './replay-filter.ts';
import { isEnded, type ReplayRecord, type ReplayRequest } from './replay-record.ts';
import { ReplayRecords } from './replay-records.ts';
import { type CoreAccess, ReplayRun } from './replay-run.ts';

/** How often the progress of a running replay is written down. */
const SAVE_EVERY_MS = 1_000;

export interface ReplayRunsOptions {
  /** Of the service. */
  readonly folder: string;
  readonly projectionsFile: string;
  /** Events that a thread folds in a second, at most. Setting ALLSOURCE_REPLAY_EVENTS_PER_S. */
  readonly eventsPerSecond: number;
  readonly folds: ProjectionFolds;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A replay that has not ended. */
interface Active {
  record: ReplayRecord;
  run: ReplayRun | null;
  isCancelled: boolean;
  /** Why it cannot go on, if so. */
  interruption: string | null;
  savedMs: number;
  /** Set while it is being carried out. */
  ending: Promise<void> | null;
}

export class ReplayRuns {
  readonly #options: ReplayRunsOptions;
  readonly #records: ReplayRecords;
  readonly #cleaner: GenerationCleaner;
  readonly #active = new Map<string, Active>();
  #core: CoreAccess | null = null;
  #running: Active | null = null;
  #isClosed = false;

  constructor(options: ReplayRunsOptions) {
    this.#options = options;
    const { folder, logger, projectionsFile: file } = options;
    this.#records = new ReplayRecords({
      file: join(folder, 'replays.sqlite'),
      onSetAside: (reason) => logger.warn({ reason }, 'the records of replays are set aside'),
    });
    const onFailed = (error: unknown) =>
      logger.error({ err: error }, 'old states of projections could not be removed');
    this.#cleaner = new GenerationCleaner({ file, onFailed });
    for (const record of this.#records.open()) this.#admit(record);
    this.#removeStrayFiles();
    options.folds.onReplaced = () => this.#interrupt();
  }

  /** Begins to carry out what waits. */
  start(core: CoreAccess): void {
    this.#core = core;
    void this.#tidy().then(() => this.#next());
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
    await this.#cleaner.close();
    this.#records.close();
  }

  #admit(record: ReplayRecord): Active {
    const active: Active = {
      record,
      run: null,
      isCancelled: false,
      interruption: null,
      savedMs: 0,
      ending: null,
    };
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

  #next(): void {
    if (this.#running !== null || this.#isClosed || this.#core === null) return;
    const [active] = this.#active.values();
    if (active === undefined) return;
    this.#running = active;
    const now = this.#options.clock.nowMicros();
    this.#change(active, {
      status: 'running',
      startedAt: active.record.startedAt ?? now,
      message: null,
    });
    this.#save(active);
    active.ending = this.#toItsEnd(active, this.#core);
  }

  async #toItsEnd(active: Active, core: CoreAccess): Promise<void> {
    await this.#carryOut(active, core);
    await this.#leave(active);
    this.#running = null;
    this.#next();
  }

  async #carryOut(active: Active, core: CoreAccess): Promise<void> {
    try {
      const projections = wantedProjections(active.record.request);
      const generation = await this.#generationOf(active, projections);
      if (generation === 'live') return this.#end(active, { status: 'completed' });
      if (this.#isClosed || active.isCancelled) throw new RangeError('stopped');
      active.run = this.#run(active, { core, projections, generation });
      const outcomes = await active.run.carryOut();
      this.#end(active, {
        status: 'completed',
        outcomes,
        totalEvents: active.record.processedEvents,
      });
    } catch (error) {
      if (active.isCancelled) this.#end(active, { status: 'cancelled' });
      else if (this.#isClosed) this.#save(active);
      else this.#end(active, { status: 'failed', message: active.interruption ?? reasonOf(error) });
    }
  }

  /** The generation to build: the one begun before a restart, a new one, null for a filtered replay; `live` when it has been switched already. */
  async #generationOf(
    active: Active,
    projections: readonly Projection[],
  ): Promise<number | 'live' | null> {
    const { request, generation } = active.record;
    if (!isUnfiltered(request.filter)) return null;
    const begun = await this.#options.folds.exclusively(async (store) => {
      if (generation !== null && store.generations.isLive(generation)) return 'live';
      if (generation !== null && store.generations.building().has(generation)) return generation;
      return await store.beginGeneration(request.tenant, projections);
    });
    if (begun !== 'live' && begun !== generation) {
      this.#change(active, { generation: begun });
      this.#save(active);
    }
    return begun;
  }

  #run(
    active: Active,
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
    const { folds, projectionsFile, eventsPerSecond } = this.#options;
    const { id, request, activeMs } = active.record;
    const startedMs = performance.now();
    const note = (change: Partial<ReplayRecord>) => {
      const ranMs = performance.now() - startedMs;
      this.#change(active, { ...change, activeMs: activeMs + ranMs });
      if (performance.now() - active.savedMs >= SAVE_EVERY_MS) this.#save(active);
    };
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
      onProgress: (processed) => note(progressOf(active.record, processed)),
      onWaiting: (reason) => note({ message: reason }),
    });
  }

  /** What a replay leaves when it has ended or is stopped. */
  async #leave(active: Active): Promise<void> {
    const { run, record } = active;
    await run?.stop();
    if (!isEnded(record.status)) return;
    run?.removeFiles();
    await this.#tidy();
  }

  /** Drops what no open replay builds, and has it removed. */
  async #tidy(): Promise<void> {
    const { folds, logger } = this.#options;
    const open = new Set([...this.#active.values()].map(({ record }) => record.generation));
    try {
      const isLeft = await folds.exclusively(async (store) => {
        for (const generation of store.generations.building())
          if (!open.has(generation)) await store.dropGeneration(generation);
        return store.generations.hasDropped();
      });
      if (isLeft) this.#cleaner.clean();
    } catch (error) {
      logger.error({ err: error }, 'old states of projections could not be dropped');
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

  #end(active: Active, change: Partial<ReplayRecord>): void {
    this.#change(active, { ...change, completedAt: this.#options.clock.nowMicros() });
    this.#active.delete(active.record.id);
    this.#save(active);
    const { id, status, message, request } = active.record;
    this.#options.logger.info({ id, status, message, tenant: request.tenant }, 'a replay ended');
  }

  #change(active: Active, change: Partial<ReplayRecord>): void {
    active.record = {
      ...active.record,
      ...change,
      updatedAt: this.#options.clock.nowMicros(),
    };
  }

  /** Writes the record down. A disk that refuses ends no replay: an older record makes the next start do something again. */
  #save(active: Active): void {
    active.savedMs = performance.now();
    try {
      this.#records.put(active.record, isEnded(active.record.status));
    } catch (error) {
      const { id } = active.record;
      this.#options.logger.error({ err: error, id }, 'the record of a replay could not be written');
    }
  }

  get #shadowFolder(): string {
    return join(this.#options.folder, 'replays');
  }

  #removeStrayFiles(): void {
    mkdirSync(this.#shadowFolder, { recursive: true });
    for (const name of readdirSync(this.#shadowFolder)) {
      const isOpen = [...this.#active.keys()].some((id) => name.startsWith(id));
      if (!isOpen) rmSync(join(this.#shadowFolder, name), { force: true });
    }
  }
}

function wantedProjections({ projection: name }: ReplayRequest): readonly Projection[] {
  if (name === null) return BUILT_IN_PROJECTIONS;
  const projection = builtInProjection(name);
  if (projection === null) throw new RangeError(unknownProjection(name));
  return [projection];
}

/** What is said of a name that is no projection of the store. */
export function unknownProjection(name: string): string {
  const known = BUILT_IN_PROJECTIONS.map((projection) => projection.name).join(', ');
  return `There is no projection '${name}' of the store itself; there are ${known}.`;
}

/** Events may come in while a replay runs, so there can be more than were counted. */
function progressOf({ totalEvents }: ReplayRecord, processed: number): Partial<ReplayRecord> {
  return {
    processedEvents: processed,
    totalEvents: Math.max(totalEvents, processed),
    message: null,
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
