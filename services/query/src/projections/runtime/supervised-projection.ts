/** One projection of a tenant as it is carried out: its builds, what is said of them, and who waits for them. */
import { problem } from '@allsource/shared/errors';
import { formatTimestamp, micros } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type {
  BuildInfo,
  BuildStatus,
  ProjectionState,
  ProjectionStats,
  ProjectionStatus,
} from '../projection-runtime.ts';
import type { Build } from './build.ts';
import { type BuildCounts, NO_COUNTS } from './build-progress.ts';
import { BuildsOfProjection, type BuildsOptions } from './builds-of-projection.ts';
import { StallWatch } from './stall-watch.ts';
import { TroubleLog } from './trouble-log.ts';

export interface SupervisedOptions extends Omit<BuildsOptions, 'onReport'> {
  /** The newest head of the log that anybody has heard of. */
  readonly head: () => number;
  readonly stalledAfterMs: number;
  /** How long ago the first event behind a position was recorded; null where that is not known. */
  readonly behindMs: (position: number, nowMs: number) => number | null;
}

interface Waiter {
  readonly position: number;
  readonly resolve: (isReached: boolean) => void;
}

export class SupervisedProjection {
  readonly #options: SupervisedOptions;
  readonly #builds: BuildsOfProjection;
  readonly #waiters = new Set<Waiter>();
  /** One for each build that is followed, by its name. */
  #stalls = new Map<string, StallWatch>();
  readonly #troubles: TroubleLog;
  #definition: ProjectionDefinition;
  #isSettling = false;
  #isClosed = false;

