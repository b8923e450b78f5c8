/**
 * Seals in a thread of its own. The thread is started by the first job and stays for the next; `close` ends it at once, wherever it is, which leaves a
 * draft as a crash does. It reads raw segments and writes drafts, and gives nothing a name, so it needs no epoch.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { assert, type Deferred, deferred } from '@allsource/shared/lang';
import type { SealedDraft, SealJob } from './seal-segment.ts';
import type { SegmentSealer } from './sealing.ts';

export interface SealWorkerOptions {
  /** The folder of the log. */
  readonly folder: string;
  /** Bytes of raw segments that are worked through in a second, at most. Each segment is gone through twice. */
  readonly bytesPerSecond: number;
}

export type SealAnswer =
  | { readonly kind: 'made'; readonly draft: SealedDraft }
  | { readonly kind: 'failed'; readonly code: string | null; readonly message: string };

/** What the thread holds beside the windows that it reads: far more than it needs, so that a fault cannot take the memory of the appends. */
const HEAP_MIB_MAX = 128;

export class WorkerSealer implements SegmentSealer {
  readonly #options: SealWorkerOptions;
  #worker: Worker | null = null;
  #job: Deferred<SealedDraft> | null = null;
  #isClosed = false;

  constructor(options: SealWorkerOptions) {
    this.#options = options;
  }

  async seal(job: SealJob): Promise<SealedDraft> {
    assert(this.#job === null, 'one job at a time');
    if (this.#isClosed) throw new RangeError('the sealer has been closed');
    this.#worker ??= this.#start();
    this.#job = deferred<SealedDraft>();
    this.#worker.postMessage(job);
    return this.#job.promise;
  }

  #start(): Worker {
    const worker = new Worker(workerFile(), {
      workerData: this.#options,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    worker.unref();
    worker.on('message', (answer: SealAnswer) => this.#settle(answer));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => {
      this.#worker = null;
      this.#fail(new RangeError('the sealing thread has ended'));
    });
    return worker;
  }

  #settle(answer: SealAnswer): void {
    if (answer.kind === 'made') {
      this.#job?.resolve(answer.draft);
      this.#job = null;
    } else {
      const error = new RangeError(answer.message);
      this.#fail(answer.code === null ? error : Object.assign(error, { code: answer.code }));
    }
  }

  #fail(error: unknown): void {
    this.#job?.reject(error);
    this.#job = null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }
}

/** The bundle lies beside core's; a core that runs from its sources starts the source. */
function workerFile(): string {
  const isSource = import.meta.filename.endsWith('.ts');
  return join(import.meta.dirname, isSource ? 'seal.worker.ts' : 'seal.worker.js');
}
