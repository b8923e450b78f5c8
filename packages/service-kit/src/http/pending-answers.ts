import type { Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

interface Newest {
  readonly answer: ServerResponse;
  /** The answer before it, unless that had been sent when this request came. */
  readonly before: ServerResponse | null;
}

/**
 * The answers that are due on each connection of a server. A client may send its next requests before it has an answer, and takes what comes for the answers in the order
 * of its requests; so whatever is written beside them has to wait for them.
 */
export class PendingAnswers {
  readonly #newest = new WeakMap<Duplex, Newest>();

  constructor(server: Server) {
    server.prependListener('request', ({ socket }, answer) => {
      const last = this.#newest.get(socket)?.answer;
      const before = last === undefined || last.writableFinished ? null : last;
      this.#newest.set(socket, { answer, before });
    });
  }

  /** Whether a request of this connection has yet to have its whole answer. */
  isDue(socket: Duplex): boolean {
    return this.#newest.get(socket)?.answer.writableFinished === false;
  }

  /** The answer to the request of which a part has come, and not yet the whole; null when there is none. */
  ofUnfinishedRequest(socket: Duplex): ServerResponse | null {
    const answer = this.#newest.get(socket)?.answer;
    return answer === undefined || answer.req.complete ? null : answer;
  }

  /** Calls back when the requests that came whole have their answers: at once, if they have. Never, when the connection closes before. */
  afterWholeRequests(socket: Duplex, then: () => void): void {
    const newest = this.#newest.get(socket);
    const last = newest?.answer.req.complete === false ? newest.before : newest?.answer;
    if (last === undefined || last === null || last.writableFinished) then();
    else last.once('finish', then);
  }
}
