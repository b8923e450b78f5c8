import type { Socket } from 'node:net';

const SOCKETS_MAX = 8;

/**
 * Sends the answers of one turn of the event loop a few at a time. Bytes that reach a client which sleeps cost the sender its wake-up (10 us and more on a virtual machine); what follows at once finds
 * it awake. At most {@link SOCKETS_MAX} answers wait, and none beyond the turn.
 */
export class AnswerBatch {
  #corked: Socket[] = [];

  /** Takes a corked socket with an answer in it, and uncorks it soon. */
  add(socket: Socket): void {
    const waiting = this.#corked.push(socket);
    if (waiting >= SOCKETS_MAX) this.#send();
    else if (waiting === 1) setImmediate(() => this.#send());
  }

  #send(): void {
    const corked = this.#corked;
    this.#corked = [];
    for (const socket of corked) socket.uncork();
  }
}
