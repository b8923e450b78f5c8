/**
 * The thread that makes sealed drafts (`seal-segment.ts`), so that compression and hashing never hold up an append. One job at a time, in leftover time
 * and at a set pace, because the processor and the disk belong to the appends first.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { takeLeftoverTimeOnly } from '@allsource/service-kit/processes';
import { must } from '@allsource/shared/lang';
import { asError, diskErrorCode } from '../storage/disk.ts';
import { NodeDisk } from '../storage/node-disk.ts';
import { type SealJob, sealSegment } from './seal-segment.ts';
import type { SealAnswer, SealWorkerOptions } from './worker-sealer.ts';

/** Waits shorter than this are saved up: a timer is late by about a millisecond. */
const SLEEP_MS_MIN = 5;

const { folder, bytesPerSecond } = workerData as SealWorkerOptions;
const port = must(parentPort, 'a worker has a parent');
const disk = new NodeDisk(folder);

takeLeftoverTimeOnly();

/** A stretch of work may take the time that its bytes have at the set rate; what is left of it is slept. */
class Pace {
  #dueMs = performance.now();

  async wait(bytes: number): Promise<void> {
    const nowMs = performance.now();
    this.#dueMs = Math.max(this.#dueMs, nowMs - SLEEP_MS_MIN) + (bytes / bytesPerSecond) * 1000;
    if (this.#dueMs - nowMs >= SLEEP_MS_MIN) await sleep(this.#dueMs - nowMs);
  }
}

async function answerTo(job: SealJob): Promise<SealAnswer> {
  const pace = new Pace();
  try {
    const draft = await sealSegment({ disk, pace: (bytes) => pace.wait(bytes) }, job);
    return { kind: 'made', draft };
  } catch (thrown) {
    return { kind: 'failed', code: diskErrorCode(thrown), message: asError(thrown).message };
  }
}

port.on('message', (job: SealJob) => {
  void answerTo(job).then((answer) => port.postMessage(answer));
});
