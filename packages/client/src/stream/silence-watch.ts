import { AllSourceError } from '../http/allsource-error.ts';
import type { Connection } from '../http/connection.ts';
import type { WebSocketLike } from './web-socket.ts';

export const STREAM_PATH = '/api/v1/events/stream';
const SILENCE_MS = 30_000;
/** The answer of a store that is well to a plain request for the path of its WebSocket. */
const UPGRADE_REQUIRED = 426;

/** Why no WebSocket can be opened, asked with a plain request; null when the store says nothing against it. */
export async function streamFault(
  { transport }: Connection,
  options: { readonly consumerId?: string | undefined; readonly signal?: AbortSignal | undefined },
): Promise<unknown> {
  try {
    await transport.request({
      method: 'GET',
      path: STREAM_PATH,
      query: { consumer_id: options.consumerId },
      signal: options.signal,
    });
    return null;
  } catch (error) {
    return error instanceof AllSourceError && error.status === UPGRADE_REQUIRED ? null : error;
  }
}

/** Finds out after a silence whether the store is still at the other end of a WebSocket. */
export class SilenceWatch {
  readonly #connection: Connection;
  readonly #socket: WebSocketLike;
  readonly #onLost: () => void;
  #timer: ReturnType<typeof setInterval> | null = null;
  #heardAtMs = performance.now();

  constructor(connection: Connection, socket: WebSocketLike, onLost: () => void) {
    this.#connection = connection;
    this.#socket = socket;
    this.#onLost = onLost;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (performance.now() - this.#heardAtMs > SILENCE_MS) void this.#probe();
    }, SILENCE_MS);
  }

  heard(): void {
    this.#heardAtMs = performance.now();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  // Frames of unknown types are passed over by the store; a host that has forgotten the connection answers with a reset.
  async #probe(): Promise<void> {
    this.#socket.send('{"type":"ping"}');
    if ((await streamFault(this.#connection, {})) !== null) this.#onLost();
  }
}
