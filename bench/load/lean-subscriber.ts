/**
 * A WebSocket subscriber of core that costs next to nothing, so that a thousand of them in one process leave the processor to the server. It reads the frames of
 * the plain socket and looks for what the benchmark's events say of themselves; nothing is parsed.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
/** What the payload of an event of the benchmark begins with; a number and a time follow. */
const MARK = '"payload":{"n":';
const OPCODE_PING = 9;
const OPCODE_CLOSE = 8;
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

export interface LeanSubscriberOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly onEvent: (n: number, dueAt: number) => void;
  readonly onFault: (fault: string) => void;
}

export class LeanSubscriber {
  readonly opened: Promise<void>;
  readonly #options: LeanSubscriberOptions;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);

  constructor(options: LeanSubscriberOptions) {
    this.#options = options;
    const { hostname, port } = new URL(options.url);
    this.#socket = connect(Number(port), hostname);
    this.#socket.setNoDelay(true);
    this.#socket.once('error', (error) => options.onFault(error.message));
    this.#socket.once('close', () => options.onFault('the connection was closed'));
    this.opened = this.#handshake();
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.destroy();
  }

  #handshake(): Promise<void> {
    const { host } = new URL(this.#options.url);
    this.#socket.write(
      `GET /api/v1/events/stream HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${this.#options.apiKey}\r\n` +
        `connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}${HEAD_END}`,
    );
    return new Promise((resolve, reject) => {
      this.#socket.once('close', () => reject(new Error('the handshake was cut')));
      this.#socket.once('data', (chunk: Buffer) => {
        const head = chunk.indexOf(HEAD_END);
        if (head === -1 || !chunk.toString('latin1', 0, 12).endsWith('101'))
          return reject(new Error(`no WebSocket: ${chunk.toString('latin1', 0, 40)}`));
        this.#socket.on('data', (more: Buffer) => this.#take(more));
        this.#take(chunk.subarray(head + HEAD_END.length));
        resolve();
      });
    });
  }

  #take(chunk: Buffer): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let size = frameBytes(bytes); size <= bytes.length; size = frameBytes(bytes)) {
      this.#frame(bytes.subarray(0, size));
      bytes = bytes.subarray(size);
    }
    this.#rest = bytes;
  }

  #frame(frame: Buffer): void {
    const opcode = (frame[0] ?? 0) & 0x0f;
    if (opcode === OPCODE_PING) return void this.#socket.write(PONG);
    if (opcode === OPCODE_CLOSE) return this.#options.onFault('the server closed the WebSocket');
    const mark = frame.indexOf(MARK, 0, 'latin1');
    if (mark === -1) return this.#options.onFault(frame.toString('latin1', 2, 80));
    const text = frame.toString('latin1', mark + MARK.length, mark + MARK.length + 60);
    this.#options.onEvent(Number.parseInt(text, 10), Number.parseFloat(text.split(':')[1] ?? ''));
  }
}

/** The size of the frame at the start of some bytes; infinite while its head has not come. The server masks nothing. */
function frameBytes(bytes: Buffer): number {
  if (bytes.length < 2) return Number.POSITIVE_INFINITY;
  const length = (bytes[1] ?? 0) & 0x7f;
  if (length < 126) return 2 + length;
  if (length === 126)
    return bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUInt16BE(2);
  return bytes.length < 10 ? Number.POSITIVE_INFINITY : 10 + Number(bytes.readBigUInt64BE(2));
}
