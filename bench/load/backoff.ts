/**
 * How every subject's clients try again after a conflict. A refusal tells the version, so the next try follows at once; when somebody was faster again, the
 * client waits: a random time up to a bound that doubles each time (exponential backoff with full jitter). Then what it knows of the version is
 * old, and its first try is mostly a question for the newer one. Clients that never waited would only make conflicts for each other; clients that
 * waited after every conflict would always come with an old version, and the one that was first would be the only one to append.
 */
import type { LoopClient } from './closed-loop.ts';

const FIRST_BOUND_MS = 16;
const BOUND_MS_MAX = 1024;
const TRIES_PER_WAIT = 2;

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
    async call(mayRetry) {
      for (let conflicts = 1; ; conflicts += 1) {
        const outcome = await appender.appendAt(version);
        version = outcome.version;
        if (outcome.isAppended || !mayRetry()) return;
        await wait(Math.random() * waitBoundMs(conflicts));
      }
    },
    close: () => appender.close(),
  };
}

/** The longest wait after so many conflicts of one append: 0, 16, 0, 32, 0, 64, ... milliseconds. */
export function waitBoundMs(conflicts: number): number {
  if (conflicts % TRIES_PER_WAIT !== 0) return 0;
  return Math.min(BOUND_MS_MAX, FIRST_BOUND_MS * 2 ** (conflicts / TRIES_PER_WAIT - 1));
}

function wait(durationMs: number): Promise<void> {
  if (durationMs === 0) return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
