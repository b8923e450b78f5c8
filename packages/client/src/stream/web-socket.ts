/**
 * What the client needs of a WebSocket, and how it opens one. The key travels in the Authorization header of the handshake, never in the URL, where proxies
 * would log it. The WebSocket of Node 22, Bun and Deno takes headers as an option; that of browsers takes none, and Node 20 has no WebSocket: there the
 * caller hands in a factory, with the `ws` package in three words:
 *
 *     webSocket: (url, headers) => new WebSocket(url, { headers })
 */
import { InvalidArgumentError } from '../http/allsource-error.ts';

/** The part of a WebSocket that is used; the platform's own and that of the `ws` package both fit. */
export interface WebSocketLike {
  addEventListener(type: 'open' | 'close' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Stops reading from the network, so that a slow reader slows the server down. `ws` has it, the platform's own has not. */
  pause?(): void;
  resume?(): void;
}

/** Opens a WebSocket whose handshake carries headers. */
export type WebSocketFactory = (
  url: string,
  headers: Readonly<Record<string, string>>,
) => WebSocketLike;

type PlatformWebSocket = new (
  url: string,
  options: { readonly headers: Readonly<Record<string, string>> },
) => WebSocketLike;

/** Opens the platform's own WebSocket. Throws `InvalidArgumentError` where it cannot carry the key. */
export function openWebSocket(
  url: string,
  headers: Readonly<Record<string, string>>,
): WebSocketLike {
  const platform = globalThis as { WebSocket?: PlatformWebSocket; document?: unknown };
  if (platform.WebSocket === undefined || platform.document !== undefined) {
    throw new InvalidArgumentError(
      'The WebSocket of this platform cannot carry the key. Give the option webSocket, such as (url, headers) => new WebSocket(url, { headers }) with the ws package, or use followEvents, which needs only fetch.',
    );
  }
  return new platform.WebSocket(url, { headers });
}
