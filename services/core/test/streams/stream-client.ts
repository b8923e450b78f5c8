import { WebSocket } from 'ws';
import type { TestCore } from '../support/test-core.ts';

/** A frame of the event stream, as a client parses it. */
export interface StreamFrame {
  readonly type?: string;
  readonly position?: number;
  readonly replayed?: number;
  readonly missed?: number;
  readonly event?: Record<string, unknown>;
  readonly event_type?: string;
  readonly entity_id?: string;
  readonly version?: number;
  readonly payload?: { readonly n?: number };
}

export interface StreamTarget {
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly path?: string;
}

/** A client of the event stream that keeps all frames. */
export class StreamClient {
  readonly frames: StreamFrame[] = [];
  readonly socket: WebSocket;
  closeCode: number | null = null;
  closeReason = '';
  pings = 0;
  #onChange: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString('utf8')) as StreamFrame);
      this.#onChange();
    });
    socket.on('ping', () => {
      this.pings += 1;
      this.#onChange();
    });
    socket.on('close', (code, reason) => {
      this.closeCode = code;
      this.closeReason = reason.toString('utf8');
      this.#onChange();
    });
    socket.on('error', () => this.#onChange());
  }

  /** Opens a stream; rejects with `<status> <body>` when it is refused. */
  static open(core: TestCore, target: StreamTarget = {}): Promise<StreamClient> {
    const { query = '', headers = {}, path = '/api/v1/events/stream' } = target;
    const url = `ws://127.0.0.1:${core.port}${path}${query}`;
    const socket = new WebSocket(url, { headers, perMessageDeflate: false });
    const client = new StreamClient(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(client));
      socket.once('error', reject);
      socket.once('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += String(chunk);
        });
        response.on('end', () => reject(new RangeError(`${response.statusCode} ${body}`)));
      });
    });
  }

  get replay(): StreamFrame[] {
    return this.frames.filter(({ type }) => type === 'replay');
  }

  get live(): StreamFrame[] {
    return this.frames.filter(({ type }) => type === undefined);
  }

  /** The numbers of all events, replayed and live, in the order in which they came: the payload's member `n`. */
  get numbers(): (number | undefined)[] {
    return this.frames.flatMap((frame) => {
      if (frame.type === 'replay')
        return [(frame.event?.['payload'] as { n?: number } | undefined)?.n];
      return frame.type === undefined ? [frame.payload?.n] : [];
    });
  }

  get replayComplete(): StreamFrame | undefined {
    return this.frames.find(({ type }) => type === 'replay_complete');
  }

  async until(condition: (client: StreamClient) => boolean): Promise<void> {
    while (!condition(this)) {
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  send(frame: unknown): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  close(): void {
    this.socket.terminate();
  }
}
