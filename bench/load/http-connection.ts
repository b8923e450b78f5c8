/**
 * A keep-alive HTTP/1.1 connection on a raw socket, one request at a time. It knows just what the benchmark's subjects answer, so that the client takes
 * as little as possible of the machine that it shares with the server.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';

const HEAD_END = '\r\n\r\n';
const CHUNKED_END = Buffer.from('\r\n0\r\n\r\n');

export interface HttpAnswer {
  readonly status: number;
  /** Chunk sizes are left in a chunked body: nobody here parses one. */
  readonly body: Buffer;
}

type Waiting = {
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
};

export class HttpConnection {
  readonly #socket: Socket;
  #received: Buffer | null = null;
  #waiting: Waiting | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('The server closed the connection.')));
  }

  static async open(url: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new HttpConnection(socket);
  }

  /** Sends the bytes of a request (see {@link requestBytes}) and waits for its answer. Rejects when the server closes the connection, or has closed it. */
  send(request: Buffer): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error('The server had closed the connection.'));
        return;
      }
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received === null ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = parseAnswer(this.#received);
    if (answer === null) return;
    this.#received = null;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(answer);
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
  }
}

/** A request's bytes, made once and sent many times. */
export function requestBytes(options: {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly apiKey: string;
  readonly body?: string;
  /** Further header fields. */
  readonly headers?: Record<string, string>;
}): Buffer {
  const { method, path, apiKey, body = '' } = options;
  const fields = Object.entries({
    ...(apiKey === '' ? {} : { Authorization: `Bearer ${apiKey}` }),
    ...options.headers,
  });
  const more = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const content =
    method === 'GET'
      ? ''
      : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return Buffer.from(`${method} ${path} HTTP/1.1\r\nHost: bench\r\n${more}${content}\r\n${body}`);
}

function parseAnswer(bytes: Buffer): HttpAnswer | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const bodyStart = headEnd + HEAD_END.length;
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) {
    const isComplete = bytes.subarray(headEnd).subarray(-CHUNKED_END.length).equals(CHUNKED_END);
    return isComplete ? { status, body: bytes.subarray(bodyStart) } : null;
  }
  const bodyEnd = bodyStart + Number(length);
  return bytes.length < bodyEnd ? null : { status, body: bytes.subarray(bodyStart, bodyEnd) };
}
