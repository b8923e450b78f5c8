/**
 * One worker of a build as the service has it: kept open in some process, opened again with growing pauses when that has ended, told to follow or to hold.
 *
 * What is known of it is its last report; before the first one, what its file says.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Deferred, deferred } from '@allsource/shared/lang';
import { problem } from '@allsource/shared/errors';
import { NO_PROGRESS } from './build-progress.ts';
import type { HostedTask, HostPool } from './host-pool.ts';
import type {
  HostReport,
  TaskAnswer,
  TaskConfig,
  TaskJob,
  TaskQuestion,
  TaskReport,
} from './host-protocol.ts';

const REOPEN_MS_MIN = 100;
const REOPEN_MS_MAX = 30_000;
/** A worker that has been open for so long begins with the shortest pause again. */
const STEADY_MS = 60_000;
/** After so many ends of its process it gets one of its own. */
const SHARED_CRASHES_MAX = 2;

export interface BuildWorkerOptions {
  readonly name: string;
  readonly job: TaskJob;
  readonly pool: HostPool;
  readonly first: TaskReport;
  readonly onReport: () => void;
  /** Told when nobody has the file open for writing any more: it may be another one soon. */
  readonly onLetGo: () => void;
}

export const NO_REPORT: TaskReport = {
  progress: NO_PROGRESS,
  knownHead: 0,
  atHeadMs: null,
  recordedMs: null,
  trouble: null,
};

export class BuildWorker {
  readonly #options: BuildWorkerOptions;
  #config: TaskConfig;
  #wanted: 'follow' | 'hold' | 'released' = 'released';
  #task: HostedTask | null = null;
  #openedMs = 0;
  #report: TaskReport;
  #lostReason: string | null = null;
  #refusal: string | null = null;
  #crashes = 0;
  #pauseMs = REOPEN_MS_MIN;
  #isReopening = false;
  #isRenewing = false;
  readonly #stop = new AbortController();
  #closed: Deferred<void> | null = null;
  readonly #questions = new Map<number, Deferred<TaskAnswer>>();
  #asked = 0;

  constructor(options: BuildWorkerOptions) {
    this.#options = options;
    this.#config = options.job.config;
    this.#report = options.first;
  }

  get report(): TaskReport {
    return this.#report;
  }

  /** Why it makes no progress at the moment; null when nothing is wrong. */
  get trouble(): string | null {
    return this.#lostReason ?? this.#report.trouble;
  }

  /** Why the definition cannot be carried out. */
  get refusal(): string | null {
    return this.#refusal;
  }

  /** How often its process has ended without being told. */
  get crashes(): number {
    return this.#crashes;
  }

  /** True while it is to follow the log. */
  get isFollowing(): boolean {
    return this.#wanted === 'follow';
  }

  follow(): void {
    if (this.#wanted === 'follow') return;
    this.#wanted = 'follow';
    if (this.#task === null) this.#open();
    else this.#task.send({ kind: 'follow' });
  }

  /** Folds nothing more; stays open when it is. */
  hold(): void {
    if (this.#wanted !== 'follow') return;
    this.#wanted = 'hold';
    this.#task?.send({ kind: 'hold' });
  }

  /** Changes how it works; a definition that has changed also lets it go on after a failure. */
  tune(config: TaskConfig): void {
    if (JSON.stringify(config) === JSON.stringify(this.#config)) return;
    this.#config = config;
    if (this.#refusal !== null) {
      this.#refusal = null;
      if (this.#wanted !== 'released') this.#open();
    }
    this.#task?.send({ kind: 'tune', config });
    if (this.#wanted === 'follow') this.#task?.send({ kind: 'follow' });
  }

  want(position: number): void {
    if (this.#report.progress.folded < position) this.#task?.send({ kind: 'want', position });
  }

  /** Asks; throws `upstream_unavailable` when it is not there to answer. */
  async ask(question: TaskQuestion): Promise<TaskAnswer> {
    if (this.#task === null) throw notThere(this.#options.name);
    const id = ++this.#asked;
    const answer = deferred<TaskAnswer>();
    this.#questions.set(id, answer);
    this.#task.send({ kind: 'ask', id, question });
    return await answer.promise;
  }

  /** Saves, and lets its place in a process go. */
  release(): void {
    this.#wanted = 'released';
    if (this.#task === null || this.#closed !== null) return;
    this.#closed = deferred<void>();
    this.#task.send({ kind: 'close' });
  }

  /** Has it let the file go, does something with that, and goes on as before. One call at a time; others while it runs do nothing. */
  async renew(work: () => void): Promise<void> {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    const wanted = this.#wanted;
    this.release();
    await this.#closed?.promise;
    work();
    this.#report = NO_REPORT;
    this.#isRenewing = false;
    if (this.#wanted === 'released') this.#wanted = wanted;
    if (this.#wanted !== 'released') this.#open();
    this.#options.onReport();
  }

  /** Ends it for good: saved, and the file given back. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.release();
    await this.#closed?.promise;
  }

  #openIfWanted(): void {
    if (this.#wanted !== 'released') this.#open();
  }

  #open(): void {
    const isBusy =
      this.#task !== null || this.#isReopening || this.#isRenewing || this.#stop.signal.aborted;
    if (isBusy || this.#refusal !== null) return;
    const { job, pool, name } = this.#options;
    this.#openedMs = performance.now();
    const task = pool.open({
      job: { ...job, config: this.#config },
      aloneAs: this.#crashes >= SHARED_CRASHES_MAX ? name : null,
      onMessage: (message) => this.#task === task && this.#take(message),
      onLost: (how) => this.#task === task && this.#noteLost(how),
    });
    this.#task = task;
    if (this.#wanted === 'follow') task.send({ kind: 'follow' });
  }

  #take(message: Exclude<HostReport, { readonly kind: 'alive' }>): void {
    switch (message.kind) {
      case 'report':
        this.#lostReason = null;
        this.#report = message.report;
        break;
      case 'answer':
        this.#questions.get(message.id)?.resolve(message.answer);
        this.#questions.delete(message.id);
        return;
      case 'closed':
        this.#noteClosed(message);
        break;
    }
    this.#options.onReport();
  }

  #noteClosed({ cause, reason }: Extract<HostReport, { readonly kind: 'closed' }>): void {
    this.#letGo();
    if (cause === 'definition') this.#refusal = reason;
    else if (cause === 'fault') void this.#reopen(reason);
    else if (this.#wanted !== 'released') this.#open();
  }

  #noteLost(how: string): void {
    this.#letGo();
    if (this.#wanted === 'released') return;
    this.#crashes += 1;
    void this.#reopen(`the process that carries it out has ended (${how}) and is started again`);
    this.#options.onReport();
  }

  /** Nobody answers any more. */
  #letGo(): void {
    this.#task = null;
    for (const { reject } of this.#questions.values()) reject(notThere(this.#options.name));
    this.#questions.clear();
    this.#closed?.resolve();
    this.#closed = null;
    this.#options.onLetGo();
  }

  async #reopen(reason: string): Promise<void> {
    if (this.#wanted === 'released') return;
    this.#lostReason = reason;
    if (performance.now() - this.#openedMs > STEADY_MS) this.#pauseMs = REOPEN_MS_MIN;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(pauseMs * 2, REOPEN_MS_MAX);
    this.#isReopening = true;
    await sleep(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    this.#isReopening = false;
    this.#openIfWanted();
  }
}

function notThere(name: string): Error {
  return problem(
    'upstream_unavailable',
    `The process that carries out ${name} is not there to answer. Try again shortly.`,
  );
}
