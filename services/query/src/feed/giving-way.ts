import { setTimeout as sleep } from 'node:timers/promises';
import type { FrameSink, LogFollower } from '@allsource/service-kit/feed';
import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';

/** So far behind, a follower has log to catch up with; less is what comes in while it works: some batches. */
const FAR_BEHIND = 3_000;
/** Events applied between two looks at the other follower: tens of milliseconds. */
const EVENTS_A_LOOK = 1_000;
const LOOK_MS = 20;
/** A follower that has not moved for so long is not waited for. */
const PATIENCE_MS = 500;

/** True while a follower has far to go to the end of the log. */
export function isFarBehind({ status }: Pick<LogFollower, 'status'>): boolean {
  return status.knownHead - status.appliedPosition > FAR_BEHIND;
}

/** Where the frames end that are applied before the other follower is looked at again: one at least. */
function endOfGroup(frames: readonly Frame[], from: number): number {
  let end = from;
  for (let events = 0; end < frames.length && events < EVENTS_A_LOOK; end++)
    events += (frames[end] as Frame).eventCount;
  return end;
}

export interface GivingWayOptions {
  readonly sink: FrameSink;
  /** Who goes first. */
  readonly first: Pick<LogFollower, 'status'>;
}

/**
 * A sink that lets another follower catch up first. All stores are filled on one thread, so without an order each would be as late as all of them
 * together. One that does not move, such as on a full disk, holds nobody up.
 */
export class GivingWay implements FrameSink {
  readonly #sink: FrameSink;
  readonly #first: Pick<LogFollower, 'status'>;

  constructor({ sink, first }: GivingWayOptions) {
    this.#sink = sink;
    this.#first = first;
  }

  get appliedPosition(): Position {
    return this.#sink.appliedPosition;
  }

  get logId(): string | null {
    return this.#sink.logId;
  }

  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    for (let from = 0; from < frames.length; ) {
      const end = endOfGroup(frames, from);
      await this.#giveWay();
      await this.#sink.apply(frames.slice(from, end), logId);
      from = end;
    }
  }

  advance(position: Position, logId: string): Promise<void> | void {
    return this.#sink.advance(position, logId);
  }

  reset(): Promise<void> | void {
    return this.#sink.reset();
  }

  async #giveWay(): Promise<void> {
    let seen = this.#first.status.appliedPosition;
    for (let stillMs = 0; stillMs < PATIENCE_MS && isFarBehind(this.#first); stillMs += LOOK_MS) {
      await sleep(LOOK_MS);
      const { appliedPosition } = this.#first.status;
      if (appliedPosition !== seen) stillMs = 0;
      seen = appliedPosition;
    }
  }
}
