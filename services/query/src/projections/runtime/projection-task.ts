/**
 * One worker of a build, in its host: opens the file, follows the log into it, saves, answers, reports.
 *
 * It is held or it follows. Held, it has saved everything and reads nothing. What stops it by itself is one of: an event that it is paused at (the failure is in the file), a file
 * that is damaged (it is set aside, and whoever opened the worker opens it again), a file that another worker has taken over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '@allsource/shared/errors';
import type { Frame } from '@allsource/shared/protocol';
import type { CompiledProjection } from '../kinds/compiled-projection.ts';
import { isDamage, setAsideDatabase } from '../projection-database.ts';
import { BuildFile } from './build-file.ts';
import type { BuildProgress } from './build-progress.ts';
import { SummaryOfMoment } from './build-summary.ts';
import type { FairTurns } from './fair-turns.ts';
import { faultText } from './fault-desk.ts';
import { FoldedBuild } from './folded-build.ts';
import type { BuildSummary, TaskAnswer, TaskConfig, TaskJob, TaskReport } from './host-protocol.ts';
import { OneAtATime } from './one-at-a-time.ts';
import { ProjectionFold } from './projection-fold.ts';
import { retryParked } from './retry-parked.ts';
import type { FollowedFeed, SharedFeed } from './shared-feed.ts';

/** How long what was folded may wait for its save while it follows live. */
const SAVE_AFTER_MS = 500;
/** How often it is looked whether the end of the log is reached and core answers. */
const LOOK_MS = 200;
const SAVE_RETRY_MS_MIN = 100;
const SAVE_RETRY_MS_MAX = 5_000;

export interface ProjectionTaskOptions {
  readonly job: TaskJob;
  readonly compiled: CompiledProjection;
  readonly turns: FairTurns;
  readonly feed: SharedFeed;
  readonly nowMs: () => number;
  readonly onReport: (report: TaskReport) => void;
  /** Told once when the file is closed; with why, when nobody asked for it. */
  readonly onClosed: (reason: string | null) => void;
}

interface PendingSummary {
  readonly position: number;
  readonly oneIn: number;
  readonly resolve: (summary: BuildSummary | null) => void;
}

export class ProjectionTask {
  readonly #options: ProjectionTaskOptions;
  readonly #file: BuildFile;
  readonly #build: FoldedBuild;
  readonly #order = new OneAtATime();
  #config: TaskConfig;
  #fold: ProjectionFold | null = null;
  #follower: FollowedFeed | null = null;
  #look: NodeJS.Timeout | null = null;
  #saveTimer: NodeJS.Timeout | null = null;
  #wanted = 0;
  #summary: PendingSummary | null = null;
  #retrying: string | null = null;
  #saveFault: string | null = null;
  #atHeadMs: number | null = null;
  #recordedMs: number | null = null;
  #reported = '';
  #saved: BuildProgress;
  #isClosing = false;
  #closing: Promise<void> | null = null;

  /** Opens the file. Throws what SQLite says. */
  constructor(options: ProjectionTaskOptions) {
    this.#options = options;
    const { file, computes, config } = options.job;
    this.#config = config;
    this.#file = BuildFile.open({ file, computes });
    const { compiled, nowMs } = options;
    this.#build = new FoldedBuild({ file: this.#file, compiled, nowMs });
    this.#saved = this.#build.progress;
    this.#report();
  }

