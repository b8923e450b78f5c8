/**
 * The thread that makes sealed drafts (`seal-segment.ts`), so that compression and hashing never hold up an append. One job at a time, in leftover time
 * and at a set pace, because the processor and the disk belong to the appends first.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { takeLeftoverTimeOnly } from '@allsource/service-kit/processes';
import { serveJobs } from '@allsource/service-kit/threads';
import { NodeDisk } from '../storage/node-disk.ts';
import { type SealJob, sealSegment } from './seal-segment.ts';
import type { SealWorkerOptions } from './worker-sealer.ts';

/** Waits shorter than this are saved up: a timer is late by about a millisecond. */
const SLEEP_MS_MIN = 5;

const { folder, bytesPerSecond } = workerData as SealWorkerOptions;
const disk = new NodeDisk(folder);

takeLeftoverTimeOnly();

/** A stretch of work may take the time that its bytes have at the set rate; what is left of it is slept. Between two stretches the thread can be ended. */
class Pace {
  #dueMs = performance.now();

  async wait(bytes: number): Promise<void> {
    const nowMs = performance.now();
    this.#dueMs = Math.max(this.#dueMs, nowMs - SLEEP_MS_MIN) + (bytes / bytesPerSecond) * 1000;
    const restMs = this.#dueMs - nowMs;
    await (restMs >= SLEEP_MS_MIN ? sleep(restMs) : nextTurn());
  }
}

serveJobs((job: SealJob) => {
  const pace = new Pace();
  return sealSegment({ disk, pace: (bytes) => pace.wait(bytes) }, job);
});
