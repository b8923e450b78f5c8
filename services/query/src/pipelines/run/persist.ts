import { setTimeout as sleep } from 'node:timers/promises';

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

export interface PersistOptions {
  readonly signal: AbortSignal;
  /** Told why the last try has failed; null when one has succeeded. */
  readonly onFault: (fault: string | null) => void;
}

/** Does something until it does not throw, or until it is aborted, with pauses that grow to five seconds. */
export async function persist(
  attempt: () => Promise<void>,
  { signal, onFault }: PersistOptions,
): Promise<void> {
  for (let delayMs = RETRY_MS_MIN; !signal.aborted; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
    try {
      await attempt();
      return onFault(null);
    } catch (error) {
      onFault(error instanceof Error ? error.message : String(error));
    }
    // Rejects when it is aborted, which ends the loop.
    await sleep(delayMs, null, { signal }).catch(() => null);
  }
}
