/**
 * Chooses how to wait for a sync. A blocking fdatasync saves the hop to the thread pool and back, which is a third of the time of a lone client's
 * append (measured: 260 us against 365 us), but nothing else runs meanwhile. With four clients and more the pool gives more appends, for it syncs one
 * group while the next is filled (measured: 7 % more with 4 clients, 18 % with 16 and with 64), and a mixture of both is worse than either. So a sync blocks
 * only while the groups tell of one or two clients, are small, and while the disk answers quickly.
 */

const BLOCKING_BYTES_MAX = 16 * 1024;
/** A group of more frames shows more clients than two. */
const BLOCKING_FRAMES_MAX = 2;
/** So many groups in a row must be small before a sync blocks again: with several clients in turn some groups have one frame. */
const SMALL_GROUPS_MIN = 64;
/** A disk slower than this is waited for in the thread pool: a stall of the event loop then costs more than the hop. */
const BLOCKING_MS_MAX = 1;

export class SyncChoice {
  readonly #nowMs: () => number;
  #lastMs = 0;
  #startedMs = 0;
  /** Groups in a row that one or two clients can have made. */
  #smallGroups = SMALL_GROUPS_MIN;

  /** `nowMs` is a clock that never goes back. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** True when the sync of a group should block. Called right before it. */
  begin(group: { readonly frames: number; readonly bytes: number }): boolean {
    this.#startedMs = this.#nowMs();
    this.#smallGroups = group.frames > BLOCKING_FRAMES_MAX ? 0 : this.#smallGroups + 1;
    return (
      this.#smallGroups >= SMALL_GROUPS_MIN &&
      group.bytes <= BLOCKING_BYTES_MAX &&
      this.#lastMs <= BLOCKING_MS_MAX
    );
  }

  /** Called when the sync is done. */
  end(): void {
    this.#lastMs = this.#nowMs() - this.#startedMs;
  }
}
