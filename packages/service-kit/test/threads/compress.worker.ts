/** A thread for tests. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { zstdCompressSync } from 'node:zlib';
import { serveJobs } from '../../src/threads/index.ts';

/** Compresses small texts until it is ended, or is busy without a turn of its loop until it is terminated. */
export type TestJob = 'compress' | 'be busy' | 'nothing';

const TEXT = Buffer.from('a small text');

serveJobs(async (job: TestJob) => {
  if (job === 'be busy') for (;;);
  if (job === 'compress') await compress();
});

async function compress(): Promise<never> {
  for (;;) {
    for (let i = 0; i < 1000; i++) zstdCompressSync(TEXT);
    await nextTurn();
  }
}
