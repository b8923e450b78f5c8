import { type Bench, type Measurement, measurementOf, type Outcome } from '../measurement.ts';
import { summarize } from '../statistics.ts';
import { API_KEY, RunningCore, startQuery } from '../subjects/core.ts';
import { sleep } from '../subjects/server-process.ts';
import { appendAtRate } from '../support/paced-appends.ts';

const RATES = [
  { eventsPerSecond: 5_000, batchEvents: 50, goalMs: 50 },
  { eventsPerSecond: 100_000, batchEvents: 1_000, goalMs: 250 },
];
const DURATION_MS_MIN = 2_000;
const POLL_MS = 2;

/**
 * How long after its acknowledgement an append is in the event history of a query service, at a fixed rate. The applied position is asked for over HTTP
 * every few milliseconds, so a lag is measured too long by up to one question and its answer.
 */
export async function runLag(bench: Bench): Promise<Measurement[]> {
  const core = await RunningCore.start(bench.freshFolder('lag'));
  const measurements: Measurement[] = [];
  try {
    const query = await startQuery(core);
    try {
      for (const rate of RATES) {
        const { eventsPerSecond, goalMs } = rate;
        const title = `from acknowledged to readable at ${eventsPerSecond.toLocaleString('en')} events/s (goal: p99 under ${goalMs} ms)`;
        bench.announce(`lag ${title}`);
        const measurement = measurementOf({ caseName: 'lag', title, unit: 'ms' });
        const work = (span: { warmupMs: number; durationMs: number }) =>
          lagAtRate({ core: core.url, query: query.target.url, ...rate, ...span });
        await bench.takeSamples([{ measurement, isWarmedUp: true, work }]);
        measurements.push(measurement);
      }
    } finally {
      await query.stop();
    }
  } finally {
    await core.stop();
  }
  return measurements;
}

interface Run {
  readonly core: string;
  readonly query: string;
  readonly eventsPerSecond: number;
  readonly batchEvents: number;
  readonly warmupMs: number;
  readonly durationMs: number;
}

const headers = { authorization: `Bearer ${API_KEY}` };

async function lagAtRate(run: Run): Promise<Outcome> {
  const measuredMs = Math.max(run.durationMs, DURATION_MS_MIN);
  const startedAt = performance.now();
  const measureFrom = startedAt + run.warmupMs;
  const endAt = measureFrom + measuredMs;
  const acknowledged: { position: number; at: number }[] = [];
  const lags: number[] = [];
  let next = 0;
  const state = { isDone: false };
  const base = await headOf(run.core);
  const appending = appendAtRate({
    ...run,
    endAt,
    // So many appends are durable, and positions have no gaps: the history must reach at least this one.
    onAcknowledged: (events) =>
      acknowledged.push({ position: base + events, at: performance.now() }),
  }).finally(() => {
    state.isDone = true;
  });
  while (!state.isDone || next < acknowledged.length) {
    const applied = await appliedPosition(run.query);
    const now = performance.now();
    for (; next < acknowledged.length; next++) {
      const { position, at } = acknowledged[next] ?? { position: 0, at: 0 };
      if (position > applied) break;
      if (at >= measureFrom) lags.push(Math.max(0, now - at));
    }
    await sleep(POLL_MS);
  }
  const sent = await appending;
  const latency = summarize(lags);
  const note = `${Math.round((sent / (performance.now() - startedAt)) * 1000).toLocaleString('en')} events/s reached`;
  return { value: latency.p99Ms, latency, note };
}

async function appliedPosition(url: string): Promise<number> {
  const response = await fetch(`${url}/api/v1/stats?consistency=eventual`, { headers });
  await response.arrayBuffer();
  return Number(response.headers.get('x-allsource-position') ?? 0);
}

async function headOf(url: string): Promise<number> {
  const response = await fetch(`${url}/health`);
  return ((await response.json()) as { head_position: number }).head_position;
}
