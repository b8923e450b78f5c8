import { createServer } from 'node:http';
import { closeServer, type ListenOptions, listen } from '@allsource/service-kit/http';

/** Throws a ConfigError that names the setting when the port cannot be listened on. */
export async function requireFreePort(options: ListenOptions): Promise<void> {
  const server = createServer();
  await listen(server, options);
  await closeServer(server, 0);
}

/** A port that was free a moment ago, for a setting of 0. */
export async function chooseFreePort(host: string): Promise<number> {
  const server = createServer();
  const port = await listen(server, { host, port: 0, portSetting: 'the port' });
  await closeServer(server, 0);
  return port;
}
