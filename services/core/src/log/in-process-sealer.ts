import type { Disk } from '../storage/disk.ts';
import { type SealedDraft, type SealJob, sealSegment } from './seal-segment.ts';
import type { SegmentSealer } from './sealing.ts';

/** Seals in the thread of its caller: for disks that only this thread knows, such as a simulated one. */
export class InProcessSealer implements SegmentSealer {
  readonly #disk: Disk;
  #isClosed = false;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async seal(job: SealJob): Promise<SealedDraft> {
    return sealSegment({ disk: this.#disk, pace: () => this.#turn() }, job);
  }

  /** Lets other work of the event loop go first. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#isClosed) throw new RangeError('the sealer has been closed');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }
}
