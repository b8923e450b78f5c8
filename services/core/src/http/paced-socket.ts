import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/**
 * A WebSocket that says when more may be sent: while at most `bytesMax` wait in it. Once it is full it is ready again when half of that
 * has left. A socket that has closed is always ready; what is sent to it goes nowhere. Messages sent in one turn of the event loop leave in one
 * write: a system call for each would cost more than all else.
 */
export class PacedSocket {
  readonly #socket: WebSocket;
  readonly #connection: Duplex;
  readonly #bytesMax: number;
  #isCorked = false;
  #isFull = false;
  #waiting: (() => void) | null = null;
  #lastSignOfLifeAt = performance.now();

  /** `connection` is what the socket writes to. */
  constructor(socket: WebSocket, connection: Duplex, bytesMax: number) {
    this.#socket = socket;
    this.#connection = connection;
    this.#bytesMax = bytesMax;
    socket.on('pong', () => this.noteSignOfLife());
    socket.once('close', () => {
      this.#isFull = false;
      this.#waiting?.();
    });
  }

  get isReady(): boolean {
    return !this.#isFull;
  }

  /** When the client last took or said something, on the clock of `performance.now`. */
  get lastSignOfLifeAt(): number {
    return this.#lastSignOfLifeAt;
  }

  noteSignOfLife(): void {
    this.#lastSignOfLifeAt = performance.now();
  }

  /** Sends a text message. */
  send(text: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#cork();
    this.#socket.send(text, { binary: false }, (error) => this.#noteSent(error ?? null));
    if (this.#socket.bufferedAmount > this.#bytesMax) this.#isFull = true;
  }

  #cork(): void {
    if (this.#isCorked) return;
    this.#isCorked = true;
    this.#connection.cork();
    process.nextTick(() => {
      this.#isCorked = false;
      this.#connection.uncork();
    });
  }

  #noteSent(error: Error | null): void {
    // A failed send is followed by `close`, which says all there is to say.
    if (error !== null) return;
    this.noteSignOfLife();
    if (!this.#isFull || this.#socket.bufferedAmount > this.#bytesMax / 2) return;
    this.#isFull = false;
    this.#waiting?.();
  }

  /** Resolves when more may be sent. */
  async ready(): Promise<void> {
    await this.readyWithin(Number.POSITIVE_INFINITY);
  }

  /** Resolves true as soon as more may be sent, false when that is not so after `waitMs`. One caller at a time. */
  readyWithin(waitMs: number): Promise<boolean> {
    if (!this.#isFull) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = Number.isFinite(waitMs) ? setTimeout(() => this.#waiting?.(), waitMs) : null;
      this.#waiting = () => {
        this.#waiting = null;
        if (timer !== null) clearTimeout(timer);
        resolve(!this.#isFull);
      };
    });
  }
}
