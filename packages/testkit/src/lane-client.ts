/** A client of the streamed lanes on a real socket: it writes when told to, and collects the lines of the answer, or stops reading. */
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Json } from './answer.ts';

export interface LaneRequest {
  readonly url: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class LaneClient {
  readonly lines: Json[] = [];
  /** The whole answer when it is no stream. */
  text = '';
  status = 0;
  /** Set when the connection broke before the answer was whole. */
  fault: Error | null = null;
  readonly #request: ClientRequest;
  #answer: IncomingMessage | null = null;
  #changed = Promise.withResolvers<void>();
  #isOver = false;

  constructor({ url, path = '/api/v1/events/batch', headers = {} }: LaneRequest) {
    this.#request = request(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson', authorization: 'Bearer test', ...headers },
      agent: false,
    });
    this.#request.on('response', (answer) => this.#read(answer));
    this.#request.on('error', (error) => this.#end(error));
  }

  #read(answer: IncomingMessage): void {
    this.#answer = answer;
    this.status = answer.statusCode ?? 0;
    let rest = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (/ndjson/.test(answer.headers['content-type'] ?? ''))
        this.lines.push(...lines.map((line) => JSON.parse(line)));
      this.#note();
    });
    answer.once('end', () => this.#end(null));
    answer.once('error', (error) => this.#end(error));
  }

  #note(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }

  #end(error: Error | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.fault = error;
    this.#note();
  }

  /** Writes, and waits while the socket is full. */
  async write(bytes: string | Uint8Array): Promise<void> {
    if (!this.#request.write(bytes) && !this.#isOver)
      await Promise.race([once(this.#request, 'drain'), this.over()]);
  }

  /** Writes without waiting; false when what was written before has not left yet. */
  offer(bytes: string | Uint8Array): boolean {
    return this.#request.write(bytes);
  }

  /** Ends the request and waits for the end of the answer. */
  async end(bytes: string | Uint8Array = ''): Promise<this> {
    this.#request.end(bytes);
    await this.over();
    return this;
  }

  async over(): Promise<void> {
    while (!this.#isOver) await this.#changed.promise;
  }

  /** Waits for a number of lines of the answer. */
  async until(lines: number): Promise<void> {
    while (this.lines.length < lines && !this.#isOver) await this.#changed.promise;
  }

  stopReading(): void {
    this.#answer?.pause();
  }

  readOn(): void {
    this.#answer?.resume();
  }

  /** Closes the connection at once. */
  abandon(): void {
    this.#request.destroy();
  }
}
