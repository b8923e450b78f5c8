/**
 * How many events a second a process of a replay may fold at the moment. While this service answers reads they are fewer: a read that meets a replay at work waits longer, so the share of a
 * second that a replay works is what it costs the slowest reads.
 */

/** How often it is looked. */
export const PACE_LOOK_MS = 1_000;
/** Fewer reads between two looks are those of somebody who watches the replay. */
const READS_FEW = 20;
/** So many looks in a row with few reads, and nobody reads. */
const QUIET_LOOKS = 3;

export interface ReplayPaceOptions {
  /** While nobody reads. Setting ALLSOURCE_REPLAY_EVENTS_PER_S. */
  readonly eventsPerSecond: number;
  /** While reads are answered. Setting ALLSOURCE_REPLAY_EVENTS_PER_S_BESIDE_READS. */
  readonly eventsPerSecondBesideReads: number;
  /** Reads that this service has answered so far. */
  readonly readsAnswered: () => number;
}

export class ReplayPace {
  readonly #options: ReplayPaceOptions;
  #answered: number;
  /** One quiet look is enough for a replay that begins. */
  #quietLooks = QUIET_LOOKS - 1;

  constructor(options: ReplayPaceOptions) {
    this.#options = options;
    this.#answered = options.readsAnswered();
  }

  /** What it is until the next look. */
  get eventsPerSecond(): number {
    const { eventsPerSecond, eventsPerSecondBesideReads } = this.#options;
    return this.#quietLooks >= QUIET_LOOKS
      ? eventsPerSecond
      : Math.min(eventsPerSecond, eventsPerSecondBesideReads);
  }

  /** Looks how many reads were answered since the last look. */
  look(): void {
    const answered = this.#options.readsAnswered();
    const isQuiet = answered - this.#answered < READS_FEW;
    this.#answered = answered;
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0;
  }
}
