import { type Bench, type Measurement, measurementOf, type Outcome } from '../measurement.ts';
import { summarize } from '../statistics.ts';
import { API_KEY, RunningCore, startQuery } from '../subjects/core.ts';
import { sleep } from '../subjects/server-process.ts';
import { RenumberedBatch } from '../support/batch-bodies.ts';

const RATES = [
  { eventsPerSecond: 5_000, batchEvents: 50, goalMs: 50 },
  { eventsPerSecond: 100_000, batchEvents: 1_000, goalMs: 250 },
];
const ENTITIES = 100_000;
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

const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' };

async function lagAtRate(run: Run): Promise<Outcome> {
  const measuredMs = Math.max(run.durationMs, DURATION_MS_MIN);
  const startedAt = performance.now();
  const measureFrom = startedAt + run.warmupMs;
  const endAt = measureFrom + measuredMs;
  const acknowledged: { position: number; at: number }[] = [];
  const lags: number[] = [];
  let next = 0;
  const state = { isDone: false };
  const appending = appendAtRate(run, endAt, (position) =>
    acknowledged.push({ position, at: performance.now() }),
  ).finally(() => {
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

/** Sends batches when they are due, whatever became of those before. */
async function appendAtRate(
  run: Run,
  endAt: number,
  onAcknowledged: (position: number) => unknown,
): Promise<number> {
  const base = await headOf(run.core);
  const everyMs = (run.batchEvents / run.eventsPerSecond) * 1000;
  const running: Promise<unknown>[] = [];
  const batch = new RenumberedBatch(run.batchEvents);
  let sent = 0;
  let answered = 0;
  for (let due = performance.now(); due < endAt; due += everyMs) {
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    batch.renumber((sent * run.batchEvents) % ENTITIES);
    sent++;
    const body = Buffer.from(batch.body);
    running.push(
      appendBatch(run.core, body).then(() => {
        answered++;
        // So many appends are durable, and positions have no gaps: the history must reach at least this one.
        return onAcknowledged(base + answered * run.batchEvents);
      }),
    );
  }
  await Promise.all(running);
  return sent * run.batchEvents;
}

async function appendBatch(core: string, body: Buffer): Promise<void> {
  const url = `${core}/api/v1/events/batch`;
  const response = await fetch(url, { method: 'POST', headers, body });
  await response.arrayBuffer();
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
