/**
 * Writes a JSON answer of any size with bounded memory. Text and raw bytes are collected in one buffer; a full buffer is sent, and the
 * writer waits while the reader is slower than the store. An answer that fits the first buffer goes out whole, with its length.
 *
 * When the reader goes away, `flush` says so and the rest of the answer need not be made. An error after the first bytes were
 * sent cannot become an error answer any more: the socket is closed, which the reader sees as a cut answer, never as a whole one.
 */
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';

const BUFFER_BYTES = 128 * 1024;
/** UTF-8 needs at most three bytes for a UTF-16 code unit. */
const BYTES_A_UNIT_MAX = 3;

export class JsonWriter {
  readonly #response: ServerResponse;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #length = 0;

  /** Writes to a response on which nothing was sent yet. */
  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** True when it is time to flush. */
  get isFull(): boolean {
    return this.#length >= BUFFER_BYTES / 2;
  }

  text(text: string): void {
    this.#reserve(text.length * BYTES_A_UNIT_MAX);
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
  }

  /** Writes bytes that are JSON text in UTF-8. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  /** Sends what was collected and waits until the reader can take more. Returns false when there is no reader any more. */
  async flush(): Promise<boolean> {
    const response = this.#response;
    if (response.destroyed) return false;
    if (!response.headersSent) this.#writeHead();
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.allocUnsafe(BUFFER_BYTES);
    this.#length = 0;
    if (response.write(bytes)) await nextTurn();
    else await drained(response);
    return !response.destroyed;
  }

  /** Ends the answer. */
  end(): void {
    const bytes = this.#buffer.subarray(0, this.#length);
    if (!this.#response.headersSent) this.#writeHead(bytes.length);
    this.#response.end(bytes);
  }

  #writeHead(length?: number): void {
    this.#response.setHeader('content-type', 'application/json; charset=utf-8');
    if (length !== undefined) this.#response.setHeader('content-length', length);
    this.#response.statusCode = 200;
  }
}

/** Resolves when the response takes more, or is closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
