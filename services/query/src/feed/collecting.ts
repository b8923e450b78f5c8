import type { FrameSink } from '@allsource/service-kit/feed';
import type { YoungCollector } from '@allsource/service-kit/lifecycle';
import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';

/** A frame came in buffers of the connection, and was joined in one of its own. */
const BYTES_A_FRAME_BYTE = 2;

export interface CollectingOptions {
  readonly sink: FrameSink;
  readonly collector: Pick<YoungCollector, 'note'>;
}

/** A sink behind which the memory of frames is given back early. Left to itself, a catch-up spends as much processor time on full collections as on the events. */
export class Collecting implements FrameSink {
  readonly #sink: FrameSink;
  readonly #collector: Pick<YoungCollector, 'note'>;

  constructor({ sink, collector }: CollectingOptions) {
    this.#sink = sink;
    this.#collector = collector;
  }

  get appliedPosition(): Position {
    return this.#sink.appliedPosition;
  }

  get logId(): string | null {
    return this.#sink.logId;
  }

  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    await this.#sink.apply(frames, logId);
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
    this.#collector.note(bytes * BYTES_A_FRAME_BYTE);
  }

  advance(position: Position, logId: string): Promise<void> | void {
    return this.#sink.advance(position, logId);
  }

  reset(): Promise<void> | void {
    return this.#sink.reset();
  }
}
