/**
 * Seals in a thread of its own. The thread is started by the first job and stays for the next; `close` ends it wherever it is, which leaves a
 * draft as a crash does. It reads raw segments and writes drafts, and gives nothing a name, so it needs no epoch.
 */
import { JobThread, threadFile } from '@allsource/service-kit/threads';
import type { SealedDraft, SealJob } from './seal-segment.ts';
import type { SegmentSealer } from './sealing.ts';

export interface SealWorkerOptions {
  /** The folder of the log. */
  readonly folder: string;
  /** Bytes of raw segments that are worked through in a second, at most. Each segment is gone through twice. */
  readonly bytesPerSecond: number;
}

/** What the thread holds beside the windows that it reads: far more than it needs, so that a fault cannot take the memory of the appends. */
const HEAP_MIB_MAX = 128;
/** How long a thread without jobs is kept. */
const IDLE_MS = 60_000;

export class WorkerSealer implements SegmentSealer {
  readonly #thread: JobThread<SealJob, SealedDraft>;

  constructor(options: SealWorkerOptions) {
    this.#thread = new JobThread({
      file: threadFile(import.meta, 'seal'),
      workerData: options,
      heapMibMax: HEAP_MIB_MAX,
      idleMs: IDLE_MS,
      closedDetail: 'No segment is sealed any more: the log is being closed.',
    });
  }

  seal(job: SealJob): Promise<SealedDraft> {
    return this.#thread.run(job);
  }

  close(): Promise<void> {
    return this.#thread.close();
  }
}
