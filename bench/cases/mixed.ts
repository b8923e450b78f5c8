/** Reads beside appends: the newest event of an entity, linearizable, while events are appended at a fixed rate. */
import {
  type Bench,
  type Measurement,
  measurementOf,
  type Outcome,
  type Span,
} from '../measurement.ts';
import type { Target } from '../load/job.ts';
import { RunningCore, type RunningQuery, startQuery } from '../subjects/core.ts';
import { answersOk, sleep } from '../subjects/server-process.ts';
import { appendAtRate } from '../support/paced-appends.ts';
import { atRest } from '../support/process-times.ts';

const READS_PER_SECOND = 1_000;
const READ_CLIENTS = 16;
const READ_ENTITIES = 64;
const RATES = [
  { eventsPerSecond: 5_000, batchEvents: 50 },
  { eventsPerSecond: 50_000, batchEvents: 1_000 },
];
const DURATION_MS_MIN = 2_000;
const REST_LIMIT_MS = 30_000;

interface Rate {
  readonly eventsPerSecond: number;
  readonly batchEvents: number;
}

/** In turns, reads with nothing beside them and beside appends at each rate. */
export async function runMixed(bench: Bench): Promise<Measurement[]> {
  bench.announce('mixed reads beside appends');
  const core = await RunningCore.start(bench.freshFolder('mixed'));
  try {
    await fill(bench, core.target);
    const query = await startQuery(core);
    try {
      while (!(await answersOk(`${query.target.url}/readyz`))) await sleep(20);
      const entries = [null, ...RATES].map((rate) => ({
        measurement: readsBeside(rate),
        isWarmedUp: true,
        work: (span: Span) => readBeside(bench, { core, query, rate, span }),
      }));
      await bench.takeSamples(entries);
      return entries.map(({ measurement }) => measurement);
    } finally {
      await query.stop();
    }
  } finally {
    await core.stop();
  }
}

function readsBeside(rate: Rate | null): Measurement {
  const beside =
    rate === null
      ? 'nothing'
      : `${rate.eventsPerSecond.toLocaleString('en')} events/s appended in batches of ${rate.batchEvents}`;
  const title = `newest event of an entity, ${READS_PER_SECOND.toLocaleString('en')} reads/s (open loop), beside ${beside}`;
  return measurementOf({ caseName: 'mixed', subject: 'AllSource', title, unit: 'ms' });
}

async function fill(bench: Bench, target: Target): Promise<void> {
  await bench.load.run({
    kind: 'fill',
    target,
    clients: 1,
    eventBytes: bench.options.eventBytes,
    events: READ_ENTITIES,
    entities: READ_ENTITIES,
    entityPrefix: 'read',
  });
}

interface Run {
  readonly core: RunningCore;
  readonly query: RunningQuery;
  readonly rate: Rate | null;
  readonly span: Span;
}

async function readBeside(bench: Bench, { core, query, rate, span }: Run): Promise<Outcome> {
  // What the run before has left to do is not measured with this one.
  await atRest([core.pid, query.pid], REST_LIMIT_MS);
  const durationMs = Math.max(span.durationMs, DURATION_MS_MIN);
  const endAt = performance.now() + span.warmupMs + durationMs;
  const appending =
    rate === null ? Promise.resolve(0) : appendAtRate({ core: core.url, ...rate, endAt });
  const { latency } = await bench.load.run({
    kind: 'point-read',
    target: query.target,
    clients: READ_CLIENTS,
    eventBytes: bench.options.eventBytes,
    entities: READ_ENTITIES,
    readsPerSecond: READS_PER_SECOND,
    warmupMs: span.warmupMs,
    durationMs,
  });
  await appending;
  return { value: latency.p50Ms, latency };
}