  constructor(definition: ProjectionDefinition, options: SupervisedOptions) {
    this.#options = options;
    this.#definition = definition;
    const { tenant, name: projection } = definition;
    this.#troubles = new TroubleLog(options.logger, { tenant, projection });
    this.#builds = new BuildsOfProjection(definition, {
      ...options,
      onReport: () => this.#settleSoon(),
    });
    this.#settle();
  }

  get definition(): ProjectionDefinition {
    return this.#definition;
  }

  /** The build that is read, or will be; null when there is none yet. */
  get read(): Build | null {
    const { live, lost, target } = this.#builds;
    return live ?? lost ?? target;
  }

  /** Carries out another definition of it. */
  change(definition: ProjectionDefinition): void {
    if (definition.changed_position === this.#definition.changed_position) return;
    this.#definition = definition;
    this.#settle();
  }

  /** Looks at the time: for what is due, and for what stands still. */
  look(): void {
    const { head, nowMs } = this.#options;
    const isWorking = this.#definition.wanted === 'running' && this.#failure === null;
    const stalls = new Map<string, StallWatch>();
    for (const { id, folded, isComplete } of this.#followed) {
      const watch = this.#stalls.get(id) ?? new StallWatch(this.#options.stalledAfterMs);
      const isBehind = isWorking && (folded < head() || !isComplete);
      watch.look({ nowMs: nowMs(), at: folded, isBehind });
      stalls.set(id, watch);
    }
    this.#stalls = stalls;
    this.#settle();
    this.#troubles.note({ failure: this.#failure, stalledReason: this.#stallReason });
  }

  /** The build to read. Throws `read_behind` while there is none. */
  readable(): Build {
    const { live } = this.#builds;
    if (live !== null) return live;
    const { tenant, name, wanted } = this.#definition;
    const build = this.#builds.lost ?? this.#builds.target;
    const head = Math.max(this.#options.head(), build?.knownHead ?? 0);
    const text =
      build === null
        ? 'has not been started'
        : `is being built: it stands at position ${build.folded} of ${head}${wanted === 'running' ? '' : `, and is ${wanted}`}`;
    throw problem('read_behind', `The projection ${name} of tenant ${tenant} ${text}.`, {
      position: build?.folded ?? 0,
      head,
    });
  }

  /** Resolves true when what is read is true at a position. */
  waitFor(position: number, signal: AbortSignal): Promise<boolean> {
    if (this.#isReached(position)) return Promise.resolve(true);
    if (signal.aborted || this.#isIdle) return Promise.resolve(false);
    return new Promise((done) => {
      const end = () => waiter.resolve(false);
      const waiter = {
        position,
        resolve: (isReached: boolean) => {
          this.#waiters.delete(waiter);
          signal.removeEventListener('abort', end);
          done(isReached);
        },
      };
      signal.addEventListener('abort', end, { once: true });
      this.#waiters.add(waiter);
      this.#builds.live?.want(position);
    });
  }

  state(): ProjectionState {
    const { head } = this.#options;
    const { live } = this.#builds;
    const { read } = this;
    const progress = read?.progress;
    const newest = Math.max(head(), read?.knownHead ?? 0);
    const position = read?.folded ?? 0;
    const lag = Math.max(0, newest - position);
    const failure = this.#failure;
    const status = this.#status(failure);
    const reason = this.#stallReason;
    return {
      status,
      is_stalled: reason !== null,
      stalled_reason: reason,
      failure,
      live_build: live?.spec.build ?? null,
      position,
      lag_events: lag,
      lag_seconds: lag === 0 ? 0 : Math.round(this.#behindMs(position) / 100) / 10,
      stats: statsOf(progress?.counts ?? NO_COUNTS),
      builds: this.#builds.all.map((build) => this.#infoOf(build)),
      parked_entities: progress?.parkedEntities ?? 0,
      parked_events: progress?.parkedEvents ?? 0,
      restarts: this.#builds.all.reduce((sum, { crashes }) => sum + crashes, 0),
    };
  }

  /** Where the history does not know, how old what is read may be at most. */
  #behindMs(position: number): number {
    const now = this.#options.nowMs();
    return this.#options.behindMs(position, now) ?? this.read?.ageMs(now) ?? 0;
  }

  async forget(): Promise<void> {
    await this.#builds.forget();
    this.#settleSoon();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const waiter of this.#waiters) waiter.resolve(false);
    await this.#builds.close();
  }

  #settleSoon(): void {
    if (this.#isSettling || this.#isClosed) return;
    this.#isSettling = true;
    setImmediate(() => {
      this.#isSettling = false;
      if (!this.#isClosed) this.#settle();
    });
  }

  #settle(): void {
    try {
      this.#builds.settle(this.#definition);
    } catch (error) {
      // The record could not be written; the next look tries again.
      const { tenant, name } = this.#definition;
      this.#options.logger.error({ err: error, tenant, name }, 'a projection could not be settled');
    }
    for (const waiter of this.#waiters) {
      if (this.#isReached(waiter.position)) waiter.resolve(true);
      else if (this.#isIdle) waiter.resolve(false);
      else this.#builds.live?.want(waiter.position);
    }
  }

  #isReached(position: number): boolean {
    const { live } = this.#builds;
    return live !== null && live.folded >= position;
  }

  /** True when nothing is being done that could bring it forward. */
  get #isIdle(): boolean {
    return (
      this.#definition.wanted !== 'running' ||
      (this.#builds.live?.progress.failure ?? null) !== null
    );
  }

  get #followed(): Build[] {
    const { live, target, lost } = this.#builds;
    return [live ?? lost, target].filter((build) => build !== null);
  }

  get #failure(): string | null {
    const { pinned_build: pinned } = this.#definition;
    const { live } = this.#builds;
    for (const build of this.#followed) {
      const { failure } = build.progress;
      // A build that was rolled back from may fail without harm.
      if (failure === null || (pinned !== null && build.spec.build !== pinned && live !== null))
        continue;
      const at =
        failure.eventId === null
          ? ''
          : ` at position ${failure.position}, event ${failure.eventId}`;
      const read = live === null || live === build ? '' : `; build ${live.spec.build} is read on`;
      return `build ${build.spec.build}${at}: ${failure.reason}${read}`;
    }
    return null;
  }

  /** Why a build that is followed does not get on; null when all do. */
  get #stallReason(): string | null {
    for (const build of this.#followed) {
      const watch = this.#stalls.get(build.id);
      if (watch?.isStalled !== true) continue;
      const seconds = Math.round(watch.stillMs(this.#options.nowMs()) / 1_000);
      return build.trouble ?? `no event was folded for ${seconds} s, and nothing says why`;
    }
    return null;
  }

  #status(failure: string | null): ProjectionStatus {
    const { wanted, pinned_build: pinned } = this.#definition;
    if (wanted !== 'running') return wanted;
    if (failure !== null) return 'failed';
    const { live, target } = this.#builds;
    if (live === null) return 'rebuilding';
    return live === target || pinned !== null ? 'running' : 'rebuilding';
  }

  #infoOf(build: Build): BuildInfo {
    const { folded: position, shownRows: rows, failure } = build.progress;
    const { compared, note } = this.#builds.noted(build.id);
    const { build: number, workers } = build.spec;
    const status = this.#buildStatus(build);
    return {
      build: number,
      status,
      position,
      rows,
      workers,
      compared,
      note: failure?.reason ?? note,
    };
  }

  #buildStatus(build: Build): BuildStatus {
    if (build === this.#builds.live) return 'live';
    if (build.progress.failure !== null) return 'failed';
    if (build === this.#builds.previous && build !== this.#builds.target) return 'previous';
    return build.isComplete ? 'ready' : 'building';
  }
}

function statsOf(counts: BuildCounts): ProjectionStats {
  const { processed, foldingMicros } = counts;
  return {
    events_processed: processed,
    last_event_at: timeText(counts.lastEventMicros),
    last_checkpoint_at: timeText(counts.savedMs === null ? null : counts.savedMs * 1_000),
    error_count: counts.errors,
    skipped_count: counts.skipped,
    last_error: counts.lastError,
    last_error_at: timeText(counts.lastErrorMs === null ? null : counts.lastErrorMs * 1_000),
    total_ms: Math.round(foldingMicros / 1_000),
    avg_us: processed === 0 ? 0 : Math.round((foldingMicros / processed) * 10) / 10,
  };
}

function timeText(at: number | null): string | null {
  return at === null ? null : formatTimestamp(micros(Math.round(at)));
}
