/** A program for tests: ends threads in the middle of their jobs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { JobThread, threadFile } from '../../src/threads/index.ts';
import type { TestJob } from './compress.worker.ts';

const THREADS = 60;

let refusals = 0;
for (let i = 0; i < THREADS; i++) {
  const thread = new JobThread<TestJob, void>({
    file: threadFile(import.meta, 'compress'),
    heapMibMax: 64,
    idleMs: 1000,
    closedDetail: 'closed',
  });
  await thread.run('nothing');
  const job = thread.run('compress').catch(() => (refusals += 1));
  await sleep(Math.random() * 5);
  await thread.close();
  await job;
}
process.send?.({ refusals });
