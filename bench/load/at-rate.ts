/**
 * Calls at a fixed rate, whatever the server does (open loop). Latency is counted from when a call was due, so a server that stalls cannot hide the calls that it held up.
 */
import { summarize } from '../statistics.ts';
import type { LoopClient } from './closed-loop.ts';
import type { LoadResult } from './job.ts';
import { shortRest } from './short-rest.ts';

interface Rate {
  readonly callsPerSecond: number;
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** Makes calls over connections that are open already. Those that find none free wait for their turn. */
export async function runAtRate(rate: Rate, clients: readonly LoopClient[]): Promise<LoadResult> {
  const startAt = performance.now();
  const measureFrom = startAt + rate.warmupMs;
  const endAt = measureFrom + rate.durationMs;
  const gapMs = 1000 / rate.callsPerSecond;
  const latenciesMs: number[] = [];
  const idle = [...clients];
  const running = new Set<Promise<void>>();
  let due = 0;
  let sent = 0;
  let backlogMax = 0;
  const faults: Error[] = [];

  const serve = async (client: LoopClient): Promise<void> => {
    while (sent < due) {
      const dueAt = startAt + sent * gapMs;
      sent += 1;
      await client.call(() => false);
      if (dueAt >= measureFrom) latenciesMs.push(performance.now() - dueAt);
    }
    idle.push(client);
  };
  for (let now = startAt; now < endAt && faults.length === 0; now = performance.now()) {
    due = Math.floor((now - startAt) / gapMs) + 1;
    backlogMax = Math.max(backlogMax, due - sent);
    for (let free = Math.min(idle.length, due - sent); free > 0; free -= 1) {
      const work = serve(idle.shift() as LoopClient).catch((error: unknown) => {
        faults.push(error instanceof Error ? error : new Error(String(error)));
      });
      running.add(work);
      void work.finally(() => running.delete(work));
    }
    await shortRest();
  }
  // What was due and not sent is not sent any more; what was sent is waited for.
  due = sent;
  await Promise.all(running);
  await Promise.all(clients.map((client) => client.close()));
  if (faults[0] !== undefined) throw faults[0];
  const seconds = (performance.now() - measureFrom) / 1000;
  const { length: calls } = latenciesMs;
  const note = `asked for ${rate.callsPerSecond}/s; at most ${backlogMax} calls waited for a connection`;
  return { calls, events: calls, seconds, retries: 0, latency: summarize(latenciesMs), note };
}
