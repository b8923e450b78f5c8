/** The live stream of the Rust SDK: the handshake with a bearer, the subscribe frame right behind it, and how each frame is read. */
import { WebSocket } from 'ws';
import { type RustEvent, rustEvent } from './rust-types.ts';
import { membersOf, percentEncoded } from './shape.ts';
import { parsedJson, SdkConnectionError, SdkDecodeError } from './transport.ts';

export type RustStreamItem =
  | { readonly kind: 'replay'; readonly position: number; readonly event: RustEvent }
  | { readonly kind: 'replay_complete'; readonly replayed: number }
  | { readonly kind: 'live'; readonly event: RustEvent }
  | { readonly kind: 'lagged'; readonly missed: number };

export interface RustStreamOptions {
  readonly url: string;
  /** Empty in the worker of 0.19: the header is then `Bearer` and nothing behind it. */
  readonly bearer: string;
  readonly consumerId: string;
  readonly filters: readonly string[];
}

export class RustEventStream {
  readonly #socket: WebSocket;
  readonly #items: (RustStreamItem | SdkDecodeError)[] = [];
  #isOver = false;
  #wake: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) this.#take(data.toString('utf8'));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** Opens the stream. A handshake that is refused is an error, as is a server that is not there. */
  static async connect(options: RustStreamOptions): Promise<RustEventStream> {
    const { url, bearer, consumerId, filters } = options;
    const base = url.replace(/\/+$/, '').replace(/^http/, 'ws');
    const socket = new WebSocket(
      `${base}/api/v1/events/stream?consumer_id=${percentEncoded(consumerId)}`,
      { headers: { authorization: `Bearer ${bearer}` }, perMessageDeflate: false },
    );
    const stream = new RustEventStream(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', (error) =>
        reject(new SdkConnectionError('connect failed', { cause: error })),
      );
    });
    socket.send(JSON.stringify({ type: 'subscribe', filters }));
    return stream;
  }

  /** The next item; null at the end of the stream, whatever ended it. Throws for a frame that cannot be read. */
  async next(): Promise<RustStreamItem | null> {
    while (this.#items.length === 0) {
      if (this.#isOver) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const item = this.#items.shift();
    if (item instanceof SdkDecodeError) throw item;
    return item ?? null;
  }

  /** Drops the connection without a closing handshake, as the worker does. */
  drop(): void {
    this.#socket.terminate();
  }

  #take(frame: string): void {
    try {
      const item = rustStreamItem(frame);
      if (item !== null) this.#items.push(item);
    } catch (error) {
      if (!(error instanceof SdkDecodeError)) throw error;
      this.#items.push(error);
    }
    this.#wake();
  }
}

/** Reads one text frame; null for a frame of a type that the SDK does not know. */
export function rustStreamItem(frame: string): RustStreamItem | null {
  const value = membersOf(parsedJson(frame), 'the frame');
  switch (typeof value['type'] === 'string' ? value['type'] : null) {
    case null:
      return { kind: 'live', event: rustEvent(value) };
    case 'replay': {
      const { position } = value;
      if (!Number.isSafeInteger(position)) throw new SdkDecodeError('replay without a position');
      return { kind: 'replay', position: position as number, event: rustEvent(value['event']) };
    }
    case 'replay_complete':
      return { kind: 'replay_complete', replayed: Number(value['replayed'] ?? 0) };
    case 'lagged':
      return { kind: 'lagged', missed: Number(value['missed'] ?? 0) };
    default:
      return null;
  }
}
