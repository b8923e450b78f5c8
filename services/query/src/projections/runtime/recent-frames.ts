import { type Deferred, deferred } from '@allsource/shared/lang';
import { type Position, POSITION_ZERO } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';

const FRAMES_MAX = 10_000;
const BYTES_MAX = 16 * 1024 * 1024;
/** Given out at once. */
const BATCH_FRAMES_MAX = 1_000;

/** The newest frames of the log, from a position on; the oldest are let go when there are many. */
export class RecentFrames implements FrameSink {
  #position: Position;
  #logId: string | null;
  /** The position behind which it holds everything up to its own. */
  #after: number;
  #frames: Frame[] = [];
  #bytes = 0;
  #changed: Deferred<void> = deferred<void>();

  constructor(after: Position, logId: string) {
    this.#position = after;
    this.#after = after;
    this.#logId = logId;
  }

  get appliedPosition(): Position {
    return this.#position;
  }

  get logId(): string | null {
    return this.#logId;
  }

  /** True when the log behind core turned out to be another one: nobody can go on with it. */
  get isLost(): boolean {
    return this.#logId === null;
  }

  /** Resolves when something has come, or all is lost. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** The frames right behind a position, none while they have not come; null when they are not here and will not come. */
  after(position: number, logId: string): readonly Frame[] | null {
    if (this.#logId !== logId || position < this.#after) return null;
    // By halves: the first frame that begins behind the position.
    let [low, high] = [0, this.#frames.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#frames[middle] as Frame).position <= position) low = middle + 1;
      else high = middle;
    }
    const next = this.#frames.slice(low, low + BATCH_FRAMES_MAX);
    const [first] = next;
    return first === undefined || first.position === position + 1 ? next : null;
  }

  apply(frames: readonly Frame[], logId: string): void {
    this.#logId = logId;
    for (const frame of frames) {
      this.#frames.push(frame);
      this.#bytes += frame.bytes.length;
      this.#position = frame.lastPosition;
    }
    this.#trim();
    this.#notify();
  }

  advance(position: Position): void {
    this.#position = position;
  }

  reset(): void {
    this.#frames = [];
    this.#bytes = 0;
    this.#position = POSITION_ZERO;
    this.#logId = null;
    this.#notify();
  }

  #trim(): void {
    let count = 0;
    while (
      this.#frames.length - count > 1 &&
      (this.#bytes > BYTES_MAX || this.#frames.length - count > FRAMES_MAX)
    ) {
      const oldest = this.#frames[count] as Frame;
      this.#bytes -= oldest.bytes.length;
      this.#after = oldest.lastPosition;
      count += 1;
    }
    if (count > 0) this.#frames.splice(0, count);
  }

  #notify(): void {
    const changed = this.#changed;
    this.#changed = deferred<void>();
    changed.resolve();
  }
}
