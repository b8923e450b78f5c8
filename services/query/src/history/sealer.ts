/**
 * Writes full tails as blocks, one after the other in position order, in the background: rows are read from the tail until its block is
 * durable. Few tails may wait; then `ready` makes the follower wait, so memory stays bounded. A write that fails leaves the tail waiting and is
 * tried again with the next tail or the next `ready`; nothing is lost, because the log is the truth.
 */
import { isNativeError } from 'node:util/types';
import { assert } from '@allsource/shared/lang';
import type { BlockFile } from './block/block-file.ts';
import type { Tail } from './tail/tail.ts';

/** Full tails that may wait for the disk before the follower has to. */
const WAITING_MAX = 2;

export interface SealerOptions {
  /** Writes the block of a tail and opens it. */
  readonly write: (tail: Tail) => Promise<BlockFile>;
  /** Called when the block stands in for the tail. */
  readonly onSealed: (tail: Tail, block: BlockFile) => void;
  readonly onFailed: (error: Error) => void;
}

export class Sealer {
  readonly #options: SealerOptions;
  readonly #waiting: Tail[] = [];
  #isRunning = false;
  #running: Promise<void> = Promise.resolve();
  #failure: Error | null = null;

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  /** The tails that are not durable blocks yet, oldest first. */
  get waiting(): readonly Tail[] {
    return this.#waiting;
  }

  /** Why the last write failed; null when it did not. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Takes a tail that gets no more rows. */
  add(tail: Tail): void {
    this.#waiting.push(tail);
    // Its failures are kept and told by `ready`; the promise itself never rejects.
    void this.#start();
  }

  /** Resolves when another tail may be filled. Throws what the disk says when it cannot be. */
  async ready(): Promise<void> {
    while (this.#waiting.length > WAITING_MAX) {
      await this.#start();
      if (this.#failure !== null) throw this.#failure;
    }
  }

  /** Resolves when nothing is being written. Tails whose write failed are still waiting. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /** Forgets all tails, after the one being written. */
  async clear(): Promise<void> {
    this.#waiting.splice(1);
    await this.#running;
    this.#waiting.length = 0;
    this.#failure = null;
  }

  #start(): Promise<void> {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#running = this.#run();
    }
    return this.#running;
  }

  async #run(): Promise<void> {
    for (let tail = this.#waiting[0]; tail !== undefined; tail = this.#waiting[0]) {
      try {
        const block = await this.#options.write(tail);
        this.#failure = null;
        this.#waiting.shift();
        this.#options.onSealed(tail, block);
      } catch (error) {
        assert(isNativeError(error), 'the disk throws errors');
        this.#failure = error;
        this.#options.onFailed(error);
        break;
      }
    }
    this.#isRunning = false;
  }
}
