import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below those that Linux gives to connections of its own accord: one of them could take a port before whoever wants it listens. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;

/** Ports that were free a moment ago, on the loopback address. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = FIRST_PORT + randomInt(PORTS);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
