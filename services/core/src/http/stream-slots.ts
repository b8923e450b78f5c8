import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

/** Bounds how many streams of appends are taken in at once, and with it the memory of their groups. */
export class StreamSlots {
  readonly #streamsMax: number;
  #streams = 0;

  constructor(streamsMax: number = LIMITS.ingestStreamsMax) {
    this.#streamsMax = streamsMax;
  }

  /** Runs a stream. Throws `overloaded`, and does not begin, while there are as many as there may be. */
  async run(stream: () => Promise<void>): Promise<void> {
    if (this.#streams >= this.#streamsMax)
      throw problem(
        'overloaded',
        `${this.#streamsMax} streams of appends are being taken in, and no more at once. Nothing of this one was stored; send it again when one of them has ended.`,
      );
    this.#streams += 1;
    try {
      await stream();
    } finally {
      this.#streams -= 1;
    }
  }
}
