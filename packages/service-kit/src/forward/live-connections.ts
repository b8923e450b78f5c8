import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

/** The connections that stay open for as long as their client likes: WebSockets and server-sent events. Counted, and ended at the stop. */
export class LiveConnections {
  readonly #enders = new Set<() => void>();
  #isClosed = false;

  get count(): number {
    return this.#enders.size;
  }

  /**
   * Counts one more; `end` closes it when the service stops. Returns how to count it off again. Throws `too_many_connections` or
   * `shutting_down`.
   */
  admit(end: () => void): () => void {
    if (this.#isClosed) throw problem('shutting_down', 'The service is stopping. Connect again.');
    const limit = LIMITS.liveConnectionsMax;
    if (this.#enders.size >= limit) {
      throw problem('too_many_connections', `${limit} live connections are open already.`, {
        limit,
      });
    }
    // A function of its own, so that one that is passed twice counts twice.
    const ender = () => end();
    this.#enders.add(ender);
    return () => this.#enders.delete(ender);
  }

  /** Ends all of them and admits no more. */
  close(): void {
    this.#isClosed = true;
    for (const end of this.#enders) end();
    this.#enders.clear();
  }
}
