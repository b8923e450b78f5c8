/**
 * How every subject's clients try again after a conflict: exponential backoff with full jitter, that is a wait of random length up to a bound that doubles
 * with each conflict. Clients that all come back at once would only make conflicts. The next try expects the version that the refusal named.
 */
import type { LoopClient } from './closed-loop.ts';

const FIRST_BOUND_MS = 1;
const BOUND_MS_MAX = 64;

/** What became of an append with an expected version: done, or refused because the entity is elsewhere. */
export interface ConditionalOutcome {
  readonly isAppended: boolean;
  /** The number of events that the entity has. */
  readonly version: number;
}

/** One client's way to append to the hot entity. */
export interface ConditionalAppender {
  appendAt(version: number): Promise<ConditionalOutcome>;
  close(): Promise<void>;
}

/** A client whose call is an append that succeeded in the end, conflicts and waits included. */
export function retrying(appender: ConditionalAppender): LoopClient {
  let version = 0;
  return {
    async call() {
      for (let conflicts = 0; ; conflicts += 1) {
        const outcome = await appender.appendAt(version);
        version = outcome.version;
        if (outcome.isAppended) return conflicts;
        await wait(Math.random() * backoffBoundMs(conflicts));
      }
    },
    close: () => appender.close(),
  };
}

/** The longest wait after a conflict that had `conflicts` before it. */
export function backoffBoundMs(conflicts: number): number {
  return Math.min(BOUND_MS_MAX, FIRST_BOUND_MS * 2 ** conflicts);
}

function wait(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
