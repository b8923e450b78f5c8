import { type ChildProcess, fork } from 'node:child_process';
import { resolve } from 'node:path';
import type { LoadJob, LoadResult } from './job.ts';

/**
 * Garbage is collected in the one thread of the load. Helping threads have no processor of their own beside servers: they took a quarter of one, and the load waited for them, and was late to look at answers
 * (reads of 100 events from 16 clients on two processors: p99 5.7 ms with them, 4.4 without).
 */
const NODE_ARGUMENTS = ['--single-threaded-gc'];
/** Far above what a job takes beside its own length: a server that hangs must not hang the benchmark. */
const JOB_TIMEOUT_MS = 15 * 60_000;

type Reply = { readonly result: LoadResult } | { readonly fault: string };

/** The harness's end of the load process. */
export class LoadProcess {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(resolve(import.meta.dirname, 'main.ts'), {
      stdio: 'inherit',
      execArgv: [...process.execArgv, ...NODE_ARGUMENTS],
    });
  }

  /** Runs one job. Throws with the words of the client or server that failed. */
  run(job: LoadJob): Promise<LoadResult> {
    return new Promise((done, fail) => {
      const onExit = () => fail(new Error('The load process ended during a job.'));
      const timeoutMs = JOB_TIMEOUT_MS + ('durationMs' in job ? job.durationMs : 0);
      const timer = setTimeout(() => {
        this.close();
        fail(new Error(`A job took more than ${timeoutMs} ms.`));
      }, timeoutMs);
      this.#child.once('exit', onExit);
      this.#child.once('message', (reply: Reply) => {
        clearTimeout(timer);
        this.#child.off('exit', onExit);
        if ('fault' in reply) fail(new Error(reply.fault));
        else done(reply.result);
      });
      this.#child.send(job);
    });
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
