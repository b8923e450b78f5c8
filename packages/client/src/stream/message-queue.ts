/**
 * The messages of one WebSocket between the network and a reader who takes his time. Bounded: a socket that can pause is paused while the queue is half
 * full; one that cannot is closed when it is full, and what is in the queue is still read. The reader connects again behind it.
 */
import type { WebSocketLike } from './web-socket.ts';

export interface QueueLimits {
  readonly messagesMax: number;
  readonly charactersMax: number;
}

export class MessageQueue {
  readonly #socket: WebSocketLike;
  readonly #limits: QueueLimits;
  #messages: unknown[] = [];
  #first = 0;
  #characters = 0;
  #isPaused = false;
  #isEnded = false;
  #overflowed = false;
  #wake: (() => void) | null = null;

  constructor(socket: WebSocketLike, limits: QueueLimits) {
    this.#socket = socket;
    this.#limits = limits;
  }

  /** True when it was full and the rest was left with the server. */
  get hasOverflowed(): boolean {
    return this.#overflowed;
  }

  get #length(): number {
    return this.#messages.length - this.#first;
  }

  push(data: unknown): void {
    if (this.#isEnded) return;
    this.#messages.push(data);
    this.#characters += charactersOf(data);
    if (this.#fill > 0.5) this.#pause();
    // A socket that pauses may still hand over what it had read, so it has all of the room above the half for that.
    if (this.#fill >= 1 && this.#socket.pause === undefined) {
      this.#overflowed = true;
      this.end();
      this.#socket.close(1000, 'The reader is behind and connects again.');
    }
    this.#wake?.();
  }

  /** No more messages come. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** The next message, as soon as there is one; null when there are no more. */
  async next(): Promise<{ readonly data: unknown } | null> {
    while (this.#length === 0) {
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    return { data: this.#take() };
  }

  #take(): unknown {
    const data = this.#messages[this.#first];
    this.#messages[this.#first] = undefined;
    this.#first += 1;
    this.#characters -= charactersOf(data);
    if (this.#first >= 1024 && this.#first * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#first);
      this.#first = 0;
    }
    if (this.#isPaused && this.#fill < 0.25) {
      this.#isPaused = false;
      this.#socket.resume?.();
    }
    return data;
  }

  get #fill(): number {
    const { messagesMax, charactersMax } = this.#limits;
    return Math.max(this.#length / messagesMax, this.#characters / charactersMax);
  }

  #pause(): void {
    if (this.#isPaused || this.#isEnded) return;
    this.#isPaused = true;
    this.#socket.pause?.();
  }
}

function charactersOf(data: unknown): number {
  return typeof data === 'string' ? data.length : 0;
}
