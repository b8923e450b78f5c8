import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/**
 * A WebSocket that says when more may be sent: while at most `bytesMax` wait in it. Once it is full it is ready again when half of that
 * has left. A socket that has closed is always ready; what is sent to it goes nowhere.
 *
 * Messages come as the bytes of whole frames and are written to the connection itself: `ws` would make the same bytes anew for each subscriber. They stand in one line with the frames
 * that `ws` writes (pings, the close), because both write whole frames to one stream. The first message of a turn leaves at once; those that follow in the same turn leave
 * together when it ends: a system call for each would cost more than all else.
 */
export class PacedSocket {
  readonly #socket: WebSocket;
  readonly #connection: Duplex;
  readonly #bytesMax: number;
  readonly #onSent = (error?: Error | null): void => this.#noteSent(error ?? null);
  #sentIn = NO_TURN;
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

  /** Sends a message: the bytes of a whole frame. */
  send(message: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const turn = currentTurn();
    if (turn === this.#sentIn) this.#cork();
    this.#sentIn = turn;
    this.#connection.write(message, this.#onSent);
    if (this.#connection.writableLength > this.#bytesMax) this.#isFull = true;
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
    if (!this.#isFull || this.#connection.writableLength > this.#bytesMax / 2) return;
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

const NO_TURN = -1;
let turn = 0;
let isTurnEnding = false;

/** The number of the turn of the event loop; one tick ends it for all sockets. */
function currentTurn(): number {
  if (!isTurnEnding) {
    isTurnEnding = true;
    process.nextTick(() => {
      isTurnEnding = false;
      turn += 1;
    });
  }
  return turn;
}
