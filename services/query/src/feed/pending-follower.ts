import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import type { FollowerStatus, FrameSink, LogFollower } from '@allsource/service-kit/feed';

/**
 * A follower that can be asked before it can follow: until the secret is there with which core lets it read, reads are answered with what
 * is missing. Then it passes everything on.
 */
export class PendingFollower implements LogFollower {
  readonly #sink: FrameSink;
  readonly #missing: string;
  #follower: LogFollower | null = null;
  #isClosed = false;

  constructor(options: { readonly sink: FrameSink; readonly missing: string }) {
    this.#sink = options.sink;
    this.#missing = options.missing;
  }

  /** Gives it the follower to be, and starts that. */
  follow(follower: LogFollower): void {
    if (this.#isClosed) return;
    this.#follower = follower;
    follower.start();
  }

  start(): void {
    this.#follower?.start();
  }

  get status(): FollowerStatus {
    if (this.#follower !== null) return this.#follower.status;
    const { appliedPosition } = this.#sink;
    return {
      hasCaughtUp: false,
      appliedPosition,
      knownHead: appliedPosition,
      fault: this.#missing,
    };
  }

  async coreHead(): Promise<Position> {
    if (this.#follower !== null) return await this.#follower.coreHead();
    throw problem('starting', this.#missing);
  }

  waitFor(position: Position, timeoutMs: number): Promise<boolean> {
    if (this.#follower !== null) return this.#follower.waitFor(position, timeoutMs);
    return Promise.resolve(this.#sink.appliedPosition >= position);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#follower?.close();
  }
}
