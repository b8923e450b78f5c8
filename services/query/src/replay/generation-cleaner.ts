import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

export interface GenerationCleanerOptions {
  /** The file of the projections. */
  readonly file: string;
  readonly onFailed: (error: unknown) => void;
}

/** Removes dropped generations in the background, in a thread that lives as long as there is something to remove. */
export class GenerationCleaner {
  readonly #options: GenerationCleanerOptions;
  #worker: Worker | null = null;
  #isWanted = false;
  #isClosed = false;

  constructor(options: GenerationCleanerOptions) {
    this.#options = options;
  }

  /** Says that there is something to remove. */
  clean(): void {
    this.#isWanted = true;
    if (this.#worker === null && !this.#isClosed) this.#start();
  }

  /** Ends the thread; what it has not removed the next start does. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  #start(): void {
    this.#isWanted = false;
    const worker = new Worker(workerFile(), { workerData: { file: this.#options.file } });
    this.#worker = worker;
    worker.on('error', (error) => {
      if (!this.#isClosed) this.#options.onFailed(error);
    });
    worker.once('exit', () => {
      this.#worker = null;
      if (this.#isWanted && !this.#isClosed) this.#start();
    });
  }
}

function workerFile(): string {
  const isSource = import.meta.filename.endsWith('.ts');
  return join(import.meta.dirname, isSource ? 'clean.worker.ts' : 'clean.worker.js');
}
