/**
 * Builds damaged blocks again, one after the other, while the history goes on: the same stretch of the log is read from core once more and written
 * under the block's name. Until then reads of what is damaged in it are refused; everything else of it is read as before.
 *
 * A repair that fails (core is away, the disk refuses) is tried again with growing waits, for as long as the service runs. A crash leaves the damaged
 * block or the new one. The log is the truth: when core's frames do not make the same rows, the block is left as it is and the follower,
 * which checks the same, empties the history.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { isNativeError } from 'node:util/types';
import { problem } from '@allsource/shared/errors';
import { type Position, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { BlockFile } from './block/block-file.ts';
import { Tail } from './tail/tail.ts';

const RETRY_MS_FIRST = 100;
const RETRY_MS_MAX = 10_000;

/** A stretch of the log that begins where a frame begins and ends where one ends. */
export interface FrameRange {
  /** The position before the first. */
  readonly after: Position;
  readonly last: Position;
  readonly logId: string;
}

/** Reads the frames of a stretch of the log again, in order. Throws when it cannot. */
export type ReadFrames = (range: FrameRange, onFrame: (frame: Frame) => void) => Promise<void>;

export interface BlockRepairsOptions {
  readonly readFrames: ReadFrames;
  /** Writes a tail as the block that begins where it does, in the place of the one there. */
  readonly write: (tail: Tail, logId: Buffer) => Promise<BlockFile>;
  readonly onRepaired: (old: BlockFile, block: BlockFile) => void;
}

export class BlockRepairs {
  readonly #options: BlockRepairsOptions;
  readonly #waiting: BlockFile[] = [];
  #running: Promise<void> | null = null;
  #abort = new AbortController();
  #failure: string | null = null;

  constructor(options: BlockRepairsOptions) {
    this.#options = options;
  }

  /** Why the last try failed; null when none did. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Takes a damaged block. One that is taken already is not taken twice. */
  add(block: BlockFile): void {
    if (this.#waiting.includes(block)) return;
    this.#waiting.push(block);
    this.#running ??= this.#run(this.#abort.signal).finally(() => {
      this.#running = null;
    });
  }

  /** Forgets all of them and ends what is under way. It can be used again. */
  async clear(): Promise<void> {
    this.#waiting.length = 0;
    this.#abort.abort();
    await this.#running;
    this.#abort = new AbortController();
    this.#failure = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let retryMs = RETRY_MS_FIRST;
    for (let block = this.#waiting[0]; block !== undefined; block = this.#waiting[0]) {
      try {
        const repaired = await this.#repair(block, signal);
        if (signal.aborted) return;
        this.#waiting.shift();
        this.#failure = null;
        retryMs = RETRY_MS_FIRST;
        this.#options.onRepaired(block, repaired);
      } catch (error) {
        if (signal.aborted) return;
        this.#failure = isNativeError(error) ? error.message : String(error);
        await wait(retryMs, undefined, { signal, ref: false }).catch(() => null);
        if (signal.aborted) return;
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
    }
  }

  async #repair({ header }: BlockFile, signal: AbortSignal): Promise<BlockFile> {
    const { readFrames, write } = this.#options;
    const after = position(header.firstPosition - 1);
    const tail = new Tail(after, {
      rows: Number.POSITIVE_INFINITY,
      frameBytes: Number.POSITIVE_INFINITY,
    });
    const range = { after, last: header.lastPosition, logId: header.logId.toString('hex') };
    await readFrames(range, (frame) => {
      if (frame.isSystem) tail.cover(frame.lastPosition);
      else tail.append(frame);
    });
    if (tail.lastPosition < header.lastPosition) tail.cover(header.lastPosition);
    if (tail.rowCount !== header.rowCount || tail.lastPosition !== header.lastPosition)
      throw problem(
        'read_store_damaged',
        `The log has ${tail.rowCount} events up to ${tail.lastPosition} where a block of the read store had ${header.rowCount} up to ${header.lastPosition}.`,
      );
    signal.throwIfAborted();
    return await write(tail, header.logId);
  }
}
