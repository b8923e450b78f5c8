import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { assert, type Deferred, deferred } from '@allsource/shared/lang';
import {
  type StarvationRule,
  startProgram,
  watchForStarvation,
} from '@allsource/service-kit/processes';
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
  /** Called when it has had next to no processor time, and goes on with some that others wanted. */
  readonly onStarved: () => void;
  /** When that is so. Default: that of service-kit, half a minute. */
  readonly starvationRule?: StarvationRule | undefined;
}

/**
 * One share of a replay in its process, which is told what to do next and answers when it is done. It gets leftover time; where the machine leaves none, it is ended and goes on in
 * another process of a low priority, from what it has saved.
 */
export class ReplayProcess {
  readonly #options: ReplayProcessOptions;
  #child: ChildProcess;
  #ended: Promise<void> = Promise.resolve();
  #stopWatching: () => void = () => {};
  #command: ReplayCommand | null = null;
  #answer: Deferred<ReplayAnswer> | null = null;
  #failure: Error | null = null;
  #isStopping = false;
  #isMoving = false;

  constructor(options: ReplayProcessOptions) {
    this.#options = options;
    this.#child = this.#start(constants.priority.PRIORITY_LOW);
    this.#send({ kind: 'begin', job: options.job });
    const { pid } = this.#child;
    if (pid === undefined) return;
    const onStarved = () => void this.#move();
    this.#stopWatching = watchForStarvation({ pid, onStarved, rule: options.starvationRule });
  }

  /** Carries out a command; throws why it cannot be. One call at a time. */
  tell(command: ReplayCommand): Promise<ReplayAnswer> {
    assert(this.#answer === null, 'one command at a time');
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#command = command;
    this.#answer = deferred<ReplayAnswer>();
    this.#send(command);
    return this.#answer.promise;
  }

  /** Ends the process. What it has saved stays; a command under way fails. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stopWatching();
    await this.#endChild();
  }

  #start(priority: number): ChildProcess {
    const child = startProgram({
      starter: import.meta,
      name: 'replay',
      heapMibMax: HEAP_MIB_MAX,
      priority,
    });
    child.on('message', (report: ReplayReport) => this.#take(report));
    child.on('error', (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        if (!this.#isMoving)
          this.#fail(new RangeError(`the process of the replay has ended (${signal ?? code})`));
        resolve();
      });
      // One that could not be started does not exit.
      child.once('error', () => child.pid === undefined && resolve());
    });
    return child;
  }

  /** Goes on in another process. What was under way is told to it again: a command that was carried out to a part, or as a whole, is one that goes on from what was saved. */
  async #move(): Promise<void> {
    this.#options.onStarved();
    this.#isMoving = true;
    await this.#endChild();
    this.#isMoving = false;
    if (this.#failure !== null) return;
    if (this.#isStopping) return this.#fail(new RangeError('the replay was stopped'));
    this.#child = this.#start(constants.priority.PRIORITY_BELOW_NORMAL);
    this.#send({ kind: 'begin', job: this.#options.job });
    if (this.#command !== null) this.#send(this.#command);
  }

  async #endChild(): Promise<void> {
    const child = this.#child;
    this.#send({ kind: 'stop' });
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WAIT_MS);
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
      this.#command = null;
      this.#answer?.resolve(report);
      this.#answer = null;
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#command = null;
    this.#answer?.reject(this.#failure);
    this.#answer = null;
  }
}
