/**
 * The process of the pipelines as the service sees it: started, told what to do, and started again when it has ended by itself, after a tenth of a second at first and
 * five seconds at most. Requests that were under way when it ended are answered with nothing; who asks tries again or says so.
 */
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { type Deferred, deferred, unreachable } from '@allsource/shared/lang';
import type { Logger } from '@allsource/service-kit/observability';
import { startProgram } from '@allsource/service-kit/processes';
import type { HostCommand, HostJob, HostReport } from './host-protocol.ts';

const HEAP_MIB_MAX = 1_024;
const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 5_000;
/** A process that has run for so long counts as one that works. */
const STEADY_MS = 2_000;
/** How long a process may take to save and end before it is killed where it is, which leaves what a crash leaves. */
const STOP_WAIT_MS = 5_000;

export type Answer = Extract<HostReport, { readonly request: number }>;
export type Notice = Exclude<
  HostReport,
  { readonly kind: 'ready' | 'stopped' | 'reached' | 'revived' }
>;
/** A command that is answered, without the number by which its answer is known. */
export type Question =
  | Omit<Extract<HostCommand, { readonly kind: 'stop' }>, 'request'>
  | Omit<Extract<HostCommand, { readonly kind: 'wait' }>, 'request'>
  | Omit<Extract<HostCommand, { readonly kind: 'revive' }>, 'request'>;

export interface PipelineProcessOptions {
  readonly job: HostJob;
  readonly logger: Logger;
  /** Told when the process takes commands: at first, and again behind each restart. */
  readonly onReady: () => void;
  readonly onNotice: (notice: Notice) => void;
  /** Told when the process has ended without being asked to. */
  readonly onLost: () => void;
}

export class PipelineProcess {
  readonly #options: PipelineProcessOptions;
  readonly #questions = new Map<number, Deferred<Answer | null>>();
  #child: ChildProcess | null = null;
  #ended: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | null = null;
  #restartMs = RESTART_MS_MIN;
  #startedAt = 0;
  #asked = 0;
  #isReady = false;
  #isClosed = false;

  constructor(options: PipelineProcessOptions) {
    this.#options = options;
  }

  /** The number of the process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process. */
  start(): void {
    if (this.#isClosed || this.#child !== null) return;
    this.#startedAt = performance.now();
    const child = startProgram({
      starter: import.meta,
      name: 'pipelines',
      heapMibMax: HEAP_MIB_MAX,
      priority: constants.priority.PRIORITY_BELOW_NORMAL,
    });
    this.#child = child;
    child.on('message', (report: HostReport) => this.#take(report));
    this.#ended = new Promise((resolve) => {
      const ended = (how: string) => {
        this.#noteEnd(child, how);
        resolve();
      };
      child.once('exit', (code, signal) => ended(signal ?? `code ${code}`));
      // One that could not be started does not exit.
      child.once('error', (error) => child.pid === undefined && ended(error.message));
    });
    this.#send({ kind: 'begin', job: this.#options.job });
  }

  /** Tells the process something. Nothing happens while it does not take commands; `onReady` comes then. */
  tell(command: HostCommand): void {
    if (this.#isReady) this.#send(command);
  }

  /** Asks the process for something. Resolves with null when it ends before it has answered. */
  ask(question: Question): Promise<Answer | null> {
    if (!this.#isReady) return Promise.resolve(null);
    this.#asked += 1;
    const request = this.#asked;
    const answered = deferred<Answer | null>();
    this.#questions.set(request, answered);
    this.#send({ ...question, request });
    return answered.promise;
  }

  /** Ends the process. What it has saved stays. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    if (child === null) return;
    if (child.connected && this.#isReady) this.#send({ kind: 'end' });
    else child.kill('SIGKILL');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WAIT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #send(command: HostCommand): void {
    // A process that has gone says so by its exit.
    if (this.#child?.connected === true) this.#child.send(command, () => {});
  }

  #take(report: HostReport): void {
    switch (report.kind) {
      case 'ready':
        this.#isReady = true;
        return this.#options.onReady();
      case 'stopped':
      case 'reached':
      case 'revived':
        this.#questions.get(report.request)?.resolve(report);
        this.#questions.delete(report.request);
        return;
      case 'state':
      case 'saved':
      case 'look_up':
      case 'failed':
        return this.#options.onNotice(report);
      default:
        unreachable(report);
    }
  }

  #noteEnd(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = null;
    this.#isReady = false;
    for (const question of this.#questions.values()) question.resolve(null);
    this.#questions.clear();
    if (this.#isClosed) return;
    const { logger, onLost } = this.#options;
    logger.error({ how }, 'the process of the pipelines has ended and is started again');
    onLost();
    const wasSteady = performance.now() - this.#startedAt >= STEADY_MS;
    const delayMs = wasSteady ? RESTART_MS_MIN : this.#restartMs;
    this.#restartMs = Math.min(delayMs * 2, RESTART_MS_MAX);
    this.#restart = setTimeout(() => this.start(), delayMs);
  }
}
