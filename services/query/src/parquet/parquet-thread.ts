/**
 * Hands jobs to the thread that keeps the Parquet files. The thread is started by the first job and ended when it has had none for a while, so that a quiet store
 * pays nothing. `close` ends it wherever it is, which leaves what a crash leaves.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { isErrorCode, problem } from '@allsource/shared/errors';
import { type Deferred, deferred } from '@allsource/shared/lang';
import type { InternalTokenSource } from '@allsource/service-kit/config';
import type { CompactionRules } from './compaction/merge-plan.ts';
import type { ParquetJob, ParquetReport } from './parquet-keeper.ts';

export interface ParquetThreadOptions {
  readonly folder: string;
  readonly coreUrl: string;
  readonly token: InternalTokenSource;
  readonly rules: CompactionRules;
  readonly logLevel: string;
}

export interface ParquetRequest {
  readonly id: number;
  readonly job: ParquetJob;
}

export type ParquetAnswer =
  | { readonly kind: 'done'; readonly id: number; readonly report: ParquetReport }
  | {
      readonly kind: 'failed';
      readonly id: number;
      /** The code of the problem; null for what the disk said. */
      readonly code: string | null;
      readonly message: string;
    };

/** A portion of frames, its columns and what the library makes of them: a few times more than is needed. */
const HEAP_MIB_MAX = 384;
/** How long a thread without jobs is kept. */
const IDLE_MS = 20_000;

export class ParquetThread {
  readonly #options: ParquetThreadOptions;
  readonly #waiting = new Map<number, Deferred<ParquetReport>>();
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;
  #requests = 0;
  #isClosed = false;

  constructor(options: ParquetThreadOptions) {
    this.#options = options;
  }

  /** Does a job after those before it. Throws what the job throws, and `shutting_down` when the thread is closed. */
  run(job: ParquetJob): Promise<ParquetReport> {
    if (this.#isClosed) return Promise.reject(closed());
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    this.#worker ??= this.#start();
    const id = ++this.#requests;
    const answer = deferred<ParquetReport>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ id, job } satisfies ParquetRequest);
    return answer.promise;
  }

  #start(): Worker {
    const worker = new Worker(workerFile(), {
      workerData: this.#options,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    });
    worker.unref();
    worker.on('message', (answer: ParquetAnswer) => this.#settle(answer));
    worker.on('error', (error) => this.#failAll(error));
    worker.on('exit', () => {
      if (this.#worker === worker) this.#worker = null;
      this.#failAll(closed());
    });
    return worker;
  }

  #settle(answer: ParquetAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.kind === 'done') waiting?.resolve(answer.report);
    else waiting?.reject(errorOf(answer));
    if (this.#waiting.size === 0) this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    this.#idle = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = null;
      void worker?.terminate();
    }, IDLE_MS);
    this.#idle.unref();
  }

  #failAll(error: unknown): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const answer of waiting) answer.reject(error);
  }

  /** Ends the thread. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#idle !== null) clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }
}

function errorOf({ code, message }: ParquetAnswer & { kind: 'failed' }): Error {
  return code !== null && isErrorCode(code) ? problem(code, message) : new RangeError(message);
}

function closed(): Error {
  return problem(
    'shutting_down',
    'The Parquet files are not worked on any more: the service stops.',
  );
}

/** The bundle lies beside the service's; a service that runs from its sources starts the source. */
function workerFile(): string {
  const isSource = import.meta.filename.endsWith('.ts');
  return join(import.meta.dirname, isSource ? 'parquet.worker.ts' : 'parquet.worker.js');
}
