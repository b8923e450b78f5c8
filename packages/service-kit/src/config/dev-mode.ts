import { isIPv4 } from 'node:net';
import { ConfigError } from './read-settings.ts';

/** Refuses dev mode, in which nobody needs a key, on any address that other machines could reach. */
export function requireSafeDevMode(settings: {
  readonly devMode: boolean;
  readonly host: string;
}): void {
  if (!settings.devMode || isLoopback(settings.host)) return;
  throw new ConfigError([
    `ALLSOURCE_DEV_MODE is on and ALLSOURCE_HOST is ${settings.host}: a store without keys may only listen on 127.0.0.1.`,
  ]);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}
