import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AllSourceClient, type RetryNotice } from '@allsource/client/tools';
import type { CommandContext, GlobalFlags } from './command-context.ts';
import { CliError, EXIT } from './exit-code.ts';

const URL_DEFAULT = 'http://127.0.0.1:3902';

export interface ConnectOptions {
  /** How long an outage is bridged. */
  readonly retryForMs: number;
  readonly timeoutMs?: number;
  readonly onRetry?: (notice: RetryNotice) => void;
}

/** A client for the service that flags, environment and defaults name, in this order. */
export function connect(
  flags: GlobalFlags,
  context: CommandContext,
  options: ConnectOptions,
): AllSourceClient {
  const url = requireHttpUrl(flags.url ?? (context.environment['ALLSOURCE_URL'] || URL_DEFAULT));
  return new AllSourceClient({
    url,
    apiKey: apiKey(flags, url, context),
    retry: { forMs: options.retryForMs },
    timeoutMs: options.timeoutMs,
    onRetry: options.onRetry,
  });
}

function apiKey(flags: GlobalFlags, url: string, context: CommandContext): string | null {
  const given = flags.apiKey ?? context.environment['ALLSOURCE_API_KEY'];
  const key = (given || keyOfDataFolder(url, context))?.trim() ?? null;
  if (key === null || /^[\x21-\x7e]+$/.test(key)) return key;
  throw new CliError('The API key holds characters that no key has.', EXIT.usage);
}

function requireHttpUrl(url: string): string {
  const scheme = URL.canParse(url) ? new URL(url).protocol : '';
  if (scheme === 'http:' || scheme === 'https:') return url;
  throw new CliError(`'${url}' is no address; use one such as ${URL_DEFAULT}.`, EXIT.usage);
}

// The key of a store on this machine is of no use elsewhere, and must not be told to another host.
function keyOfDataFolder(url: string, context: CommandContext): string | null {
  const { hostname } = new URL(url);
  if (!/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname)) return null;
  const folder = resolve(
    context.workingFolder,
    context.environment['ALLSOURCE_DATA_DIR'] || './data',
  );
  const file = join(folder, 'api-key');
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
