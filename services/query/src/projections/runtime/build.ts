import { setAsideDatabase } from '../projection-database.ts';
import type { Merger } from './lazy-merger.ts';
import {
  NO_COUNTS,
  NO_PROGRESS,
  readBuildProgress,
  type BuildCounts,
  type BuildFailure,
  type BuildProgress,
} from './build-progress.ts';
import { BuildReader } from './build-reader.ts';
import { type BuildSpec, buildFile, buildId, computesOf } from './build-spec.ts';
import { openBuildForReading } from './build-tables.ts';
import { BuildWorker, NO_REPORT } from './build-worker.ts';
import type { HostPool } from './host-pool.ts';
import type { BuildSummary, TaskConfig, TaskReport } from './host-protocol.ts';
import type { RetriedParked } from '../projection-runtime.ts';
import { problem } from '@allsource/shared/errors';
import { existsSync, rmSync } from 'node:fs';

/** How core's log is reached. */
export interface CoreAccess {
  readonly coreUrl: string;
  readonly internalToken: string;
}

export interface BuildOptions {
  readonly spec: BuildSpec;
  readonly tenant: string;
  /** How its projection is named in messages. */
  readonly name: string;
  readonly folder: string;
  readonly core: CoreAccess;
  readonly config: TaskConfig;
  readonly pool: HostPool;
  readonly merger: Merger | null;
  readonly onReport: () => void;
}

/** One build of a projection: its workers, and what can be read of what they have folded. */
export class Build {
  readonly spec: BuildSpec;
  readonly id: string;
  readonly reader: BuildReader;
  readonly #options: BuildOptions;
  readonly #files: readonly string[];
  readonly #workers: readonly BuildWorker[];

