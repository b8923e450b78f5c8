/**
 * Folds the log into the projections: in memory first, and from there into the file, many events at a time.
 *
 * Promise: a read sees every event up to `appliedPosition`, and each event counts once, also after a crash. What has been folded since the last
 * save is held in memory, key by key, and answers before the file does; a save writes all of it and its position in one transaction.
 * After a crash the file names its own position, and the follower brings what was only in memory.
 *
 * Why not write each commit: events touch entities at random, so a small transaction writes a page of the file for nearly every event. A
 * large one writes each page once for many.
 *
 * Ordering: folding and saving are done one at a time; a list is read out of the file behind a save. The event loop turns within them, also within a frame, so that a long catch-up does not hold up
 * requests. A single state can be read at any turn; who must not see half a frame reads with `whole`.
 *
 * Failure: when a save fails, what is in memory stays and answers; the next frames are refused until a save succeeds. When the file turns
 * out to be damaged it begins anew, memory is let go, and the follower brings everything again.
 */
import { problem } from '@allsource/shared/errors';
import { type Deferred, deferred } from '@allsource/shared/lang';
import type { Position } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';
import { Turns } from '@allsource/service-kit/turns';
import { textBytesOf } from './frame-stretches.ts';
import { KeptFrames } from './kept-frames.ts';
import type { KeyFold, Projection } from './projection.ts';
import {
  type KeyedState,
  type ProjectionStore,
  replacedProblem,
  type StateList,
  type StatePage,
  type StoredState,
} from './projection-store.ts';

/** Keys held in memory before they are saved; about 1 KB each. */
const KEYS_MAX = 65_536;
/** Bytes of frames folded, and of states opened, before they are saved: bounds the memory of large payloads. */
const BYTES_MAX = 32 * 1024 * 1024;
/** How long a change may wait in memory before it is saved. */
const SAVE_AFTER_MS = 500;

export interface ProjectionFoldsOptions {
  readonly store: ProjectionStore;
  readonly projections: readonly Projection[];
  /** Told of each stretch of frames that was folded. */
  readonly onFolded: (stretch: {
    readonly frames: readonly Frame[];
    readonly eventCount: number;
    readonly durationMs: number;
  }) => void;
  /** Told when a save fails that nobody waits for. */
  readonly onSaveFailed: (error: unknown) => void;
}

interface FoldsOfTenant {
  readonly tenant: string;
  readonly projection: Projection;
  readonly byKey: Map<string, KeyFold>;
}

export class ProjectionFolds implements FrameSink {
  readonly #options: ProjectionFoldsOptions;
  /** What has been folded since the last save, by tenant. */
  #folds = new Map<string, FoldsOfTenant[]>();
  #textBytes = new Map<string, number>();
  #keyCount = 0;
  #bytes = 0;
  #position: Position;
  #logId: string | null;
  /** The end of what is being done; the next begins after it. */
  #busy: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  #halfFrame: Deferred<void> | null = null;
  /** How often what is in memory was let go of. */
  #emptied = 0;
  readonly #kept = new Set<KeptFrames>();
  /** Called when everything is let go of, because the file was replaced by an empty one. */
  onReplaced: () => void = () => {};

  constructor(options: ProjectionFoldsOptions) {
    this.#options = options;
    this.#position = options.store.position;
    this.#logId = options.store.logId;
    options.store.onReplaced = () => {
      this.#forget();
      this.onReplaced();
    };
  }

  get appliedPosition(): Position {
    return this.#position;
  }

  get logId(): string | null {
    return this.#logId;
  }

