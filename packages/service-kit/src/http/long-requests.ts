/**
 * Requests that may take as long as they need. Node cuts off a request whose body has not come whole within `requestTimeout`, five minutes, which is
 * right for a body that is collected and wrong for one that is streamed. A route that streams exempts its request, and watches itself that
 * the client does not stand still.
 */
import { type IncomingMessage, STATUS_CODES, type Server } from 'node:http';
import type { Duplex } from 'node:stream';

const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
/** What Node answers without a listener. */
const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  [TIMED_OUT]: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
};

const longRequests = new WeakSet<Duplex>();

/** Exempts a request from the time limit of a server that allows it. */
export function allowLongRequest(request: IncomingMessage): void {
  const { socket } = request;
  longRequests.add(socket);
  request.once('close', () => longRequests.delete(socket));
}

/** Lets requests of this server be exempted. Broken requests are answered as Node does by itself. */
export function allowLongRequests(server: Server): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === TIMED_OUT && longRequests.has(socket)) return;
    if (error.code !== 'ECONNRESET' && socket.writable) {
      const status = STATUS_BY_CODE[error.code ?? ''] ?? 400;
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
    }
    socket.destroy(error);
  });
}
