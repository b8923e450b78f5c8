import { AccessDirectory } from '@allsource/shared/access';
import { POSITION_ZERO, type Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { FrameSink } from '../feed/frame-sink.ts';

/** Tenants and keys, folded in memory from the system frames of the log. It begins empty at every start. */
export class AccessSink implements FrameSink {
  readonly directory = new AccessDirectory();
  #position = POSITION_ZERO;
  #logId: string | null = null;

  get appliedPosition(): Position {
    return this.#position;
  }

  get logId(): string | null {
    return this.#logId;
  }

  apply(frames: readonly Frame[], logId: string): void {
    for (const frame of frames) {
      this.directory.apply(frame);
      this.#position = frame.lastPosition;
    }
    this.#logId = logId;
  }

  advance(position: Position, logId: string): void {
    this.#position = position;
    this.#logId = logId;
  }

  reset(): void {
    this.directory.clear();
    this.#position = POSITION_ZERO;
    this.#logId = null;
  }
}
