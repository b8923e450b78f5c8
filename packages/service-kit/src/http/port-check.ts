import { randomInt } from 'node:crypto';
import { createServer } from 'node:http';
import { ConfigError } from '../config/index.ts';
import { closeServer, type ListenOptions, listen } from './listen.ts';

/** Ports that no system gives to connections of its own accord, which begin at 32,768 on Linux and at 49,152 elsewhere: one of those could take the port before the service listens. */
const FIRST_PORT = 20_000;
const PORTS = 12_000;
const TRIES_MAX = 100;

/** Throws a ConfigError that names the setting when the port cannot be listened on. */
export async function requireFreePort(options: ListenOptions): Promise<void> {
  const server = createServer();
  await listen(server, options);
  await closeServer(server, 0);
}

/** A port that was free a moment ago, for a setting of 0, a test or a measurement. Throws a ConfigError when none is found. */
export async function chooseFreePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = FIRST_PORT + randomInt(PORTS);
    try {
      await requireFreePort({ host, port, portSetting: 'the port' });
      return port;
    } catch (error) {
      if (!(error instanceof ConfigError) || tries === TRIES_MAX) throw error;
    }
  }
}
