import { createLogFollower, type FrameSink } from '@allsource/service-kit/feed';
import type { Logger } from '@allsource/service-kit/observability';
import { problem } from '@allsource/shared/errors';
import { assert } from '@allsource/shared/lang';
import { type Position, POSITION_ZERO } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { FrameRange, ReadFrames } from '../history/block-repairs.ts';

/** How long a stretch of the log may take to come. */
const RANGE_TIMEOUT_MS = 30_000;

export interface FrameReaderOptions {
  readonly coreUrl: string;
  readonly logger: Logger;
  /** The secret with which core lets its feed be read; null while it is not there. */
  readonly internalToken: () => string | null;
}

/** Reads stretches of the log from core's feed, with all the checks of a follower: a follower of its own for each stretch. */
export function frameReader({ coreUrl, logger, internalToken }: FrameReaderOptions): ReadFrames {
  return async (range, onFrame) => {
    const token = internalToken();
    if (token === null)
      throw problem('starting', 'The log cannot be read yet: the internal token is not there.');
    const sink = new RangeSink(range, onFrame);
    const follower = createLogFollower({ coreUrl, internalToken: token, sink, logger });
    follower.start();
    const isReached = await follower.waitFor(range.last, RANGE_TIMEOUT_MS);
    const { fault } = follower.status;
    await follower.close();
    if (sink.isForeign)
      throw problem('upstream_unavailable', 'Core has another log than the read store.');
    if (!isReached)
      throw problem(
        'upstream_unavailable',
        `Core's log was not read up to ${range.last}: ${fault ?? 'it did not come in time'}.`,
      );
  };
}

/** Takes the frames of a range and lets those behind it pass. */
class RangeSink implements FrameSink {
  readonly #range: FrameRange;
  readonly #onFrame: (frame: Frame) => void;
  appliedPosition: Position;
  logId: string | null;
  isForeign = false;

  constructor(range: FrameRange, onFrame: (frame: Frame) => void) {
    this.#range = range;
    this.#onFrame = onFrame;
    this.appliedPosition = range.after;
    this.logId = range.logId;
  }

  apply(frames: readonly Frame[]): void {
    for (const frame of frames) {
      if (frame.position > this.#range.last || this.isForeign) break;
      assert(frame.lastPosition <= this.#range.last, 'a block ends where a frame ends');
      this.#onFrame(frame);
    }
    this.appliedPosition = frames.at(-1)?.lastPosition ?? this.appliedPosition;
  }

  advance(position: Position): void {
    this.appliedPosition = position;
  }

  reset(): void {
    this.isForeign = true;
    this.appliedPosition = POSITION_ZERO;
    this.logId = null;
  }
}
