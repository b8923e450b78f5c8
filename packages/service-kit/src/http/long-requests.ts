/**
 * Requests that may take as long as they need. Node cuts off a request whose body has not come whole within `requestTimeout`, five minutes, which is
 * right for a body that is collected and wrong for one that is streamed. A route that streams exempts its request, and watches itself that
 * the client does not stand still.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorEdge } from '@allsource/shared/errors';
import { brokenRequestAnswer, TIMED_OUT } from './broken-request.ts';

const longRequests = new WeakSet<Duplex>();

/** Exempts a request from the time limit of a server that allows it. */
export function allowLongRequest(request: IncomingMessage): void {
  const { socket } = request;
  longRequests.add(socket);
  request.once('close', () => longRequests.delete(socket));
}

/**
 * Lets requests of this server be exempted. Broken requests are answered with a problem in the form of this edge, unless the answer to one on the same
 * connection has begun, and the connection is closed.
 */
export function allowLongRequests(server: Server, edge: ErrorEdge): void {
  const newest = new WeakMap<Duplex, ServerResponse>();
  server.prependListener('request', (request, response) => newest.set(request.socket, response));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === TIMED_OUT && longRequests.has(socket)) return;
    const answer = newest.get(socket);
    const hasBegun = answer !== undefined && answer.headersSent && !answer.writableFinished;
    if (error.code !== 'ECONNRESET' && socket.writable && !hasBegun)
      socket.write(brokenRequestAnswer(error, edge));
    socket.destroy(error);
  });
}
