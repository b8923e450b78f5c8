/**
 * Folds the log into one worker's part of a build. The follower calls it as a sink.
 *
 * Promise: each event of its tenant, types and share is folded, skipped or parked exactly once and in order, whatever happens to the connection, the process or the disk. States
 * and position are saved together (folded-build.ts); the follower brings what was not saved again.
 *
 * Ordering: frames in the order of the log, one thing at a time: folding, saving on a timer, retries of parked events and comparisons wait for each other. The thread is given to
 * others after each batch and after some milliseconds, inside of a frame too (fair-turns.ts).
 *
 * Failure: an event that cannot be folded is tried again and then paused at, skipped or parked (fault-desk.ts). Paused at means: saved just before it, with the reason, and nothing
 * more is folded until the worker is opened again. A save that the disk refuses is tried again with growing pauses and nothing is folded meanwhile; the reason is shown. Damage
 * empties the file, and the log is folded from its beginning. A worker whose file was taken over by another ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { problem } from '@allsource/shared/errors';
import { type Position, position } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import { TypeFilter } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';
import type { FoldedEvent } from '../kinds/compiled-projection.ts';
import { isDamage, sqliteCode } from '../projection-database.ts';
import type { FairTurns, Seat } from './fair-turns.ts';
import { FaultDesk, type Verdict } from './fault-desk.ts';
import type { FoldedBuild } from './folded-build.ts';
import { foldedEventOf } from './folded-event.ts';
import type { TaskConfig } from './host-protocol.ts';
import type { OneAtATime } from './one-at-a-time.ts';

/** The longest stretch of folding between two turns, unless one event takes longer. */
const SLICE_MS = 5;

export interface ProjectionFoldOptions {
  readonly build: FoldedBuild;
  readonly tenant: string;
  readonly eventTypes: readonly string[];
  readonly share: { readonly index: number; readonly count: number };
  readonly turns: FairTurns;
  readonly config: TaskConfig;
  /** Saves what was folded; resolves false when the worker is to stop first. */
  readonly save: () => Promise<boolean>;
  /** Makes one thing wait for another: folding, saving, retries. */
  readonly order: OneAtATime;
  /** Told of each frame that is done with; what it returns is waited for. */
  readonly onFrame: (frame: Frame) => Promise<void> | null;
  /** Told when the file cannot be read any more. */
  readonly onDamaged: (error: unknown) => void;
  readonly onRetrying: (text: string | null) => void;
  /** Told when it folds nothing more because of an event. */
  readonly onFailed: () => void;
}

export class ProjectionFold implements FrameSink {
  readonly #options: ProjectionFoldOptions;
  readonly #build: FoldedBuild;
  readonly #tenant: Buffer;
  readonly #filter: TypeFilter;
  readonly #seat: Seat;
  readonly #faults: FaultDesk;
  #config: TaskConfig;
  #sinceTurn = 0;
  #sliceBeganMs = 0;
  readonly #stop = new AbortController();

