import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { startProgram } from '@allsource/service-kit/processes';

const HEAP_MIB_MAX = 512;

export interface GenerationCleanerOptions {
  /** The file of the projections. */
  readonly file: string;
  readonly onFailed: (error: unknown) => void;
}

/** Removes dropped generations in the background, in a process that lives as long as there is something to remove. */
export class GenerationCleaner {
  readonly #options: GenerationCleanerOptions;
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #isWanted = false;
  #isClosed = false;

  constructor(options: GenerationCleanerOptions) {
    this.#options = options;
  }

  /** Says that there is something to remove. */
  clean(): void {
    this.#isWanted = true;
    if (this.#child === null && !this.#isClosed) this.#start();
  }

  /** Ends the process; what it has not removed the next start does. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  #start(): void {
    this.#isWanted = false;
    const child = startProgram({
      starter: import.meta,
      name: 'clean',
      args: [this.#options.file],
      heapMibMax: HEAP_MIB_MAX,
      priority: constants.priority.PRIORITY_LOW,
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#options.onFailed(error);
        if (child.pid === undefined) resolve();
      });
      child.once('exit', (code) => {
        this.#child = null;
        if (code !== 0 && !this.#isClosed)
          this.#options.onFailed(new RangeError(`the process ended with ${code}`));
        resolve();
        if (this.#isWanted && !this.#isClosed) this.#start();
      });
    });
  }
}
