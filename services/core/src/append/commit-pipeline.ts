/**
 * Group commit. Frames wait while an append is under way; when it ends, all that wait go to the store as one group with one sync. So a lone
 * client pays one sync per append, and a thousand clients share it.
 *
 * Ordering: a frame is durable, then the folds take it, then readers may see it, then its appender is answered (I-1, I-4). When a group
 * fails, it and everything behind it is refused: a later frame is chained to an earlier one and can never stand without it.
 * After `failed` nothing is appended until the process starts again and recovery has looked at the disk; after `full` and `busy` the next append tries again.
 */
import { problem } from '@allsource/shared/errors';
import { deferred, must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { LogStore, StoreAppendOutcome } from '../storage/log-store.ts';

const GROUP_BYTES_MAX = 8 * 1024 * 1024;

export interface CommitPipelineOptions {
  readonly store: LogStore;
  /** Called once for each group that is durable, with its last position, before anybody learns of its frames. */
  readonly onWatermark?: (watermark: Position) => void;
  /** Called for each frame as soon as it is durable, in order, before its appender is answered. Must not throw. */
  readonly onDurable: (frame: Frame) => void;
  /** Called once when a group has failed, before its appenders are answered: what was placed is to be forgotten. */
  readonly onRefused: () => void;
  /** Called with the group's size after each successful append, for metrics. */
  readonly onGroup?: (group: {
    readonly commits: number;
    readonly bytes: number;
    readonly durationMs: number;
  }) => void;
}

interface Waiting {
  readonly frame: Frame;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

export class CommitPipeline {
  readonly #options: CommitPipelineOptions;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | null = null;
  #poison: Error | null = null;
  #fullCause: Error | null = null;

  constructor(options: CommitPipelineOptions) {
    this.#options = options;
  }

  /** Why no append is possible until a restart; null while all is well. */
  get poison(): Error | null {
    return this.#poison;
  }

  /** The cause of the last refusal for want of space; null again after the next success. */
  get fullCause(): Error | null {
    return this.#fullCause;
  }

  /** Throws a problem when a frame would not be taken now, before it is placed. */
  admit(): void {
    if (this.#poison !== null) throw poisonProblem(this.#poison, NOT_STORED);
    if (this.#waitingBytes > LIMITS.appendQueueBytesMax) {
      throw problem(
        'overloaded',
        `More than ${LIMITS.appendQueueBytesMax} bytes wait for the disk. Try again in a moment.`,
      );
    }
  }

  /** Resolves when the frame is durable and folded. Rejects with a problem when it is not stored. */
  commit(frame: Frame): Promise<void> {
    const { promise, resolve, reject } = deferred<void>();
    this.#waiting.push({ frame, resolve, reject });
    this.#waitingBytes += frame.bytes.length;
    this.#running ??= this.#run();
    return promise;
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drain(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  async #run(): Promise<void> {
    // Let every request that arrived in this turn of the event loop join the first group.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#appendGroup(this.#takeGroup());
    this.#running = null;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { frame } of this.#waiting) {
      if (count > 0 && bytes + frame.bytes.length > GROUP_BYTES_MAX) break;
      bytes += frame.bytes.length;
      count++;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #appendGroup(group: readonly Waiting[]): Promise<void> {
    const startedAt = performance.now();
    const outcome = await this.#append(group.map(({ frame }) => frame));
    if (outcome.kind !== 'appended') {
      this.#refuse(group, outcome);
      return;
    }
    this.#fullCause = null;
    this.#options.onWatermark?.(must(group.at(-1), 'a frame of the group').frame.lastPosition);
    for (const { frame } of group) this.#options.onDurable(frame);
    for (const { resolve } of group) resolve();
    const bytes = group.reduce((sum, { frame }) => sum + frame.bytes.length, 0);
    this.#options.onGroup?.({
      commits: group.length,
      bytes,
      durationMs: performance.now() - startedAt,
    });
  }

  async #append(frames: readonly Frame[]): Promise<StoreAppendOutcome> {
    try {
      return await this.#options.store.append(frames);
    } catch (cause) {
      return {
        kind: 'failed',
        cause: cause instanceof Error ? cause : new TypeError(String(cause)),
      };
    }
  }

  #refuse(
    group: readonly Waiting[],
    outcome: Exclude<StoreAppendOutcome, { kind: 'appended' }>,
  ): void {
    const behind = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#options.onRefused();
    const reason = this.#reasonOf(outcome);
    for (const { reject } of group) reject(reason);
    // Of what waited behind the group nothing was written.
    const ofBehind = this.#poison === null ? reason : poisonProblem(this.#poison, NOT_STORED);
    for (const { reject } of behind) reject(ofBehind);
  }

  #reasonOf(outcome: Exclude<StoreAppendOutcome, { kind: 'appended' }>): Error {
    if (outcome.kind === 'full') {
      this.#fullCause = outcome.cause;
      return problem(
        'storage_full',
        'The disk is full; nothing of this append was stored. Free some space and send it again.',
        {},
        outcome.cause,
      );
    }
    if (outcome.kind === 'busy') {
      return problem(
        'overloaded',
        `Core is short of file handles or memory (${outcome.cause.message}); nothing of this append was stored. Send it again in a moment; if this lasts, raise the limit of open files (ulimit -n).`,
        {},
        outcome.cause,
      );
    }
    this.#poison =
      outcome.kind === 'failed'
        ? outcome.cause
        : problem(
            'writer_poisoned',
            `Another writer has moved the head of this log to ${outcome.head}.`,
          );
    return poisonProblem(this.#poison, PERHAPS_STORED);
  }
}

const PERHAPS_STORED =
  'It is not known whether this append was stored: after a restart, send it again with the same Idempotency-Key.';
const NOT_STORED =
  'Nothing of this request was stored: send it again after a restart, with the same Idempotency-Key if it has one.';

function poisonProblem(cause: Error, ofAppend: string): Error {
  const detail = `The writer has stopped after an error of the disk and takes no appends; reads go on. ${ofAppend}`;
  return problem('writer_poisoned', detail, {}, cause);
}
