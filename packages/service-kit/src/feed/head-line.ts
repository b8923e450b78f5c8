/**
 * A line to core on which nothing but its head is asked, one question at a time. Every linearizable read needs an answer of core, so the question is the commonest request between the services; by
 * Node's HTTP client it costs 150 us of processor time, on a bare socket with the same bytes each time a fifth of that.
 *
 * It understands only the plain answer: status 200 with a Content-Length. Anything else, a connection that breaks included, ends the line and is answered null: the caller then asks in the usual
 * way, which says what is wrong. A question is sent after `ask` was called and answered by what comes back on the same connection, so a head is never older than its question.
 */
import { connect, type Socket } from 'node:net';
import { assert } from '@allsource/shared/lang';
import { HEAD_PATH, INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import type { CoreEndpointOptions } from './core-endpoint.ts';
import { FOLLOWER_LIMITS } from './follower-limits.ts';

const HEAD_END = '\r\n\r\n';
const PLAIN_STATUS = 'HTTP/1.1 200 ';
const LENGTH = /\r\ncontent-length: (\d{1,6})\r\n/i;
const CHUNKED = /\r\ntransfer-encoding:/i;

export class HeadLine {
  readonly #host: string;
  readonly #port: number;
  readonly #question: Buffer;
  #isClosed = false;
  #socket: Socket | null = null;
  #received = '';
  #answer: ((text: string | null) => void) | null = null;

  private constructor(url: URL, internalToken: string) {
    this.#host = url.hostname.replaceAll(/^\[|\]$/g, '');
    this.#port = Number(url.port === '' ? 80 : url.port);
    this.#question = Buffer.from(
      `GET ${HEAD_PATH} HTTP/1.1\r\nHost: ${url.host}\r\n${INTERNAL_TOKEN_HEADER}: ${internalToken}\r\n\r\n`,
    );
  }

  /** A line to core; null where core is not reached over plain HTTP at its root. */
  static to({ coreUrl, internalToken }: CoreEndpointOptions): HeadLine | null {
    const url = new URL(coreUrl);
    const isPlain =
      url.protocol === 'http:' && url.pathname === '/' && /^[!-~]+$/.test(internalToken);
    return isPlain ? new HeadLine(url, internalToken) : null;
  }

  /** The text of core's answer; null when the line is no good. */
  ask(): Promise<string | null> {
    assert(this.#answer === null, 'one question at a time');
    if (this.#isClosed) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#answer = resolve;
      const socket = this.#socket ?? this.#open();
      socket.ref();
      socket.write(this.#question);
    });
  }

  /** Ends the line for good. */
  close(): void {
    this.#isClosed = true;
    this.hangUp();
  }

  /** Ends the connection. A question that is under way is answered null; the next one opens another. */
  hangUp(): void {
    this.#socket?.destroy();
    this.#socket = null;
    this.#settle(null);
  }

  #open(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    this.#received = '';
    const isCurrent = () => this.#socket === socket;
    socket.on('data', (chunk) => isCurrent() && this.#take(chunk));
    // What is wrong with it, the caller's next way finds out.
    socket.on('error', () => undefined);
    socket.on('end', () => isCurrent() && this.hangUp());
    socket.on('close', () => isCurrent() && this.hangUp());
    return socket;
  }

  #take(chunk: Buffer): void {
    this.#received += chunk.toString('latin1');
    const text = this.#received;
    const end = text.indexOf(HEAD_END);
    if (end === -1) {
      if (text.length > FOLLOWER_LIMITS.answerBytesMax) this.hangUp();
      return;
    }
    const head = text.slice(0, end + 2);
    const length = LENGTH.exec(head)?.[1];
    const isPlain = head.startsWith(PLAIN_STATUS) && !CHUNKED.test(head);
    const surplus = text.length - (end + HEAD_END.length) - Number(length ?? 0);
    if (!isPlain || length === undefined || surplus > 0 || this.#answer === null) {
      this.hangUp();
      return;
    }
    if (surplus < 0) return;
    this.#received = '';
    this.#socket?.unref();
    this.#settle(text.slice(end + HEAD_END.length));
  }

  #settle(text: string | null): void {
    const answer = this.#answer;
    this.#answer = null;
    answer?.(text);
  }
}
