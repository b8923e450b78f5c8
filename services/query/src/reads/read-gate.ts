/**
 * The gate that every read passes. It makes reads linearizable: whoever was told that an append is durable, by anybody, sees it in every
 * read that begins afterwards.
 *
 * How: the read asks core for its head (calls that come while one is under way share the next) and waits until the read store has applied it.
 * A caller may ask for less: `consistency=eventual` reads what is there, `min_position=P` waits for the position of an append it knows of, beside either consistency.
 * A position beyond the end of the log is refused at once. When the wait passes its limit the answer is `read_behind` with the numbers, never a stale answer that does not say so.
 */
import { problem } from '@allsource/shared/errors';
import { type Position, position } from '@allsource/shared/model';
import type { Parameters } from '@allsource/shared/protocol';
import type { LogFollower } from '@allsource/service-kit/feed';
import type { ReadCall } from './read-call.ts';

/** The header that says at which position of the log an answer is true. */
export const POSITION_HEADER = 'x-allsource-position';

export interface ReadGateOptions {
  readonly follower: Pick<LogFollower, 'coreHead' | 'waitFor'>;
  /** The read store that the follower fills. */
  readonly store: { readonly appliedPosition: Position };
  /** How long a read waits for the store. Setting ALLSOURCE_READ_WAIT_MS. */
  readonly waitMs: number;
}

/** How new the store has to be for a read. */
export interface ReadWish {
  readonly isEventual: boolean;
  /** The position the caller has to see; null when it names none. */
  readonly minimum: Position | null;
}

/** Reads `consistency` and `min_position`. */
export function readWish(query: Parameters): ReadWish {
  const consistency = query.choice('consistency', ['strong', 'eventual'] as const);
  const minimum = query.integer('min_position', { min: 0, max: Number.MAX_SAFE_INTEGER });
  return {
    isEventual: consistency === 'eventual',
    minimum: minimum === null ? null : position(minimum),
  };
}

/** What a caller asks for who would rather not wait, inside a sentence. */
export function wayAround({ minimum }: ReadWish): string {
  const leaving = minimum === null ? '' : 'leave out min_position and ';
  return `${leaving}read what is there with consistency=eventual`;
}

export class ReadGate {
  readonly #options: ReadGateOptions;

  constructor(options: ReadGateOptions) {
    this.#options = options;
  }

  /**
   * Waits until the store is as new as the caller asks for. Returns the position it is true at, and says it in the answer's header. Throws
   * `read_behind` when that takes too long, and as `wantedPosition` does.
   */
  async admit(call: Pick<ReadCall, 'query' | 'response'>): Promise<Position> {
    await this.pass(readWish(call.query));
    return stampPosition(call, this.#options.store.appliedPosition);
  }

  /** The same, for a caller that has read the wish before and stamps the position itself. */
  async pass(wish: ReadWish): Promise<void> {
    const wanted = await this.wantedPosition(wish);
    if (wanted !== null && this.#options.store.appliedPosition < wanted)
      await this.#await(wanted, wish);
  }

  /**
   * The position that a store must be true at for a read; null: any will do. Throws `position_beyond_head` for one that the log does not have, and `upstream_unavailable` when
   * core has to be asked and does not answer.
   */
  async wantedPosition({ isEventual, minimum }: ReadWish): Promise<Position | null> {
    const { follower, store } = this.#options;
    if (minimum === null) return isEventual ? null : await follower.coreHead();
    if (minimum > store.appliedPosition) await requireInLog(minimum, follower);
    return minimum;
  }

  /** How long a read waits. */
  get waitMs(): number {
    return this.#options.waitMs;
  }

  async #await(wanted: Position, wish: ReadWish): Promise<void> {
    const { follower, store, waitMs } = this.#options;
    if (await follower.waitFor(wanted, waitMs)) return;
    const { appliedPosition } = store;
    throw problem(
      'read_behind',
      `The read store is at position ${appliedPosition} and did not reach ${wanted} within ${waitMs} ms. ` +
        `Try again, or ${wayAround(wish)}.`,
      {
        applied_position: appliedPosition,
        wanted_position: wanted,
        lag: wanted - appliedPosition,
        waited_ms: waitMs,
      },
    );
  }
}

/** Throws `position_beyond_head` for a position that no append has been told of, and `upstream_unavailable` when core does not answer. */
export async function requireInLog(
  minimum: Position,
  follower: Pick<LogFollower, 'coreHead'>,
): Promise<void> {
  const head = await follower.coreHead();
  if (minimum <= head) return;
  throw problem(
    'position_beyond_head',
    `No event has the position ${minimum} of min_position: the log ends at ${head}. Name the position that an append or a read was answered with.`,
    { parameter: 'min_position', position: minimum, head },
  );
}

/**
 * Says in the header at which position the answer is true, and returns it. A store may move on with every turn, so whoever reads more than one
 * thing of it asks for its position in the same turn.
 */
export function stampPosition(
  call: Pick<ReadCall, 'response'>,
  appliedPosition: Position,
): Position {
  call.response.setHeader(POSITION_HEADER, String(appliedPosition));
  return appliedPosition;
}
