import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { assert, type Deferred, deferred } from '@allsource/shared/lang';
import type { ReplayCommand, ReplayJob, ReplayReport } from './replay-protocol.ts';

const HEAP_MIB_MAX = 512;
/** How long a thread may take to close its files before it is ended where it is, which leaves what a crash leaves. */
const STOP_WAIT_MS = 5_000;

export type ReplayAnswer = Exclude<
  ReplayReport,
  { readonly kind: 'progress' | 'waiting' | 'failed' }
>;

export interface ReplayThreadOptions {
  readonly job: ReplayJob;
  readonly onProgress: (processed: number) => void;
  readonly onWaiting: (reason: string | null) => void;
}

/** One share of a replay in its thread, which is told what to do next and answers when it is done. */
export class ReplayThread {
  readonly #options: ReplayThreadOptions;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #answer: Deferred<ReplayAnswer> | null = null;
  #failure: Error | null = null;

  constructor(options: ReplayThreadOptions) {
    this.#options = options;
    this.#worker = new Worker(workerFile(), {
      workerData: options.job,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    this.#worker.on('message', (report: ReplayReport) => this.#take(report));
    this.#worker.on('error', (error) => {
      this.#fail(error instanceof Error ? error : new TypeError(String(error)));
    });
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#fail(new RangeError('the thread of the replay has ended'));
        resolve();
      });
    });
  }

  /** Carries out a command; throws why it cannot be. One call at a time. */
  tell(command: ReplayCommand): Promise<ReplayAnswer> {
    assert(this.#answer === null, 'one command at a time');
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#answer = deferred<ReplayAnswer>();
    this.#worker.postMessage(command);
    return this.#answer.promise;
  }

  /** Ends the thread. What it has saved stays; a command under way fails. */
  async stop(): Promise<void> {
    const stop: ReplayCommand = { kind: 'stop' };
    this.#worker.postMessage(stop);
    const timer = setTimeout(() => void this.#worker.terminate(), STOP_WAIT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #take(report: ReplayReport): void {
    if (report.kind === 'waiting') this.#options.onWaiting(report.reason);
    else if (report.kind === 'failed') this.#fail(new RangeError(report.message));
    else {
      if ('processed' in report) this.#options.onProgress(report.processed);
      if (report.kind === 'progress') return;
      this.#answer?.resolve(report);
      this.#answer = null;
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#answer?.reject(this.#failure);
    this.#answer = null;
  }
}

/** The bundle lies beside that of the service; a service that runs from its sources starts the source. */
function workerFile(): string {
  const isSource = import.meta.filename.endsWith('.ts');
  return join(import.meta.dirname, isSource ? 'replay.worker.ts' : 'replay.worker.js');
}
