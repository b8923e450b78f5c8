/**
 * Writes a JSON answer of any size with bounded memory. Text and raw bytes are collected in one buffer; a full buffer is sent, and the
 * writer waits while the reader is slower than the store. An answer that ends before the first part is sent goes out whole, with its length. Buffers go from answer to answer.
 *
 * When the reader goes away, `flush` says so and the rest of the answer need not be made. An error after the first bytes were
 * sent cannot become an error answer any more: the socket is closed, which the reader sees as a cut answer, never as a whole one.
 */
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { untilDrained } from './until-drained.ts';

/** Bytes before a whole answer that are its sink's, in the same memory: a head and its answer are one piece to send. The longest head takes four fifths of it. */
export const HEAD_ROOM = 512;
/** Most answers fit. */
const FIRST_BYTES = 64 * 1024;
const BUFFER_BYTES = 256 * 1024;
/** With so much collected it is time to send: the next event or two still fit. */
const FULL_BYTES = 192 * 1024;
/** UTF-8 needs at most three bytes for a UTF-16 code unit. */
const BYTES_A_UNIT_MAX = 3;
/** An answer that fills less of its buffer than one part of so many does not hold it until it is sent, which may be long. */
const WASTE_MAX = 4;
/** Buffers that wait for their next answer. Fresh ones of these sizes cost more than filling them. */
const spareFirst: Buffer[] = [];
const spare: Buffer[] = [];
const SPARE_FIRST_MAX = 64;
const SPARE_MAX = 16;

/** Where an answer goes, when it is no response of Node's server. */
export interface AnswerSink {
  /** False when there is no reader any more. */
  readonly isOpen: boolean;
  /** Sends a part, and calls `onSent` when its bytes are of no more use. Returns false when the reader is slower than the store. */
  write(part: Buffer, onSent: () => void): boolean;
  /** Resolves when the sink takes more, or is closed. */
  drained(): Promise<void>;
  /** Sends the last part, and calls `onSent` when its bytes are of no more use. `isWhole`: it is the only one, and HEAD_ROOM bytes before it are the sink's. */
  end(part: Buffer, isWhole: boolean, onSent: () => void): void;
}

export class JsonWriter {
  readonly #sink: AnswerSink;
  #buffer: Buffer = takeFirst();
  /** Where the answer begins in the buffer. */
  #start = HEAD_ROOM;
  #length = HEAD_ROOM;
  #isWhole = true;

  /** Writes to where nothing was sent yet. */
  constructor(target: ServerResponse | AnswerSink) {
    this.#sink = 'isOpen' in target ? target : new ResponseSink(target);
  }

  /** True when it is time to flush. */
  get isFull(): boolean {
    return this.#length >= FULL_BYTES;
  }

  text(text: string): void {
    this.reserve(text.length * BYTES_A_UNIT_MAX);
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
  }

  /** Writes bytes that are JSON text in UTF-8. */
  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Where the next byte belongs in what `reserve` gives. Whoever writes there says so by setting it. */
  get length(): number {
    return this.#length;
  }

  set length(length: number) {
    this.#length = length;
  }

  /** The buffer with the bytes collected so far, and room behind them for more. */
  reserve(bytes: number): Buffer {
    const wanted = this.#length + bytes;
    if (wanted <= this.#buffer.length) return this.#buffer;
    const larger =
      wanted <= BUFFER_BYTES
        ? takeBuffer()
        : Buffer.allocUnsafeSlow(Math.max(wanted, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    giveBack(this.#buffer);
    this.#buffer = larger;
    return larger;
  }

  /** Sends what was collected and waits until the reader can take more. Returns false when there is no reader any more. */
  async flush(): Promise<boolean> {
    const sink = this.#sink;
    if (!sink.isOpen) return false;
    this.#isWhole = false;
    const full = this.#buffer;
    const bytes = full.subarray(this.#start, this.#length);
    this.#buffer = takeBuffer();
    this.#start = 0;
    this.#length = 0;
    if (!sink.write(bytes, () => giveBack(full))) await sink.drained();
    // A fast reader drains at once: others get their turn all the same.
    await nextTurn();
    return sink.isOpen;
  }

  /** Ends the answer. */
  end(): void {
    const full = this.#buffer;
    if (this.#length * WASTE_MAX > full.length) {
      this.#sink.end(this.#answer(full), this.#isWhole, () => giveBack(full));
      return;
    }
    const copy = Buffer.allocUnsafe(this.#length);
    full.copy(copy, 0, 0, this.#length);
    this.#sink.end(this.#answer(copy), this.#isWhole, () => undefined);
    giveBack(full);
  }

  /** Ends the answer. Returns its bytes, to keep, when it went out whole; null when it was sent in parts. */
  endKept(): Buffer | null {
    let kept: Buffer | null = null;
    if (this.#isWhole) {
      kept = Buffer.allocUnsafeSlow(this.#length - this.#start);
      this.#answer(this.#buffer).copy(kept);
    }
    this.end();
    return kept;
  }

  #answer(buffer: Buffer): Buffer {
    return buffer.subarray(this.#start, this.#length);
  }
}

function takeFirst(): Buffer {
  return spareFirst.pop() ?? Buffer.allocUnsafeSlow(FIRST_BYTES);
}

function takeBuffer(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES);
}

function giveBack(buffer: Buffer): void {
  const { length } = buffer;
  if (length === FIRST_BYTES && spareFirst.length < SPARE_FIRST_MAX) spareFirst.push(buffer);
  else if (length === BUFFER_BYTES && spare.length < SPARE_MAX) spare.push(buffer);
}

class ResponseSink implements AnswerSink {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get isOpen(): boolean {
    return !this.#response.destroyed;
  }

  write(part: Buffer, onSent: () => void): boolean {
    if (!this.#response.headersSent) this.#writeHead();
    return this.#response.write(part, onSent);
  }

  drained(): Promise<void> {
    return untilDrained(this.#response);
  }

  end(part: Buffer, isWhole: boolean, onSent: () => void): void {
    if (isWhole) this.#writeHead(part.length);
    this.#response.end(part, onSent);
  }

  #writeHead(length?: number): void {
    this.#response.setHeader('content-type', 'application/json; charset=utf-8');
    if (length !== undefined) this.#response.setHeader('content-length', length);
    this.#response.statusCode = 200;
  }
}