  constructor(options: BuildOptions) {
    const { spec, folder } = options;
    this.#options = options;
    this.spec = spec;
    this.id = buildId(spec);
    this.#files = Array.from({ length: spec.workers }, (_, index) =>
      buildFile(folder, spec, index),
    );
    this.reader = new BuildReader({
      files: this.#files,
      merger: options.merger,
      onDamaged: () => void this.#renew(),
    });
    this.#workers = this.#files.map((file, index) => this.#worker(file, index));
  }

  /** The least of its workers, the sum of their counts. */
  get progress(): BuildProgress {
    const all = this.#reports.map(({ progress }) => progress);
    const sum = (of: (one: BuildProgress) => number) =>
      all.reduce((total, one) => total + of(one), 0);
    return {
      folded: Math.min(...all.map(({ folded }) => folded)),
      position: Math.min(...all.map(({ position }) => position)),
      logId: all[0]?.logId ?? null,
      isComplete: all.every(({ isComplete }) => isComplete),
      hasSharedKeys: all.some(({ hasSharedKeys }) => hasSharedKeys),
      shownRows: sum(({ shownRows }) => shownRows),
      counts: all.map(({ counts }) => counts).reduce(addCounts, NO_COUNTS),
      failure: this.#failure(all),
      parkedEntities: sum(({ parkedEntities }) => parkedEntities),
      parkedEvents: sum(({ parkedEvents }) => parkedEvents),
    };
  }

  /** True when it may be read: it has once reached the end of the log. */
  get isComplete(): boolean {
    return this.#reports.every(({ progress }) => progress.isComplete);
  }

  get folded(): number {
    return Math.min(...this.#reports.map(({ progress }) => progress.folded));
  }

  get knownHead(): number {
    return Math.max(...this.#reports.map(({ knownHead }) => knownHead));
  }

  /** Why it makes no progress; null when nothing is wrong. */
  get trouble(): string | null {
    return this.#workers.find(({ trouble }) => trouble !== null)?.trouble ?? null;
  }

  get crashes(): number {
    return this.#workers.reduce((sum, { crashes }) => sum + crashes, 0);
  }

  get isFollowing(): boolean {
    return this.#workers.every(({ isFollowing }) => isFollowing);
  }

  /** How old what it holds may be at most, in milliseconds; null while that is not known. */
  ageMs(nowMs: number): number | null {
    const ages = this.#reports.map(({ atHeadMs, recordedMs }) => {
      // What core's clock says of a moment to come says nothing.
      const passedMs = recordedMs !== null && recordedMs <= nowMs ? recordedMs : 0;
      const since = Math.max(atHeadMs ?? 0, passedMs);
      return since === 0 ? null : Math.max(0, nowMs - since);
    });
    return ages.includes(null) ? null : Math.max(...ages.map((age) => age ?? 0));
  }

  follow(): void {
    for (const worker of this.#workers) worker.follow();
  }

  hold(): void {
    for (const worker of this.#workers) worker.hold();
  }

  /** Lets its places in processes go. */
  release(): void {
    for (const worker of this.#workers) worker.release();
  }

  tune(config: TaskConfig): void {
    for (const worker of this.#workers) worker.tune(config);
  }

  /** Has it saved as soon as it stands at a position. */
  want(position: number): void {
    for (const worker of this.#workers) worker.want(position);
  }

  /** What its workers hold at one position; null when they cannot be met there. */
  async summarize(position: number, oneIn: number): Promise<BuildSummary[] | null> {
    const asked = this.#workers.map((worker) => worker.ask({ kind: 'summarize', position, oneIn }));
    const answers = await Promise.all(asked);
    const summaries = answers.flatMap((answer) =>
      answer.kind === 'summary' && answer.summary !== null ? [answer.summary] : [],
    );
    const isMet = summaries.every((one) => one.position === summaries[0]?.position);
    return isMet && summaries.length === answers.length ? summaries : null;
  }

  /** Folds parked events again. Throws `upstream_unavailable` when nobody is there to do it. */
  async retryParked(entity: string | null): Promise<RetriedParked> {
    const retried = { entities_freed: 0, events_folded: 0, entities_parked: 0 };
    const asked = this.#workers.map((worker) => worker.ask({ kind: 'retry', entity }));
    for (const answer of await Promise.all(asked)) {
      if (answer.kind === 'refused') throw problem('upstream_unavailable', answer.reason);
      if (answer.kind !== 'retried') continue;
      retried.entities_freed += answer.retried.entities_freed;
      retried.events_folded += answer.retried.events_folded;
      retried.entities_parked += answer.retried.entities_parked;
    }
    return retried;
  }

  /** Saves and closes it. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
    this.reader.forget();
  }

  /** Closes it and deletes its files. */
  async remove(): Promise<void> {
    await this.close();
    for (const file of this.#files)
      for (const suffix of ['', '-wal', '-shm', '.set-aside'])
        rmSync(file + suffix, { force: true });
  }

  get #reports(): TaskReport[] {
    return this.#workers.map(({ report }) => report);
  }

  #failure(all: readonly BuildProgress[]): BuildFailure | null {
    const refusal = this.#workers.find((worker) => worker.refusal !== null)?.refusal ?? null;
    if (refusal === null) return all.find(({ failure }) => failure !== null)?.failure ?? null;
    const reason = `the definition cannot be carried out: ${refusal}`;
    return { reason, position: this.folded, eventId: null, changedPosition: 0 };
  }

  #worker(file: string, index: number): BuildWorker {
    const { spec, tenant, name, core, config, pool, onReport } = this.#options;
    const share = { index, count: spec.workers };
    const computes = computesOf(spec);
    return new BuildWorker({
      name: `${name} (build ${this.id}, worker ${index})`,
      job: { file, ...core, tenant, computed: spec.computed, computes, share, config },
      pool,
      first: { ...NO_REPORT, progress: progressInFile(file) },
      onReport,
      onLetGo: () => this.reader.forget(),
    });
  }

  /** Sets the files of all workers aside and has them built again: which one is damaged, only a look at all of them would tell. */
  async #renew(): Promise<void> {
    const renewed = this.#workers.map((worker, index) =>
      worker.renew(() => {
        this.reader.forget();
        const file = this.#files[index];
        if (file !== undefined && existsSync(file)) setAsideDatabase(file);
      }),
    );
    await Promise.all(renewed);
  }
}

function progressInFile(file: string): BuildProgress {
  let database: ReturnType<typeof openBuildForReading> = null;
  try {
    database = openBuildForReading(file);
    return database === null ? NO_PROGRESS : readBuildProgress(database);
  } catch {
    // Whoever opens it for writing finds out what is wrong, and sets it aside.
    return NO_PROGRESS;
  } finally {
    database?.close();
  }
}

function addCounts(sum: BuildCounts, one: BuildCounts): BuildCounts {
  const isLater = (one.lastErrorMs ?? 0) > (sum.lastErrorMs ?? 0);
  return {
    processed: sum.processed + one.processed,
    errors: sum.errors + one.errors,
    skipped: sum.skipped + one.skipped,
    foldingMicros: sum.foldingMicros + one.foldingMicros,
    lastEventMicros: laterOf(sum.lastEventMicros, one.lastEventMicros),
    savedMs: laterOf(sum.savedMs, one.savedMs),
    lastError: isLater ? one.lastError : sum.lastError,
    lastErrorMs: isLater ? one.lastErrorMs : sum.lastErrorMs,
  };
}

function laterOf(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}
