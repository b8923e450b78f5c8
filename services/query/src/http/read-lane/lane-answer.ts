import type { Socket } from 'node:net';
import { assert } from '@allsource/shared/lang';
import type { AnswerHeads } from '@allsource/service-kit/http';
import { HEAD_ROOM } from '../../reads/json-writer.ts';
import type { LaneAnswer } from '../../reads/read-call.ts';
import type { AnswerBatch } from './answer-batch.ts';

const LAST_CHUNK = '0\r\n\r\n';

export interface SocketAnswerOptions {
  readonly socket: Socket;
  readonly heads: AnswerHeads;
  readonly requestId: string;
  readonly batch: AnswerBatch;
  /** True when the connection ends with this answer. */
  readonly isLast: () => boolean;
}

/** An answer 200 on the bare socket: whole with its length, or in chunks. */
export class SocketAnswer implements LaneAnswer {
  readonly #options: SocketAnswerOptions;
  #headers: string;
  #isBegun = false;
  #isEnded = false;

  constructor(options: SocketAnswerOptions) {
    this.#options = options;
    this.#headers = commonHeaders(options.requestId);
  }

  /** The headers set so far, as lines. */
  get headerLines(): string {
    return this.#headers;
  }

  /** True when bytes have gone out. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get destroyed(): boolean {
    return this.#options.socket.destroyed;
  }

  get isOpen(): boolean {
    return !this.#options.socket.destroyed;
  }

  setHeader(name: string, value: string): void {
    this.#headers += `${name}: ${value}\r\n`;
  }

  write(part: Buffer, onSent: () => void): boolean {
    const { socket } = this.#options;
    socket.cork();
    if (!this.#isBegun) socket.write(this.#head(null), 'latin1');
    this.#isBegun = true;
    socket.write(`${part.length.toString(16)}\r\n`, 'latin1');
    socket.write(part, onSent);
    const takesMore = socket.write('\r\n', 'latin1');
    socket.uncork();
    return takesMore;
  }

  drained(): Promise<void> {
    const { socket } = this.#options;
    return new Promise((resolve) => {
      const done = () => {
        socket.off('drain', done);
        socket.off('close', done);
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  }

  end(part: Buffer, isWhole: boolean, onSent: () => void): void {
    const { socket, batch } = this.#options;
    this.#isEnded = true;
    if (isWhole) {
      this.#isBegun = true;
      socket.cork();
      socket.write(this.#withHead(part), onSent);
      batch.add(socket);
      return;
    }
    if (part.length > 0) this.write(part, onSent);
    else onSent();
    socket.write(LAST_CHUNK, 'latin1');
  }

  endKept(body: Buffer, behind: string): void {
    const { socket, batch } = this.#options;
    this.#isEnded = true;
    this.#isBegun = true;
    socket.cork();
    socket.write(this.#head(body.length + Buffer.byteLength(behind)), 'latin1');
    socket.write(body);
    socket.write(behind);
    batch.add(socket);
  }

  #withHead(part: Buffer): Buffer {
    const head = this.#head(part.length);
    const { length } = head;
    assert(length <= HEAD_ROOM, 'the head of an answer has room');
    const whole = Buffer.from(part.buffer, part.byteOffset - length, length + part.length);
    whole.write(head, 'latin1');
    return whole;
  }

  #head(bodyBytes: number | null): string {
    const { heads, isLast } = this.#options;
    return heads.head({ status: 200, bodyBytes, headers: this.#headers, isLast: isLast() });
  }
}

/** What every answer of the service carries. */
function commonHeaders(requestId: string): string {
  return `x-request-id: ${requestId}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\n`;
}
