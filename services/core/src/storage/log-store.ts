/**
 * The port under core: a log with compare-and-append, small enough that any engine with a conditional put can carry it. What lies above
 * (versions, idempotency, folds) is the same for every engine.
 *
 * Promise: when `append` resolves with `appended`, every frame of the call is durable, in order, behind the former head. `open`
 * fences: after it, an `append` of a former writer of the same log fails with `head_moved` or `failed`. `read` shows only what is durable. One
 * caller at a time: the next `append` is called after the one before has resolved. After `failed` the store takes no appends until
 * it is opened again, except for `full` and `busy`, which leave the store as it was before the call.
 */
import type { Position } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import type { Stretch } from './stretch.ts';

/** Where a log ends, and which log it is. */
export interface LogHead {
  /** The position of the last durable event; 0 when the log is empty. */
  readonly position: Position;
  /** The checksum of the last frame; 0 when the log is empty. */
  readonly checksum: number;
  /** Eight bytes that name this log, made once with it. */
  readonly logId: Buffer;
  /** Fixed when the log is made. */
  readonly partitionCount: number;
}

export type StoreAppendOutcome =
  | { readonly kind: 'appended' }
  /** Another writer has appended: this one must not go on. */
  | { readonly kind: 'head_moved'; readonly head: Position }
  /** Nothing of the call is durable and later appends may succeed once there is space. */
  | { readonly kind: 'full'; readonly cause: Error }
  /** Nothing of the call is durable, and nothing is wrong with the log: the process was short of file handles or memory. */
  | { readonly kind: 'busy'; readonly cause: Error }
  /** It is unknown what of the call is durable: the store is poisoned until it is opened again. */
  | { readonly kind: 'failed'; readonly cause: Error };

/** The end of one frame of one log. */
export interface LogAnchor {
  readonly logId: Buffer;
  /** The frame's last position. */
  readonly position: Position;
  readonly checksum: number;
}

/** What a caller wants to see while a log is opened. */
export interface ReplayOnOpen {
  /**
   * Called with every durable frame behind `after` once, in order, in the same pass that verifies it, so that folds are built without reading
   * the log twice. It must not throw. When `open` throws afterwards, what was folded is worth nothing.
   */
  readonly onFrame?: (frame: Frame) => void;
  /** False: `onFrame` keeps no byte of a frame beyond the call, so the store may read the next ones into the same memory. Default true. */
  readonly keepsFrames?: boolean;
  /**
   * Where the replay begins: behind this frame, whose effect the caller has already. What lies before it need not be read now; it is verified
   * when it is read, as always. Without it the replay begins with the first frame.
   */
  readonly after?: LogAnchor;
  /** A frame that was durable once, which the caller knows from elsewhere. A log of that id that ends before it has lost acknowledged events. */
  readonly durable?: LogAnchor;
}

export interface LogStore {
  /**
   * Recovers what a crash left and returns the head. Throws a problem `log_damaged` when acknowledged data is damaged or missing; no
   * event on the disk is changed then. Throws `MissingAnchor` when `after` is no frame of this log; another store may then open it from the start.
   */
  open(replay?: ReplayOnOpen): Promise<LogHead>;
  /** Appends frames whose positions follow the head without a gap and whose checksums chain on. At least one frame. */
  append(frames: readonly Frame[]): Promise<StoreAppendOutcome>;
  /** The frames from the one that holds `from` to the head of the moment of the call, in order. `from` is at least 1. */
  read(from: Position): AsyncIterable<Stretch>;
  /**
   * The event at a durable position, where the engine can give one without its whole frame: its frame is then an excerpt with this event alone. Null where
   * the frame has to be read.
   */
  readEvent?(at: Position): Promise<FrameEvent | null>;
  /** Releases everything. May be called twice. */
  close(): Promise<void>;
}
