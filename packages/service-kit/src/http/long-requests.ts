/**
 * Requests that may take as long as they need. Node cuts off a request whose body has not come whole within `requestTimeout`, five minutes, which is
 * right for a body that is collected and wrong for one that is streamed. A route that streams exempts its request, and watches itself that
 * the client does not stand still.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ErrorEdge } from '@allsource/shared/errors';
import { brokenRequest, TIMED_OUT } from './broken-request.ts';
import type { PendingAnswers } from './pending-answers.ts';
import { rawProblem } from './raw-problem.ts';

const longRequests = new WeakSet<Duplex>();

/** Exempts a request from the time limit of a server that allows it. */
export function allowLongRequest(request: IncomingMessage): void {
  const { socket } = request;
  longRequests.add(socket);
  request.once('close', () => longRequests.delete(socket));
}

/**
 * Lets requests of this server be exempted. A broken request is answered with a problem in the form of this edge, behind the answers to those before it and unless its own answer
 * has begun, and the connection is closed.
 */
export function allowLongRequests(
  server: Server,
  { edge, answers }: { readonly edge: ErrorEdge; readonly answers: PendingAnswers },
): void {
  const broken = new WeakSet<Duplex>();
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === TIMED_OUT && longRequests.has(socket)) return;
    // Node says it again for whatever else comes.
    if (broken.has(socket)) return;
    broken.add(socket);
    if (error.code === 'ECONNRESET') {
      socket.destroy(error);
      return;
    }
    answers.afterWholeRequests(socket, () => {
      const hasBegun = answers.ofUnfinishedRequest(socket)?.headersSent === true;
      if (hasBegun || !socket.writable) socket.destroy(error);
      // What a lane has written before may still be on its way.
      else socket.end(rawProblem(brokenRequest(error), { edge }), () => socket.destroy(error));
    });
  });
}
