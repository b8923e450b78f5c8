/**
 * Hands jobs to a thread (`serve-jobs.ts` is its side). The thread is started by the first job and ended when it has had none for a while, so that a quiet store
 * pays nothing. `close` ends it in the middle of its job, which leaves what a crash leaves.
 *
 * The thread is asked to end itself, and only one that does not within a while is terminated. A thread that is terminated while it makes a stream of
 * node:zlib, which every synchronous call does too, takes the whole process with it: "Assertion failed: init_done_ && close before init" (seen with Node
 * 24.21 within 50 terminations of a thread that compresses small texts).
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { isErrorCode, problem } from '@allsource/shared/errors';
import { type Deferred, deferred } from '@allsource/shared/lang';
import { END, type ThreadAnswer, type ThreadRequest } from './thread-messages.ts';

/** How long a thread may take to end itself: longer than any step of a job that is not broken. */
const END_MS_MAX = 2_000;

export interface JobThreadOptions {
  /** The file of the thread; see `threadFile`. */
  readonly file: string;
  /** What the thread is given at its start. */
  readonly workerData?: unknown;
  readonly heapMibMax: number;
  /** How long a thread without jobs is kept, in milliseconds. */
  readonly idleMs: number;
  /** What is not done any more after `close`, in words. */
  readonly closedDetail: string;
}

export class JobThread<Job, Report> {
  readonly #options: JobThreadOptions;
  readonly #waiting = new Map<number, Deferred<Report>>();
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;
  #requests = 0;
  #isClosed = false;

  constructor(options: JobThreadOptions) {
    this.#options = options;
  }

  /** Does a job after those before it. Throws what the job throws, and `shutting_down` when the thread is closed. */
  run(job: Job): Promise<Report> {
    if (this.#isClosed) return Promise.reject(this.#closed());
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    this.#worker ??= this.#start();
    const id = ++this.#requests;
    const answer = deferred<Report>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ id, job } satisfies ThreadRequest<Job>);
    return answer.promise;
  }

  #start(): Worker {
    const { file, workerData, heapMibMax } = this.#options;
    const resourceLimits = { maxOldGenerationSizeMb: heapMibMax };
    const worker = new Worker(file, { workerData, resourceLimits });
    worker.unref();
    worker.on('message', (answer: ThreadAnswer<Report>) => this.#settle(answer));
    worker.on('error', (error) => this.#failAll(error));
    worker.on('exit', () => {
      // One that had no jobs and was ended; the next may have some by now.
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#failAll(this.#closed());
    });
    return worker;
  }

  #settle(answer: ThreadAnswer<Report>): void {
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
      if (worker !== null) void ended(worker);
    }, this.#options.idleMs);
    this.#idle.unref();
  }

  #failAll(error: unknown): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const answer of waiting) answer.reject(error);
  }

  #closed(): Error {
    return problem('shutting_down', this.#options.closedDetail);
  }

  /** Ends the thread. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#idle !== null) clearTimeout(this.#idle);
    if (this.#worker !== null) await ended(this.#worker);
  }
}

/** Ends a thread. Resolves when it has ended, now or before. */
async function ended(worker: Worker): Promise<void> {
  if (worker.threadId < 0) return;
  const exit = once(worker, 'exit');
  worker.postMessage(END);
  const impatient = setTimeout(() => void worker.terminate(), END_MS_MAX);
  await exit;
  clearTimeout(impatient);
}

function errorOf({
  problem: code,
  system,
  message,
}: ThreadAnswer<never> & { kind: 'failed' }): Error {
  if (code !== null && isErrorCode(code)) return problem(code, message);
  return Object.assign(new RangeError(message), system);
}

/** The file of a thread: the bundle lies beside the service's; a service that runs from its sources starts the source beside who asks. */
export function threadFile({ dirname, filename }: ImportMeta, name: string): string {
  return join(dirname, `${name}.worker.${filename.endsWith('.ts') ? 'ts' : 'js'}`);
}
