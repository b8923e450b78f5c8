import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { assert, type Deferred, deferred } from '@allsource/shared/lang';
import { startProgram } from '@allsource/service-kit/processes';
import type { ReplayCommand, ReplayJob, ReplayReport } from './replay-protocol.ts';

/** How long a process may take to close its files before it is killed where it is, which leaves what a crash leaves. */
const STOP_WAIT_MS = 5_000;
const HEAP_MIB_MAX = 512;

export type ReplayAnswer = Exclude<
  ReplayReport,
  { readonly kind: 'progress' | 'waiting' | 'failed' }
>;

export interface ReplayProcessOptions {
  readonly job: ReplayJob;
  readonly onProgress: (processed: number) => void;
  readonly onWaiting: (reason: string | null) => void;
}

/** One share of a replay in its process, which is told what to do next and answers when it is done. */
export class ReplayProcess {
  readonly #options: ReplayProcessOptions;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #answer: Deferred<ReplayAnswer> | null = null;
  #failure: Error | null = null;

  constructor(options: ReplayProcessOptions) {
    this.#options = options;
    this.#child = startProgram({
      starter: import.meta,
      name: 'replay',
      heapMibMax: HEAP_MIB_MAX,
      priority: constants.priority.PRIORITY_LOW,
    });
    this.#child.on('message', (report: ReplayReport) => this.#take(report));
    this.#child.on('error', (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#fail(new RangeError(`the process of the replay has ended (${signal ?? code})`));
        resolve();
      });
      // One that could not be started does not exit.
      this.#child.once('error', () => this.#child.pid === undefined && resolve());
    });
    this.#send({ kind: 'begin', job: options.job });
  }

  /** Carries out a command; throws why it cannot be. One call at a time. */
  tell(command: ReplayCommand): Promise<ReplayAnswer> {
    assert(this.#answer === null, 'one command at a time');
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#answer = deferred<ReplayAnswer>();
    this.#send(command);
    return this.#answer.promise;
  }

  /** Ends the process. What it has saved stays; a command under way fails. */
  async stop(): Promise<void> {
    this.#send({ kind: 'stop' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WAIT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #send(command: ReplayCommand): void {
    // A process that has gone says so by its exit.
    if (this.#child.connected) this.#child.send(command, () => {});
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
