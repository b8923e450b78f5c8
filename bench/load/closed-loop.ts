import { summarize } from '../statistics.ts';
import type { LoadResult } from './job.ts';

/** One client of a closed loop. */
export interface LoopClient {
  /** Makes one call and waits for its answer. Asks before it tries again, and gives up on a no. Throws when the answer is not a success. */
  call(mayRetry: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export interface LoopOptions {
  readonly clients: readonly LoopClient[];
  readonly eventsPerCall: number;
  readonly warmupMs: number;
  readonly durationMs: number;
  readonly eventsMax?: number;
}

/**
 * Lets every client make one call after the other, and times those that end within the measured span. The span ends with a call, and only when there
 * were as many calls as clients: a slow server makes it longer, not empty.
 */
export async function runClosedLoop(options: LoopOptions): Promise<LoadResult> {
  const { clients, eventsPerCall, warmupMs, durationMs } = options;
  const callsMax = (options.eventsMax ?? Number.POSITIVE_INFINITY) / eventsPerCall;
  const measureFrom = performance.now() + warmupMs;
  const latenciesMs: number[] = [];
  const eventsEachSecond: number[] = [];
  let retries = 0;
  let measuredMs = 0;
  const isOver = () =>
    (measuredMs >= durationMs || latenciesMs.length >= callsMax) &&
    latenciesMs.length >= clients.length;
  const mayRetry = () => {
    if (isOver()) return false;
    if (performance.now() >= measureFrom) retries += 1;
    return true;
  };
  const run = async (client: LoopClient): Promise<void> => {
    for (let startedAt = performance.now(); !isOver(); ) {
      await client.call(mayRetry);
      const endedAt = performance.now();
      if (endedAt >= measureFrom && !isOver()) {
        latenciesMs.push(endedAt - startedAt);
        measuredMs = endedAt - measureFrom;
        const second = Math.floor(measuredMs / 1000);
        eventsEachSecond[second] = (eventsEachSecond[second] ?? 0) + eventsPerCall;
      }
      startedAt = endedAt;
    }
  };
  try {
    await Promise.all(clients.map(run));
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
  return {
    calls: latenciesMs.length,
    events: latenciesMs.length * eventsPerCall,
    seconds: measuredMs / 1000,
    retries,
    latency: summarize(latenciesMs),
    eventsEachSecond: Array.from(
      eventsEachSecond.slice(0, Math.floor(measuredMs / 1000)),
      (events: number | undefined) => events ?? 0,
    ),
  };
}
