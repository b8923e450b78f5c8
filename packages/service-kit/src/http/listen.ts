import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '../config/read-settings.ts';

const IDLE_SWEEP_MS = 20;

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** The setting that chose the port, for the message when it is taken. */
  readonly portSetting: string;
}

/** Starts to listen and returns the port. A port in use is a {@link ConfigError} that names the setting. */
export function listen(server: Server, options: ListenOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(error, options)));
    server.listen(options.port, options.host, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });
}

function listenFault(
  error: NodeJS.ErrnoException,
  { host, port, portSetting }: ListenOptions,
): Error {
  if (error.code === 'EADDRINUSE') {
    return new ConfigError([
      `${portSetting} is ${port}, and something listens on ${host}:${port} already. Stop it or choose another port.`,
    ]);
  }
  if (error.code === 'EACCES')
    return new ConfigError([`${portSetting} is ${port}, which this user may not listen on.`]);
  return error;
}

/** Stops accepting, waits for running requests at most `graceMs`, then closes what is left. */
export async function closeServer(server: Server, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that was busy at first becomes idle with its answer, and would stay open as long as its client keeps it.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(timer);
}
