import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 50;

/**
 * Resolves when every service answers /readyz with 200: it has caught up with the log and can serve. A service that listens may still have a log to
 * read. Rejects when `stop` is aborted.
 */
export async function untilServing(urls: readonly string[], stop: AbortSignal): Promise<void> {
  await Promise.all(urls.map((url) => untilReady(`${url}/readyz`, stop)));
}

async function untilReady(url: string, stop: AbortSignal): Promise<void> {
  while (!(await isReady(url, stop))) await sleep(POLL_MS, undefined, { signal: stop });
}

async function isReady(url: string, stop: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: stop });
    await response.arrayBuffer();
    return response.ok;
  } catch (error) {
    // Refused or cut off: the process is on its way up or down; the launcher watches for its end elsewhere.
    if (stop.aborted) throw error;
    return false;
  }
}