  constructor(options: ProjectionFoldOptions) {
    this.#options = options;
    this.#build = options.build;
    this.#tenant = Buffer.from(options.tenant);
    this.#filter = new TypeFilter(options.eventTypes);
    this.#seat = options.turns.seat();
    this.#config = options.config;
    this.#faults = new FaultDesk({
      fold: (event) => this.#build.fold(event),
      pause: (ms) => this.#pause(ms),
      onRetrying: options.onRetrying,
    });
  }

  get appliedPosition(): Position {
    return position(this.#build.position);
  }

  get logId(): string | null {
    return this.#build.logId;
  }

  /** Changes how it works from the next event on. */
  tune(config: TaskConfig): void {
    this.#config = config;
  }

  /** Ends what is under way at the next event; nothing more is folded. What was folded is not saved by this. */
  stop(): void {
    this.#stop.abort();
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  apply(frames: readonly Frame[], logId: string): Promise<void> {
    return this.#options.order.run(async () => {
      await this.#beginSlice(0);
      for (const frame of frames) {
        await this.#takeFrame(frame);
        this.#build.noteFrame(frame.lastPosition, logId);
        const waited = this.#options.onFrame(frame);
        if (waited !== null) await waited;
      }
      this.#options.turns.note(this.#seat, this.#endSlice());
    });
  }

  advance(to: Position, logId: string): Promise<void> {
    return this.#options.order.run(() => {
      this.#build.noteFrame(Math.max(to, this.#build.position), logId);
    });
  }

  reset(): Promise<void> {
    return this.#options.order.run(() => this.#build.reset());
  }

  /** Gives the thread to others if it is their turn. Throws when the worker is to stop. */
  async rest(): Promise<void> {
    await this.#beginSlice(this.#endSlice());
  }

  async #takeFrame(frame: Frame): Promise<void> {
    if (frame.isSystem || !frame.tenantBytes.equals(this.#tenant)) return;
    if (frame.lastPosition <= this.#build.folded) return;
    const { index: share, count } = this.#options.share;
    for (let index = 0; index < frame.eventCount; index++) {
      const event = frame.event(index);
      if (event.position <= this.#build.folded) continue;
      if (count > 1 && event.partition % count !== share) continue;
      if (!this.#filter.matches(event.type)) continue;
      await this.#take(event);
    }
  }

  async #take(frameEvent: FrameEvent): Promise<void> {
    const event = foldedEventOf(frameEvent);
    const build = this.#build;
    if (build.parked.has(event.entityId)) build.parked.wait(event);
    else {
      try {
        build.fold(event);
      } catch (error) {
        this.#refuseDamage(error);
        await this.#settle(event, error);
      }
    }
    build.noteDone(event);
    if (build.parked.fault !== null) await this.#fail(event, build.parked.fault);
    if (this.#isSaveDue) await this.#save();
    this.#sinceTurn += 1;
    if (this.#sinceTurn >= this.#config.batchEvents || this.#sliceMs >= SLICE_MS) await this.rest();
  }

  /** What the disk does is no fault of the event. */
  #refuseDamage(error: unknown): void {
    if (sqliteCode(error) === null) return;
    if (isDamage(error)) {
      this.stop();
      this.#options.onDamaged(error);
    }
    throw error;
  }

  get #isSaveDue(): boolean {
    const { isFull, unsavedEvents } = this.#build;
    return isFull || (this.#config.saveEvents !== null && unsavedEvents >= this.#config.saveEvents);
  }

  async #settle(event: FoldedEvent, first: unknown): Promise<void> {
    const verdict = await this.#faults.decide(event, {
      first,
      handling: () => this.#config.onFault,
    });
    if (verdict === null) throw stopped();
    if (verdict.kind === 'folded') return;
    this.#build.noteError(verdict.reason);
    await this.#carryOut(event, verdict);
  }

  async #carryOut(
    event: FoldedEvent,
    { kind, reason, attempts }: Exclude<Verdict, { readonly kind: 'folded' }>,
  ): Promise<void> {
    if (kind === 'skip') this.#build.skip(event, reason);
    else if (kind === 'park') this.#build.park(event, { reason, attempts });
    else {
      // The next start begins with this event again.
      this.#build.notePassed(event.position - 1);
      await this.#fail(event, reason);
    }
  }

  async #fail({ position: at, id: eventId }: FoldedEvent, reason: string): Promise<never> {
    const { changedPosition } = this.#config;
    this.#build.noteFailure({ reason, position: at, eventId, changedPosition });
    await this.#save();
    this.stop();
    this.#options.onFailed();
    throw stopped();
  }

  async #save(): Promise<void> {
    if (!(await this.#options.save())) throw stopped();
  }

  get #sliceMs(): number {
    return performance.now() - this.#sliceBeganMs;
  }

  #endSlice(): number {
    const usedMs = this.#sliceMs;
    this.#build.noteTime(usedMs * 1_000);
    return usedMs;
  }

  async #beginSlice(usedMs: number): Promise<void> {
    await this.#options.turns.next(this.#seat, usedMs);
    this.#sinceTurn = 0;
    this.#sliceBeganMs = performance.now();
    if (this.isStopped) throw stopped();
  }

  async #pause(ms: number): Promise<boolean> {
    this.#endSlice();
    await sleep(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
    this.#sliceBeganMs = performance.now();
    return !this.isStopped;
  }
}

function stopped(): Error {
  return problem('operation_ended', 'The worker of the projection has been stopped.');
}
