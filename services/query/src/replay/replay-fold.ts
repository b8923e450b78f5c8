/**
 * Folds the log into a target that nobody reads, up to the position that it is told, and there waits until it is told another one.
 *
 * Promise: the target holds exactly the matching events up to its position, each once, whatever happens to the connection to core or to the process.
 * The follower brings whole frames in order from the sink's own position, which after a restart is that of the target.
 *
 * Ordering: frames are folded in memory, key by key, and saved with their position in one transaction when enough has come together or the limit is
 * reached. Between batches the process looks at its commands.
 *
 * Failure: an error of the target ends the replay; nothing is tried again on half of a batch.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Deferred, deferred } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';
import type { KeyFold, Projection } from '../projections/projection.ts';
import type { FoldTarget, TargetState } from './fold-target.ts';
import { shareOfKey } from './key-share.ts';
import { eventMatcher, type ReplayFilter } from './replay-filter.ts';

/** Bytes of frames and opened states held before they are saved. */
const BYTES_MAX = 96 * 1024 * 1024;
/** What an event costs that is only passed over, in folded ones. */
const PASSED_COST = 1 / 8;
/** Waits shorter than this are saved up: a timer is late by about a millisecond. */
const SLEEP_MS_MIN = 5;

export interface ReplayFoldOptions {
  readonly target: FoldTarget;
  readonly logId: string | null;
  readonly tenant: string;
  readonly projections: readonly Projection[];
  readonly filter: ReplayFilter;
  readonly share: { readonly index: number; readonly count: number };
  readonly batchEvents: number;
  /** Events folded in a second, at most; one that is passed over counts an eighth. */
  readonly eventsPerSecond: number;
  /** Told after each batch. */
  readonly onBatch: () => void;
  /** Told once when the limit is reached and everything up to it is saved. */
  readonly onReached: () => void;
  /** Told when the target fails, or core's log is not the one that was begun with. */
  readonly onFailed: (error: Error) => void;
}

interface FoldsOfProjection {
  readonly projection: Projection;
  readonly byKey: Map<string, KeyFold>;
}

export class ReplayFold implements FrameSink {
  readonly #options: ReplayFoldOptions;
  readonly #tenant: Buffer;
  readonly #isWanted: (event: FrameEvent) => boolean;
  readonly #folds: readonly FoldsOfProjection[];
  #target: FoldTarget;
  #position: Position;
  #processed: number;
  #logId: string | null;
  #keyCount = 0;
  #bytes = 0;
  #sinceTurn = 0;
  /** Folded since the last turn. */
  #folded = 0;
  /** When the next batch may begin. */
  #dueMs = 0;
  #limit = 0;
  #isTold = true;
  #raised: Deferred<void> | null = null;
  #isStopped = false;

  constructor(options: ReplayFoldOptions) {
    this.#options = options;
    this.#tenant = Buffer.from(options.tenant);
    this.#isWanted = eventMatcher(options.filter);
    this.#folds = options.projections.map((projection) => ({ projection, byKey: new Map() }));
    this.#target = options.target;
    this.#position = position(options.target.position);
    this.#processed = options.target.processed;
    this.#logId = options.logId;
  }

  get appliedPosition(): Position {
    return this.#position;
  }

  get logId(): string | null {
    return this.#logId;
  }

  /** Matching events folded. */
  get processed(): number {
    return this.#processed;
  }

  /** Folds on up to a position, which may have been reached already. */
  foldTo(limit: number): void {
    this.#limit = limit;
    this.#isTold = false;
    this.#raised?.resolve();
    this.#raised = null;
    this.#guarded(() => this.#noteLimit());
  }

  /** Goes on in another target, which holds what this one held. Only when the limit has been reached. */
  moveTo(target: FoldTarget): void {
    this.#target = target;
  }

