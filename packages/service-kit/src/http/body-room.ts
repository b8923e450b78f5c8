/**
 * How many bytes of request bodies a service holds at once, whatever the number of its clients: each body may be large, and some hundreds of them together would
 * fill the memory. A body that does not fit is refused before it is read, so nobody waits behind a client that sends slowly.
 *
 * The first bytes of each body are free: small requests are let in while large ones fill the room.
 */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

/** What one body takes. */
export interface BodyHold {
  /** Says that the body has so many bytes more. Throws `overloaded` when there is no room for them. */
  grow(bytes: number): void;
  /** Says that the body is gone. May be called twice. */
  release(): void;
}

const NOTHING: BodyHold = { grow: () => undefined, release: () => undefined };

export interface BodyRoomOptions {
  readonly bytesMax?: number;
  readonly freeBytes?: number;
}

export class BodyRoom {
  readonly #bytesMax: number;
  readonly #freeBytes: number;
  #bytes = 0;

  constructor({ bytesMax, freeBytes }: BodyRoomOptions = {}) {
    this.#bytesMax = bytesMax ?? LIMITS.heldBodyBytesMax;
    this.#freeBytes = freeBytes ?? LIMITS.freeBodyBytes;
  }

  /** Bytes that are taken at the moment. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes room for a body of a known length. Throws `overloaded` when there is none. */
  holdOf(bytes: number): BodyHold {
    if (bytes <= this.#freeBytes) return NOTHING;
    const hold = this.hold();
    hold.grow(bytes);
    return hold;
  }

  /** Room for a body that tells its length as it comes. */
  hold(): BodyHold {
    let seen = 0;
    let taken = 0;
    return {
      grow: (bytes) => {
        seen += bytes;
        const more = Math.max(0, seen - this.#freeBytes) - taken;
        if (this.#bytes + more > this.#bytesMax) throw noRoom(this.#bytesMax);
        taken += more;
        this.#bytes += more;
      },
      release: () => {
        this.#bytes -= taken;
        seen = 0;
        taken = 0;
      },
    };
  }
}

function noRoom(bytesMax: number): Error {
  return problem(
    'overloaded',
    `The bodies of other requests fill the ${bytesMax} bytes that there are for them. Nothing of this request was stored; send it again in a moment.`,
  );
}
