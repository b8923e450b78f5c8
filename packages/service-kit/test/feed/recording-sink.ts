import { POSITION_ZERO, type Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { FrameSink } from '../../src/feed/frame-sink.ts';

/** A sink that remembers what it was given, and refuses what no follower may do. */
export class RecordingSink implements FrameSink {
  appliedPosition: Position = POSITION_ZERO;
  logId: string | null = null;
  /** Checksums by frame, in the order applied since the last reset. */
  readonly frames: { position: number; lastPosition: number; checksum: number }[] = [];
  readonly faults: string[] = [];
  applyCalls = 0;
  advances = 0;
  resets = 0;
  /** Called before anything is applied; what it throws makes the sink fail. */
  beforeApply: (frames: readonly Frame[]) => Promise<void> | void = () => {};
  readonly #isFiltered: boolean;
  #isBusy = false;

  constructor(isFiltered = false) {
    this.#isFiltered = isFiltered;
  }

  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    await this.#alone(async () => {
      this.applyCalls++;
      await this.beforeApply(frames);
      this.logId = logId;
      for (const frame of frames) this.#record(frame);
    });
  }

  async advance(to: Position, logId: string): Promise<void> {
    await this.#alone(() => {
      if (!this.#isFiltered) this.faults.push('advance of an unfiltered sink');
      if (to <= this.appliedPosition) this.faults.push(`advance to ${to}`);
      this.advances++;
      this.appliedPosition = to;
      this.logId = logId;
    });
  }

  async reset(): Promise<void> {
    await this.#alone(() => {
      this.resets++;
      this.frames.length = 0;
      this.appliedPosition = POSITION_ZERO;
      this.logId = null;
    });
  }

  #record(frame: Frame): void {
    const isNext = this.#isFiltered
      ? frame.position > this.appliedPosition
      : frame.position === this.appliedPosition + 1;
    if (!isNext) this.faults.push(`frame ${frame.position} after ${this.appliedPosition}`);
    if (this.#isFiltered && !frame.isSystem) this.faults.push(`foreign frame ${frame.position}`);
    this.appliedPosition = frame.lastPosition;
    this.frames.push({
      position: frame.position,
      lastPosition: frame.lastPosition,
      checksum: frame.checksum,
    });
  }

  async #alone(work: () => Promise<void> | void): Promise<void> {
    if (this.#isBusy) this.faults.push('two calls at a time');
    this.#isBusy = true;
    try {
      await work();
    } finally {
      this.#isBusy = false;
    }
  }
}
