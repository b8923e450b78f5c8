import type { ServerResponse } from 'node:http';

/**
 * Writes to a response and waits while its socket is full, so that a slow reader slows its writer instead of filling memory.
 * Resolves false when the connection has closed and nobody reads any more.
 */
export function writeWithBackPressure(
  response: ServerResponse,
  chunk: string | Buffer,
): Promise<boolean> {
  if (response.closed || response.destroyed) return Promise.resolve(false);
  if (response.write(chunk)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const settle = (isOpen: boolean) => () => {
      response.off('drain', onDrain);
      response.off('close', onClose);
      resolve(isOpen);
    };
    const onDrain = settle(true);
    const onClose = settle(false);
    response.once('drain', onDrain);
    response.once('close', onClose);
  });
}