  apply(frames: readonly Frame[], logId: string): Promise<void> {
    return this.#alone(async () => {
      try {
        await this.#foldAll(frames, logId);
      } finally {
        this.#endFrame();
      }
      this.#saveLater();
    });
  }

  advance(position: Position, logId: string): Promise<void> {
    return this.#alone(() => {
      this.#position = position;
      this.#logId = logId;
      this.#saveLater();
    });
  }

  reset(): Promise<void> {
    return this.#alone(() => this.#options.store.reset());
  }

  /** Reads when no frame is folded to a part: all that is read in one call is true at `appliedPosition`. */
  async whole<T>(read: () => T): Promise<T> {
    while (this.#halfFrame !== null) await this.#halfFrame.promise;
    return read();
  }

  /** The state of a key, or null when there is none. */
  state(projection: Projection, tenant: string, key: string): StoredState | null {
    const folds = this.#folds.get(tenant)?.find((one) => one.projection === projection);
    const fold = folds?.byKey.get(key);
    return fold === undefined
      ? this.#options.store.state(projection, tenant, { key })
      : { key, state: fold.print() };
  }

  /** States in the order of their keys, true at a position that is not before the one applied now. */
  async list(page: StatePage): Promise<StateList> {
    await this.#alone(() => this.#save());
    return await this.#options.store.list(page);
  }

  /**
   * Does something while everything folded so far is in the file and nothing is folded or saved: states can be read. It must be
   * short, because what it holds up are reads of the newest events.
   */
  exclusively<T>(work: (store: ProjectionStore) => Promise<T>): Promise<T> {
    return this.#alone(async () => {
      await this.#save();
      return await work(this.#options.store);
    });
  }

  /** Keeps a tenant's frames from the position on that is true at this moment, until `close` is called on what is returned. */
  keepFrames(tenant: string): Promise<KeptFrames> {
    return this.#alone(() => {
      const kept = new KeptFrames({
        tenant,
        after: this.#position,
        onClose: () => this.#kept.delete(kept),
      });
      this.#kept.add(kept);
      return kept;
    });
  }

  /** Bytes of names, payloads and metadata of a tenant's events. */
  textBytes(tenant: string): number {
    return this.#options.store.textBytes(tenant) + (this.#textBytes.get(tenant) ?? 0);
  }

  /** Saves what is in memory; what cannot be saved the log gives again. The store is closed by who opened it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#alone(() => this.#save()).catch(this.#options.onSaveFailed);
  }

  #alone<T>(work: () => Promise<T> | T): Promise<T> {
    const done = this.#busy.then(work);
    // Whoever asked hears of a failure; the next in line only waits for the end.
    this.#busy = done.catch(() => {});
    return done;
  }

  // A read can find the file damaged and replace it by an empty one; frames that were on their way then must not be taken.
  #requireNext(frame: Frame): void {
    if (frame.position === this.#position + 1) return;
    throw problem(
      'read_behind',
      `The projections stand at position ${this.#position}, and the next frame begins at ${frame.position}.`,
    );
  }

  async #foldAll(frames: readonly Frame[], logId: string): Promise<void> {
    const turns = new Turns();
    for (const frame of frames) {
      if (this.#isFull) await this.#save();
      this.#requireNext(frame);
      let startedAt = performance.now();
      let durationMs = 0;
      let done = this.#foldSome(frame, 0, turns);
      const isHalf = done < frame.eventCount;
      const emptied = this.#emptied;
      while (done < frame.eventCount) {
        durationMs += performance.now() - startedAt;
        this.#halfFrame ??= deferred<void>();
        await turns.nextTurn();
        startedAt = performance.now();
        if (emptied !== this.#emptied) throw replacedProblem();
        done = this.#foldSome(frame, done, turns);
      }
      this.#takeFrame(frame, logId);
      durationMs += performance.now() - startedAt;
      const eventCount = frame.isSystem ? 0 : frame.eventCount;
      this.#options.onFolded({ frames: [frame], eventCount, durationMs });
      // Who waited for the whole frame reads before the next one is begun.
      if (isHalf || turns.isTurnOver) await turns.nextTurn();
    }
  }

  /** Folds events of a frame from one on until the turn is over. Returns how many of the frame are folded. */
  #foldSome(frame: Frame, from: number, turns: Turns): number {
    if (frame.isSystem) return frame.eventCount;
    const { tenant, eventCount } = frame;
    const folds = this.#foldsOf(tenant);
    let textBytes = this.#textBytes.get(tenant) ?? 0;
    let done = from;
    try {
      this.#options.store.reading(() => {
        do {
          const event = frame.event(done);
          for (const fold of folds) this.#keyFold(fold, event).add(event);
          textBytes += textBytesOf(event);
          done += 1;
        } while (done < eventCount && !turns.isTurnOver);
      });
    } catch (error) {
      // Half a frame may be folded; only what the file holds is sure to be whole.
      this.#forget();
      throw error;
    }
    this.#textBytes.set(tenant, textBytes);
    return done;
  }

  #takeFrame(frame: Frame, logId: string): void {
    this.#position = frame.lastPosition;
    this.#logId = logId;
    this.#bytes += frame.bytes.length;
    if (!frame.isSystem) for (const kept of this.#kept) kept.add(frame);
    this.#endFrame();
  }

  #endFrame(): void {
    this.#halfFrame?.resolve();
    this.#halfFrame = null;
  }

  #foldsOf(tenant: string): FoldsOfTenant[] {
    const known = this.#folds.get(tenant);
    if (known !== undefined) return known;
    const folds = this.#options.projections.map((projection) => ({
      tenant,
      projection,
      byKey: new Map<string, KeyFold>(),
    }));
    this.#folds.set(tenant, folds);
    return folds;
  }

  #keyFold({ tenant, projection, byKey }: FoldsOfTenant, event: FrameEvent): KeyFold {
    const key = projection.keyOf(event);
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const stored = projection.isFirstOfKey(event)
      ? null
      : this.#options.store.state(projection, tenant, { key });
    const fold = projection.open(stored);
    byKey.set(key, fold);
    this.#keyCount += 1;
    this.#bytes += stored?.state?.length ?? 0;
    return fold;
  }

  get #isFull(): boolean {
    return this.#keyCount >= KEYS_MAX || this.#bytes >= BYTES_MAX;
  }

  #saveLater(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#alone(() => this.#save()).catch((error: unknown) => {
        this.#options.onSaveFailed(error);
        this.#saveLater();
      });
    }, SAVE_AFTER_MS);
  }

  async #save(): Promise<void> {
    const { store } = this.#options;
    if (this.#logId === null || this.#position === store.position) return;
    await store.save({
      position: this.#position,
      logId: this.#logId,
      states: this.#statesByKey(),
      textBytes: this.#textBytes,
    });
    this.#forget();
  }

  // Keys in their order meet each page of the file once.
  *#statesByKey(): Generator<KeyedState> {
    for (const tenant of [...this.#folds.keys()].toSorted()) {
      for (const { projection, byKey } of this.#folds.get(tenant) ?? []) {
        for (const key of [...byKey.keys()].toSorted())
          yield { tenant, projection, key, state: byKey.get(key)?.print() ?? null };
      }
    }
  }

  /** Lets go of what is in memory; the store alone counts. */
  #forget(): void {
    const { store } = this.#options;
    this.#emptied += 1;
    this.#folds = new Map();
    this.#textBytes = new Map();
    this.#keyCount = 0;
    this.#bytes = 0;
    this.#position = store.position;
    this.#logId = store.logId;
  }
}
