import type { Position } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import type { Stretch } from '../storage/stretch.ts';

/**
 * What every reader inside core sees of the log: nothing past the watermark. The append path implements it; the feed, the streams,
 * the consumers and the entity reads use it.
 */
export interface DurableLog {
  /** The watermark: position of the last durable event, 0 when there is none. It only grows. */
  readonly head: Position;
  readonly logId: Buffer;
  /** The frames from the one that holds `from` (at least 1) to the head of the moment of the call. */
  read(from: Position): AsyncIterable<Stretch>;
  /** The event at a position from 1 to the head, where it is had without its whole frame (see LogStore); null where it is not. */
  readEvent?(at: Position): Promise<FrameEvent | null>;
  /**
   * Calls `listener` with each frame that becomes durable from now on, in position order, synchronously, before `head` readers can be asked
   * again. The listener must not throw and must not block. Returns how to stop.
   */
  subscribe(listener: (frame: Frame) => void): () => void;
}
