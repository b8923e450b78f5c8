import { summarize } from '../statistics.ts';
import type { LoadResult } from './job.ts';

/** One client of a closed loop. */
export interface LoopClient {
  /** Makes one call and waits for its answer. Returns how often it had to be tried again. Throws when the answer is not a success. */
  call(): Promise<number>;
  close(): Promise<void>;
}

export interface LoopOptions {
  readonly clients: readonly LoopClient[];
  readonly eventsPerCall: number;
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** Lets every client make one call after the other, and times those that end within the measured span. */
export async function runClosedLoop(options: LoopOptions): Promise<LoadResult> {
  const measureFrom = performance.now() + options.warmupMs;
  const measureTo = measureFrom + options.durationMs;
  const latenciesMs: number[] = [];
  let retries = 0;
  const run = async (client: LoopClient): Promise<void> => {
    for (let startedAt = performance.now(); startedAt < measureTo; ) {
      const tries = await client.call();
      const endedAt = performance.now();
      if (endedAt >= measureFrom && endedAt < measureTo) {
        latenciesMs.push(endedAt - startedAt);
        retries += tries;
      }
      startedAt = endedAt;
    }
  };
  try {
    await Promise.all(options.clients.map(run));
  } finally {
    await Promise.all(options.clients.map((client) => client.close()));
  }
  return {
    calls: latenciesMs.length,
    events: latenciesMs.length * options.eventsPerCall,
    seconds: options.durationMs / 1000,
    retries,
    latency: summarize(latenciesMs),
  };
}
