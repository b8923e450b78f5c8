/**
 * A WebSocket subscriber of core that costs next to nothing, so that a thousand of them in one process leave the processor to the server. It reads the frames of
 * the plain socket, all sockets into one buffer, and looks for what the benchmark's events say of themselves; nothing is parsed.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

const HEAD_END = '\r\n\r\n';
/** What the payload of an event of the benchmark begins with; a number and a time follow. */
const MARK = '"payload":{"n":';
const OPCODE_PING = 9;
const OPCODE_CLOSE = 8;
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
const ZERO = 0x30;
const NINE = 0x39;
/** A socket is read into it and what came is looked at before the next socket is read. */
const READ_BUFFER = Buffer.alloc(64 * 1024);
const NOTHING = Buffer.alloc(0);

export interface LeanSubscriberOptions {
  readonly url: string;
  readonly apiKey: string;
  /** `dueAt` is to be asked for at once, or never. */
  readonly onEvent: (n: number, dueAt: () => number) => void;
  readonly onFault: (fault: string) => void;
}

export class LeanSubscriber {
  readonly opened: Promise<void>;
  readonly #options: LeanSubscriberOptions;
  readonly #socket: Socket;
  /** The beginning of a frame whose end has not come. */
  #rest = NOTHING;
  #isOpen = false;
  #settle: { readonly open: () => void; readonly fail: (error: Error) => void } | null = null;

  constructor(options: LeanSubscriberOptions) {
    this.#options = options;
    const { hostname, port } = new URL(options.url);
    this.#socket = connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (bytes) => {
          this.#read(READ_BUFFER.subarray(0, bytes));
          return true;
        },
      },
    });
    this.#socket.once('error', (error) => options.onFault(error.message));
    this.#socket.once('close', () => {
      this.#settle?.fail(new Error('the handshake was cut'));
      options.onFault('the connection was closed');
    });
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
      this.#settle = { open: resolve, fail: reject };
    });
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const at = this.#isOpen ? 0 : this.#open(bytes);
    const end = this.#isOpen ? this.#frames(bytes, at) : 0;
    this.#rest = end === bytes.length ? NOTHING : Buffer.from(bytes.subarray(end));
  }

  /** Takes the answer to the handshake. Returns where the frames begin. */
  #open(bytes: Buffer): number {
    const head = bytes.indexOf(HEAD_END);
    if (head === -1) return 0;
    if (bytes.toString('latin1', 0, 12).endsWith('101')) {
      this.#isOpen = true;
      this.#settle?.open();
    } else this.#settle?.fail(new Error(`no WebSocket: ${bytes.toString('latin1', 0, 40)}`));
    return head + HEAD_END.length;
  }

  /** Takes the whole frames from `start` on. Returns where the first unfinished one begins. */
  #frames(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length) {
      const end = at + frameBytes(bytes, at);
      if (end > bytes.length) break;
      this.#frame(bytes, at, end);
      at = end;
    }
    return at;
  }

  // oxlint-disable-next-line eslint/max-params -- bytes and where in them: an object for each frame would cost what is spared.
  #frame(bytes: Buffer, start: number, end: number): void {
    const opcode = (bytes[start] ?? 0) & 0x0f;
    if (opcode === OPCODE_PING) return void this.#socket.write(PONG);
    if (opcode === OPCODE_CLOSE) return this.#options.onFault('the server closed the WebSocket');
    const mark = bytes.indexOf(MARK, start, 'latin1');
    if (mark === -1 || mark >= end)
      return this.#options.onFault(bytes.toString('latin1', start + 2, start + 80));
    const from = mark + MARK.length;
    this.#options.onEvent(numberAt(bytes, from), () => dueAt(bytes, from));
  }
}

/** A whole number with its sign. */
function numberAt(bytes: Buffer, start: number): number {
  let at = bytes[start] === 0x2d ? start + 1 : start;
  const isNegative = at > start;
  let value = 0;
  for (let byte = bytes[at] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[++at] ?? 0)
    value = value * 10 + (byte - ZERO);
  return isNegative ? -value : value;
}

function dueAt(bytes: Buffer, start: number): number {
  return Number.parseFloat(bytes.toString('latin1', start, start + 60).split(':')[1] ?? '');
}

/** The size of the frame that begins at `start`; infinite while its head has not come. The server masks nothing. */
function frameBytes(bytes: Buffer, start: number): number {
  if (bytes.length - start < 2) return Number.POSITIVE_INFINITY;
  const length = (bytes[start + 1] ?? 0) & 0x7f;
  if (length < 126) return 2 + length;
  if (length === 126)
    return bytes.length - start < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUInt16BE(start + 2);
  return bytes.length - start < 10
    ? Number.POSITIVE_INFINITY
    : 10 + Number(bytes.readBigUInt64BE(start + 2));
}
