import { isNativeError } from 'node:util/types';
import { parentPort } from 'node:worker_threads';
import { Problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { END, type ThreadAnswer, type ThreadRequest } from './thread-messages.ts';

/**
 * In a thread: does the jobs that come, one at a time, in the order they came, and answers what each came to. The jobs are those of its `JobThread`, which
 * also ends the thread: wherever a job waits, or when it has ended. A job that neither ends nor waits for long is ended in its midst.
 */
export function serveJobs(run: (job: never) => Promise<unknown>): void {
  const port = must(parentPort, 'a worker has a parent');
  let last = Promise.resolve();
  port.on('message', (request: ThreadRequest<never> | typeof END) => {
    if (request === END) process.exit();
    const { id, job } = request;
    last = last.then(async () => port.postMessage(await answerTo(id, () => run(job))));
  });
}

async function answerTo(id: number, work: () => Promise<unknown>): Promise<ThreadAnswer<unknown>> {
  try {
    return { kind: 'done', id, report: await work() };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof Problem ? error.code : null;
    return { kind: 'failed', id, message, problem: code, system: systemFault(error) };
  }
}

function systemFault(error: unknown): { code: string; syscall: string } | null {
  if (!isNativeError(error) || !('syscall' in error) || !('code' in error)) return null;
  return { code: String(error.code), syscall: String(error.syscall) };
}
