/**
 * The one way through the frames of a segment, for recovery and for reads. Each frame must pass its checksum, belong to this log, start at the expected
 * position and name the checksum of the frame before it; so a flipped bit, a stale frame and a frame of another place all end the
 * walk and are never handed on.
 *
 * The walk is in two halves, so that a caller goes through the frames at hand without waiting: `step` looks at the bytes read so far, `fill` reads
 * more. Each fill uses a buffer of its own, and a frame stays valid for as long as anybody holds it; unless the caller gives the walk a window to read into, when
 * a frame is valid until the next fill.
 */
import { type Position, positionAfter } from '@allsource/shared/model';
import { decodeFrame, type Frame } from '@allsource/shared/protocol';
import type { Mark } from './position-index.ts';

/** Where a walk reads: a file, or a pool of files on behalf of one. */
export interface ByteSource {
  read(target: Buffer, offset: number): Promise<number>;
  readNow(target: Buffer, offset: number): number;
}

export type WalkStep =
  | { readonly kind: 'frame'; readonly frame: Frame; readonly offset: number }
  /** The bytes at hand are used up: call `fill` with at least this many. */
  | { readonly kind: 'more'; readonly bytesNeeded: number }
  /** The end of the walk is reached, right behind a frame. */
  | { readonly kind: 'end' }
  /** Zeros where a frame would start. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'damaged'; readonly reason: string };

const NO_BYTES = Buffer.alloc(0);
const END: WalkStep = { kind: 'end' };

export class FrameWalk {
  readonly #source: ByteSource;
  readonly #logId: Buffer;
  #end: number;
  #offset: number;
  #position: Position;
  #checksum: number;
  #window: Buffer = NO_BYTES;
  #windowOffset: number;
  readonly #givenWindow: Buffer | null;

  /** A walk from a mark to the offset `end`, which no frame may pass. */
  constructor(at: {
    readonly source: ByteSource;
    readonly logId: Buffer;
    readonly start: Mark;
    readonly end: number;
    readonly window?: Buffer | null;
  }) {
    this.#source = at.source;
    this.#logId = at.logId;
    this.#end = at.end;
    this.#offset = at.start.offset;
    this.#windowOffset = at.start.offset;
    this.#position = at.start.position;
    this.#checksum = at.start.previousChecksum;
    this.#givenWindow = at.window ?? null;
  }

  /** Where the next frame starts, or should. */
  get offset(): number {
    return this.#offset;
  }

  /** The position that the next frame has, or should have. */
  get position(): Position {
    return this.#position;
  }

  /** The checksum of the frame before. */
  get checksum(): number {
    return this.#checksum;
  }

  /** The next frame of the bytes at hand. Anything but a frame is said again when asked again. */
  step(): WalkStep {
    if (this.#offset === this.#end) return END;
    const decoded = decodeFrame(this.#window, this.#offset - this.#windowOffset);
    if (decoded.kind === 'incomplete') return this.#moreOrDamaged(decoded.bytesNeeded);
    if (decoded.kind !== 'frame') return decoded;
    const { frame } = decoded;
    const fault = this.#linkFault(frame);
    if (fault !== null) return { kind: 'damaged', reason: fault };
    const { offset } = this;
    this.#offset += frame.bytes.length;
    this.#position = positionAfter(frame.position, frame.eventCount);
    this.#checksum = frame.checksum;
    return { kind: 'frame', frame, offset };
  }

  #moreOrDamaged(bytesNeeded: number): WalkStep {
    const left = this.#end - this.#offset;
    if (bytesNeeded <= left) return { kind: 'more', bytesNeeded };
    return {
      kind: 'damaged',
      reason: `a frame of ${bytesNeeded} bytes starts where ${left} are left`,
    };
  }

  #linkFault(frame: Frame): string | null {
    if (!frame.logId.equals(this.#logId)) return 'the frame belongs to another log';
    if (frame.position !== this.#position)
      return `the frame of position ${frame.position} lies where position ${this.#position} belongs`;
    if (frame.previousChecksum !== this.#checksum)
      return `the frame of position ${frame.position} does not follow the frame before it`;
    return null;
  }

  /** Reads until so many bytes are at hand from where the next frame starts. */
  async fill(bytes: number): Promise<void> {
    const { window, kept } = this.#nextWindow(bytes);
    const rest = window.subarray(kept);
    this.#accept(window, kept + (await this.#source.read(rest, this.#offset + kept)));
  }

  /** The same, blocking: for a few pages that are likely in the page cache. */
  fillNow(bytes: number): void {
    const { window, kept } = this.#nextWindow(bytes);
    const rest = window.subarray(kept);
    this.#accept(window, kept + this.#source.readNow(rest, this.#offset + kept));
  }

  /** A window that begins with what is left of the one before. */
  #nextWindow(bytes: number): { readonly window: Buffer; readonly kept: number } {
    const length = Math.min(bytes, this.#end - this.#offset);
    const given = this.#givenWindow;
    const window =
      given !== null && given.length >= length
        ? given.subarray(0, length)
        : Buffer.allocUnsafeSlow(length);
    return { window, kept: this.#window.copy(window, 0, this.#offset - this.#windowOffset) };
  }

  #accept(window: Buffer, bytes: number): void {
    this.#window = window.subarray(0, bytes);
    this.#windowOffset = this.#offset;
    // A file that is shorter than it was is walked to where it ends, and what is missing is named.
    if (bytes < window.length) this.#end = this.#offset + bytes;
  }
}
