/**
 * One connection in a lean lane: whose turn it is. Its reader takes requests out of the bytes and answers them; this hands the bytes out, one request at a time, and hands
 * the connection over to Node's HTTP server, with every byte that was not answered, as soon as the reader meets something that is not for it. After that nobody here touches the
 * socket again, so there is no moment at which both read it.
 *
 * Order: bytes that come while a request is answered are kept, and the socket is paused; so a client that sends ahead costs one chunk. An answer that the client does
 * not read stops the reading of its next request.
 */
import type { Socket } from 'node:net';
import type { AnswerHeads } from './answer-heads.ts';
import type { BusyPoll } from './busy-poll.ts';

/** Reads the requests of one connection. */
export interface LaneReader {
  /** Takes bytes, which are never those behind a request that is being answered. */
  take(chunk: Buffer): void;
  /** When the request began of which a part has come, and not yet the whole; null when there is none. On the clock of `performance.now`. */
  readonly readingSince: number | null;
  /** The connection has closed or is handed over: nothing more comes. */
  left?(): void;
}

/** What a reader has of its connection. */
export interface LaneTurn {
  readonly socket: Socket;
  readonly heads: AnswerHeads;
  /** When bytes last came or an answer went, on the clock of `performance.now`. */
  readonly activeAt: number;
  /** The connection ends after the next answer. */
  readonly isClosing: boolean;
  /** A request has begun that is for the lane. */
  accept(): void;
  /** The request is whole, it ends in `chunk` before `end`, and it is being answered until `answered`. */
  answering(chunk: Buffer, end: number): void;
  /** The answer has been written. Returns its moment. */
  answered(): number;
  /** Gives the connection away with bytes that nobody has read. */
  handOver(unread: Buffer): void;
}

export interface LaneConnectionOptions {
  readonly socket: Socket;
  readonly heads: AnswerHeads;
  readonly busyPoll: BusyPoll;
  readonly reader: (turn: LaneTurn) => LaneReader;
  /** Serves the socket from here on. Unread bytes have been put back. */
  readonly handOver: (socket: Socket) => void;
  /** Called once, when the socket is closed or handed over. */
  readonly onLeft: (connection: LaneConnection) => void;
}

export class LaneConnection implements LaneTurn {
  readonly socket: Socket;
  readonly heads: AnswerHeads;
  readonly #options: LaneConnectionOptions;
  readonly #reader: LaneReader;
  #isAnswering = false;
  /** What came while a request was answered. */
  #early: Buffer[] = [];
  #isEnded = false;
  #isClosing = false;
  #hasLeft = false;
  #activeAt = performance.now();
  #isFresh = true;

  constructor(options: LaneConnectionOptions) {
    this.#options = options;
    this.socket = options.socket;
    this.heads = options.heads;
    this.#reader = options.reader(this);
    this.socket.on('data', this.#onData);
    this.socket.on('end', this.#onEnd);
    this.socket.on('error', this.#onError);
    this.socket.on('close', this.#onClose);
    this.socket.on('drain', this.#onDrain);
  }

  get activeAt(): number {
    return this.#activeAt;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** When the request began that is not whole yet; null when there is none. */
  get readingSince(): number | null {
    return this.#reader.readingSince;
  }

  /** No request is being read or answered. */
  get isIdle(): boolean {
    return this.readingSince === null && !this.#isAnswering;
  }

  /** No request has come yet. */
  get isFresh(): boolean {
    return this.#isFresh;
  }

  /** A request is on its way; it will be answered. */
  get isAnswering(): boolean {
    return this.#isAnswering;
  }

  /** Ends the connection, after the answer that is due. */
  close(): void {
    this.#isClosing = true;
    if (this.isIdle) this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  accept(): void {
    this.#isFresh = false;
  }

  answering(chunk: Buffer, end: number): void {
    this.#isAnswering = true;
    if (end < chunk.length) this.#keep(chunk.subarray(end));
  }

  answered(): number {
    this.#isAnswering = false;
    this.#activeAt = performance.now();
    this.#options.busyPoll.answered(this.#activeAt);
    if (this.#isClosing || (this.#isEnded && this.#early.length === 0)) this.socket.end();
    else if (!this.socket.writableNeedDrain) this.#next();
    return this.#activeAt;
  }

  handOver(unread: Buffer): void {
    const { socket } = this;
    this.#leave();
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    socket.off('drain', this.#onDrain);
    socket.unshift(unread);
    this.#options.handOver(socket);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#activeAt = performance.now();
    this.#options.busyPoll.received(this.#activeAt);
    if (this.#isAnswering) this.#keep(chunk);
    else this.#reader.take(chunk);
  };

  readonly #onEnd = (): void => {
    this.#isEnded = true;
    if (!this.#isAnswering) this.socket.end();
  };

  // A broken connection is its client's matter; 'close' follows.
  readonly #onError = (): void => undefined;

  readonly #onClose = (): void => this.#leave();

  readonly #onDrain = (): void => {
    if (!this.#isAnswering) this.#next();
  };

  #keep(chunk: Buffer): void {
    this.#early.push(chunk);
    this.socket.pause();
  }

  /** Goes on with what came early, if anything did. */
  #next(): void {
    const early = this.#early;
    if (early.length === 0) return;
    this.#early = [];
    this.socket.resume();
    this.#onData(early.length === 1 ? (early[0] as Buffer) : Buffer.concat(early));
  }

  #leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#reader.left?.();
    this.#options.onLeft(this);
  }
}
