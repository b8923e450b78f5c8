import type { ServerResponse } from 'node:http';
import type { AnswerSink } from '../reads/json-writer.ts';
import { untilDrained } from '../reads/until-drained.ts';

/** Sends an answer that is not JSON over a response of Node's server. The head goes out with the first part, so a failure before it is answered in words. */
export class StreamSink implements AnswerSink {
  readonly #response: ServerResponse;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(response: ServerResponse, headers: Readonly<Record<string, string>>) {
    this.#response = response;
    this.#headers = headers;
  }

  get isOpen(): boolean {
    return !this.#response.destroyed;
  }

  write(part: Buffer, onSent: () => void): boolean {
    this.#begin();
    return this.#response.write(part, onSent);
  }

  drained(): Promise<void> {
    return untilDrained(this.#response);
  }

  end(part: Buffer, isWhole: boolean, onSent: () => void): void {
    if (isWhole) this.#response.setHeader('content-length', part.length);
    this.#begin();
    this.#response.end(part, onSent);
  }

  #begin(): void {
    if (this.#response.headersSent) return;
    this.#response.statusCode = 200;
    for (const [name, value] of Object.entries(this.#headers))
      this.#response.setHeader(name, value);
  }
}
