import type { Position } from '@allsource/shared/model';
import { Frame } from '@allsource/shared/protocol';

/** Bytes of frames that are kept. Beyond it they are let go of, and whoever wanted them begins again nearer to the head. */
const BYTES_MAX = 32 * 1024 * 1024;

export interface KeptFramesOptions {
  readonly tenant: string;
  readonly after: Position;
  readonly onClose: () => void;
}

/** The frames of a tenant that were folded since a position: what a generation lacks that was built up to there. */
export class KeptFrames {
  readonly #options: KeptFramesOptions;
  #frames: Frame[] = [];
  #bytes = 0;
  #last: number;

  constructor(options: KeptFramesOptions) {
    this.#options = options;
    this.#last = options.after;
  }

  /** The position behind which they begin. */
  get after(): Position {
    return this.#options.after;
  }

  /** The frames in order; null when they were too many. */
  get frames(): readonly Frame[] | null {
    return this.#bytes > BYTES_MAX ? null : this.#frames;
  }

  add(frame: Frame): void {
    // Frames come again after a fold that failed.
    if (frame.position <= this.#last || frame.tenant !== this.#options.tenant) return;
    this.#last = frame.lastPosition;
    this.#bytes += frame.bytes.length;
    // A copy, because a frame is a view into a larger piece of memory.
    if (this.#bytes <= BYTES_MAX) this.#frames.push(new Frame(Buffer.from(frame.bytes)));
    else this.#frames = [];
  }

  close(): void {
    this.#options.onClose();
  }
}
