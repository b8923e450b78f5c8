/** The heads of answers: what Node's HTTP server would write, made once a second instead of once a request. */
import { STATUS_CODES } from 'node:http';

const JSON_TYPE = 'application/json; charset=utf-8';

/** Makes answer heads with the time of the wall clock, for connections that are kept `keepAliveMs`. */
export class AnswerHeads {
  readonly #keepAlive: string;
  #second = 0;
  #common = '';

  constructor(keepAliveMs: number) {
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`;
  }

  /** The head of an answer with this status and body. `headers` are whole lines, each with its end. */
  head(answer: {
    readonly status: number;
    /** Null: it is sent in chunks. */
    readonly bodyBytes: number | null;
    readonly contentType?: string;
    readonly headers?: string;
    readonly isLast: boolean;
  }): string {
    const { status, bodyBytes, contentType = JSON_TYPE, headers = '', isLast } = answer;
    const connection = isLast ? 'Connection: close\r\n' : this.#keepAlive;
    const length =
      bodyBytes === null ? 'Transfer-Encoding: chunked' : `Content-Length: ${bodyBytes}`;
    return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: ${contentType}\r\n${length}\r\n${headers}${this.#date()}${connection}\r\n`;
  }

  #date(): string {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#common = `Date: ${new Date(now).toUTCString()}\r\n`;
    }
    return this.#common;
  }
}
