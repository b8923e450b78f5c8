import type { IncomingMessage } from 'node:http';
import { LIMITS } from '@allsource/shared/limits';

/**
 * Reads the rest of a refused request and throws it away. A client that is still sending reads the answer only when it has sent all; a socket closed
 * before that is reset, and the answer is lost with it. What is read is bounded in bytes and time; beyond either the socket is closed.
 */
export function discardBody(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  const { socket } = request;
  let bytes = 0;
  const timer = setTimeout(() => socket.destroy(), LIMITS.discardMs);
  // A stopping process does not wait for a client that is still sending.
  timer.unref();
  // The socket may go on to other requests.
  const stop = () => {
    clearTimeout(timer);
    socket.off('close', stop);
  };
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LIMITS.discardedBytesMax) socket.destroy();
  });
  request.once('end', stop);
  socket.once('close', stop);
  request.resume();
}