  /** Folds nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#raised?.resolve();
  }

  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    this.#logId = logId;
    for (const frame of frames) {
      while (frame.position > this.#limit && !this.#isStopped) await this.#waitForLimit();
      if (this.#isStopped) return await never();
      this.#guarded(() => this.#take(frame));
      await this.#turn(frame.eventCount);
    }
  }

  advance(to: Position, logId: string): void {
    this.#logId = logId;
    this.#position = position(Math.max(to, this.#position));
    this.#guarded(() => this.#noteLimit());
  }

  reset(): Promise<void> {
    this.#fail(new RangeError("Core's log is another one than when the replay began."));
    return never();
  }

  async #waitForLimit(): Promise<void> {
    this.#raised ??= deferred<void>();
    await this.#raised.promise;
  }

  async #turn(events: number): Promise<void> {
    this.#sinceTurn += events;
    if (this.#sinceTurn < this.#options.batchEvents) return;
    const cost = this.#folded + (this.#sinceTurn - this.#folded) * PASSED_COST;
    this.#sinceTurn = 0;
    this.#folded = 0;
    this.#options.onBatch();
    await this.#pace(cost);
    if (this.#isStopped) await never();
    if (this.#isFull) {
      this.#guarded(() => this.#save());
      if (this.#target.restMs > 0) await sleep(this.#target.restMs);
    }
  }

  async #pace(cost: number): Promise<void> {
    const nowMs = performance.now();
    const timeMs = (cost / this.#options.eventsPerSecond) * 1_000;
    this.#dueMs = Math.max(this.#dueMs, nowMs - SLEEP_MS_MIN) + timeMs;
    if (this.#dueMs - nowMs < SLEEP_MS_MIN) await nextTurn();
    else await sleep(this.#dueMs - nowMs);
  }

  #take(frame: Frame): void {
    if (!frame.isSystem && frame.tenantBytes.equals(this.#tenant)) {
      for (const event of frame.events()) if (this.#isWanted(event)) this.#fold(event);
      this.#bytes += frame.bytes.length;
    }
    this.#position = frame.lastPosition;
    this.#noteLimit();
  }

  #fold(event: FrameEvent): void {
    const { index, count } = this.#options.share;
    if (count === 1 || event.partition % count === index) this.#processed += 1;
    let isFolded = false;
    for (const folds of this.#folds) {
      const key = folds.projection.keyOf(event);
      if (count > 1 && shareOfKey(key, count) !== index) continue;
      isFolded = true;
      (folds.byKey.get(key) ?? this.#open(folds, { key, event })).add(event);
    }
    if (isFolded) this.#folded += 1;
  }

  #open(
    { projection, byKey }: FoldsOfProjection,
    { key, event }: { readonly key: string; readonly event: FrameEvent },
  ): KeyFold {
    const stored = projection.isFirstOfKey(event) ? null : this.#target.state(projection, key);
    const fold = projection.open(stored);
    byKey.set(key, fold);
    this.#keyCount += 1;
    this.#bytes += stored?.state?.length ?? 0;
    return fold;
  }

  get #isFull(): boolean {
    return this.#keyCount >= this.#target.keysMax || this.#bytes >= BYTES_MAX;
  }

  #noteLimit(): void {
    if (this.#isTold || this.#position < this.#limit) return;
    this.#isTold = true;
    this.#save();
    this.#options.onReached();
  }

  #save(): void {
    if (this.#logId === null || this.#position === this.#target.position) return;
    const { logId } = this;
    this.#target.save({
      position: this.#position,
      processed: this.#processed,
      logId: logId ?? '',
      states: this.#statesInOrder(),
    });
    for (const { byKey } of this.#folds) byKey.clear();
    this.#keyCount = 0;
    this.#bytes = 0;
  }

  // Keys in their order meet each page of the file once.
  *#statesInOrder(): Generator<TargetState> {
    for (const { projection, byKey } of this.#folds)
      for (const key of [...byKey.keys()].toSorted())
        yield { projection, key, state: byKey.get(key)?.print() ?? null };
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new TypeError(String(error)));
    }
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#options.onFailed(error);
  }
}

/** A sink that has stopped takes no more frames and refuses none: the process ends. */
function never(): Promise<never> {
  return new Promise(() => {});
}
