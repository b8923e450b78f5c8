import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { startProgram } from '../../src/processes/start-program.ts';
import { JobThread, threadFile } from '../../src/threads/index.ts';
import type { TestJob } from './compress.worker.ts';

function jobThread(idleMs: number): JobThread<TestJob, void> {
  const file = threadFile(import.meta, 'compress');
  return new JobThread({
    file,
    heapMibMax: 64,
    idleMs,
    closedDetail: 'Nothing is compressed now.',
  });
}

/** What a job that the thread is ended in came to. */
async function endedIn(thread: JobThread<TestJob, void>, job: Promise<void>): Promise<unknown> {
  const outcome = job.catch((error: unknown) => error);
  await thread.close();
  return outcome;
}

describe('a thread of jobs', () => {
  it('can be ended 60 times in the middle of compressing without taking the process with it', async () => {
    const program = startProgram({
      starter: import.meta,
      name: 'closer',
      heapMibMax: 64,
      priority: constants.priority.PRIORITY_NORMAL,
    });
    const reports: unknown[] = [];
    program.on('message', (report) => reports.push(report));
    expect(await once(program, 'exit')).toEqual([0, null]);
    expect(reports).toEqual([{ refusals: 60 }]);
  });

  it('refuses the job that it is ended in, and every later one', async () => {
    const thread = jobThread(1000);
    const job = thread.run('compress');
    await sleep(50);
    expect(await endedIn(thread, job)).toMatchObject({ code: 'shutting_down' });
    await expect(thread.run('nothing')).rejects.toThrow('Nothing is compressed now.');
    await thread.close();
  });

  it('is terminated when its job gives it no turn in which it could end itself', async () => {
    const thread = jobThread(1000);
    const job = thread.run('be busy');
    await sleep(50);
    expect(await endedIn(thread, job)).toMatchObject({ code: 'shutting_down' });
  });

  it('is ended when it has had no jobs for a while, and another does those that come then', async () => {
    const thread = jobThread(1);
    for (let i = 0; i < 20; i++) {
      await thread.run('nothing');
      await sleep(i % 4);
    }
    await thread.close();
    expect(await thread.run('nothing').catch((error: Error) => error.message)).toContain('now');
  });
});