  /** Follows the log. One that has failed goes on only where the definition has changed since. */
  follow(): void {
    const { job, turns, feed } = this.#options;
    const { failure } = this.#build.progress;
    const hasFailed = failure !== null && failure.changedPosition >= this.#config.changedPosition;
    if (this.#follower !== null || this.#isClosing || hasFailed) return this.#report();
    if (failure !== null) this.#build.noteFailure(null);
    const fold = new ProjectionFold({
      build: this.#build,
      tenant: job.tenant,
      eventTypes: job.computed.event_types,
      share: job.share,
      turns,
      config: this.#config,
      order: this.#order,
      save: () => this.#save(),
      onFrame: (frame) => this.#noteFrame(frame),
      onRetrying: (text) => this.#noteRetrying(text),
      onFailed: () => void this.hold(),
      onDamaged: (error) => this.#giveUp(error),
    });
    this.#fold = fold;
    const { coreUrl, internalToken } = job;
    this.#follower = feed.follow({ coreUrl, internalToken }, fold);
    this.#look = setInterval(() => this.#lookAround(), LOOK_MS);
  }

  /** Folds nothing more, and saves. */
  async hold(): Promise<void> {
    const follower = this.#follower;
    this.#fold?.stop();
    this.#follower = null;
    if (this.#look !== null) clearInterval(this.#look);
    if (this.#saveTimer !== null) clearTimeout(this.#saveTimer);
    this.#saveTimer = null;
    this.#answerSummary(null);
    await follower?.close();
    await this.#order.run(() => this.#trySave());
    this.#report();
  }

  tune(config: TaskConfig): void {
    this.#config = config;
    this.#fold?.tune(config);
  }

  /** Saves as soon as a position is reached. */
  want(position: number): void {
    this.#wanted = Math.max(this.#wanted, position);
    if (this.#build.folded >= position && !this.#build.isSaved) this.#saveSoon(0);
  }

  /** Folds parked events again. */
  async retry(entity: string | null): Promise<TaskAnswer> {
    const { job } = this.#options;
    const rest = () => this.#fold?.rest() ?? sleep(0);
    const save = () => this.#save();
    const options = { build: this.#build, file: this.#file, entity, save, rest };
    if (this.#isClosing) return { kind: 'refused', reason: `${job.tenant} is being closed` };
    return await this.#order.run(async () => ({
      kind: 'retried',
      retried: await retryParked(options),
    }));
  }

  /** What it holds at the first end of a frame at or behind a position; null when it is past that, or stops before. */
  summarize({
    position,
    oneIn,
  }: {
    position: number;
    oneIn: number;
  }): Promise<BuildSummary | null> {
    this.#answerSummary(null);
    if (this.#build.folded > position || this.#isClosing) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#summary = { position, oneIn, resolve };
      if (this.#build.folded < position) return;
      // No later frame has to come.
      void this.#order.run(() => this.#holdMoment(this.#build.folded));
    });
  }

  /** Saves and closes the file. */
  close(): Promise<void> {
    this.#isClosing = true;
    this.#closing ??= this.#close(null);
    return this.#closing;
  }

  async #close(fault: unknown): Promise<void> {
    this.#isClosing = true;
    await this.hold();
    this.#file.close();
    this.#options.compiled.close();
    if (isDamage(fault)) setAsideDatabase(this.#options.job.file);
    this.#options.onClosed(fault === null ? null : faultText(fault));
  }

  /** Ends by itself. What is damaged is set aside, so that the next one begins anew. */
  #giveUp(error: unknown): void {
    if (this.#closing !== null) return;
    this.#isClosing = true;
    this.#closing = this.#close(error);
  }

  #noteFrame({ lastPosition, recordedAt }: Frame): Promise<void> | null {
    this.#recordedMs = recordedAt / 1_000;
    const wanted = this.#wanted;
    if (this.#summary !== null && lastPosition >= this.#summary.position)
      return this.#holdMoment(lastPosition);
    if (wanted > 0 && lastPosition >= wanted) this.#saveSoon(0);
    else if (this.#config.saveEvents !== null) this.#saveSoon(SAVE_AFTER_MS);
    return null;
  }

  async #holdMoment(position: number): Promise<void> {
    const pending = this.#summary;
    if (pending === null || position < pending.position || !(await this.#save())) return;
    this.#summary = null;
    const moment = SummaryOfMoment.hold(this.#options.job.file);
    // It is gone through while the folding goes on.
    if (moment === null) pending.resolve(null);
    else moment.take(pending.oneIn).then(pending.resolve, () => pending.resolve(null));
  }

  #answerSummary(summary: BuildSummary | null): void {
    this.#summary?.resolve(summary);
    this.#summary = null;
  }

  #noteRetrying(text: string | null): void {
    this.#retrying = text;
    this.#report();
  }

  /** Sees what no frame says: that the end of the log is reached, or core is away. */
  #lookAround(): void {
    const status = this.#follower?.status;
    if (status === undefined) return;
    const isAtHead = status.hasCaughtUp && status.appliedPosition >= status.knownHead;
    if (isAtHead) {
      this.#atHeadMs = this.#options.nowMs();
      if (!this.#build.progress.isComplete) {
        this.#build.noteComplete();
        this.#saveSoon(0);
      } else if (!this.#build.isSaved) this.#saveSoon(SAVE_AFTER_MS);
    }
    this.#report();
  }

  #saveSoon(afterMs: number): void {
    if (this.#saveTimer !== null) {
      if (afterMs > 0) return;
      clearTimeout(this.#saveTimer);
    }
    this.#saveTimer = setTimeout(() => {
      this.#saveTimer = null;
      void this.#order.run(() => this.#save());
    }, afterMs);
  }

  /** Saves, and tries until the disk takes it; false when it is to stop first. */
  async #save(): Promise<boolean> {
    for (let pauseMs = SAVE_RETRY_MS_MIN; ; pauseMs = Math.min(pauseMs * 2, SAVE_RETRY_MS_MAX)) {
      if (this.#trySave()) return !this.#isClosing;
      if (this.#isClosing || this.#fold?.isStopped === true) return false;
      await sleep(pauseMs);
    }
  }

  #trySave(): boolean {
    try {
      this.#build.save();
      this.#saveFault = null;
      this.#saved = this.#build.progress;
      if (this.#saved.folded >= this.#wanted) this.#wanted = 0;
      this.#report();
      return true;
    } catch (error) {
      if (isDamage(error) || error instanceof Problem) this.#giveUp(error);
      this.#saveFault = `the states cannot be saved: ${faultText(error)}`;
      this.#report();
      return false;
    }
  }

  get #trouble(): string | null {
    const followFault = this.#follower?.status.fault ?? null;
    return this.#saveFault ?? this.#retrying ?? followFault;
  }

  #report(): void {
    const report: TaskReport = {
      progress: this.#saved,
      knownHead: this.#follower?.status.knownHead ?? 0,
      atHeadMs: this.#atHeadMs,
      recordedMs: this.#recordedMs,
      trouble: this.#trouble,
    };
    const text = JSON.stringify(report);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#options.onReport(report);
  }
}
