/**
 * All live connections of core, WebSocket and SSE: how many there may be, the one clock that looks after them, and their end at shutdown.
 *
 * Every tick each connection looks whether its caller's right still holds, sends its heartbeat when one is due, and ends when it is dead. So a key that
 * has expired or was revoked is out within one tick, whatever the connection is doing.
 */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

const TICK_MS_DEFAULT = 2_000;
const END_GRACE_MS = 2_000;

export interface LiveConnection {
  /** Looks after itself: rights, heartbeat, death. */
  tick(): void;
  /** Ends because the service stops; the connection removes itself when it is closed. */
  endForShutdown(): void;
  /** Cuts the connection, whatever its client does. */
  terminate(): void;
}

export interface LiveConnectionsOptions {
  readonly connectionsMax?: number;
  readonly tickMs?: number;
}

export class LiveConnections {
  readonly #connectionsMax: number;
  readonly #tickMs: number;
  readonly #open = new Set<LiveConnection>();
  #timer: NodeJS.Timeout | null = null;
  #allClosed: (() => void) | null = null;
  #isClosing = false;

  constructor(options: LiveConnectionsOptions = {}) {
    this.#connectionsMax = options.connectionsMax ?? LIMITS.liveConnectionsMax;
    this.#tickMs = options.tickMs ?? TICK_MS_DEFAULT;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws `too_many_connections` or `shutting_down` when no connection may be added. */
  requireRoom(): void {
    if (this.#isClosing)
      throw problem('shutting_down', 'The service is shutting down; connect again in a moment.');
    if (this.#open.size < this.#connectionsMax) return;
    throw problem(
      'too_many_connections',
      `There are ${this.#open.size} live connections, which is the limit; try again later.`,
      { limit: this.#connectionsMax },
    );
  }

  /** Looks after a connection until it is removed. Throws as {@link requireRoom}. */
  add(connection: LiveConnection): void {
    this.requireRoom();
    this.#open.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs);
  }

  /** Forgets a connection that has closed. */
  remove(connection: LiveConnection): void {
    this.#open.delete(connection);
    if (this.#open.size > 0) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#allClosed?.();
  }

  #tick(): void {
    for (const connection of this.#open) connection.tick();
  }

  /** Takes no more connections, ends all that are open and resolves when they have closed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#open.size === 0) return;
    const allClosed = new Promise<void>((resolve) => {
      this.#allClosed = resolve;
    });
    for (const connection of this.#open) connection.endForShutdown();
    const grace = setTimeout(() => {
      for (const connection of this.#open) connection.terminate();
    }, END_GRACE_MS);
    await allClosed;
    clearTimeout(grace);
  }
}
