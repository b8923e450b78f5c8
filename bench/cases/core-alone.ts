/** The cases that only AllSource itself takes: latency to a subscriber, the read side, restart and memory. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Measurement, Outcome, Unit } from '../measurement.ts';
import { API_KEY, type RunningQuery, RunningCore, startQuery } from '../subjects/core.ts';
import { sleep } from '../subjects/server-process.ts';
import { residentBytes, usedBytes } from './inspected-memory.ts';
import { outcomeOf } from './comparisons.ts';

const LIVE_EVENTS_PER_SECOND = 5000;
const LIVE_CLIENTS = 64;
const FILL_CLIENTS = 4;
const STORED_ENTITIES = 10_000;
const READ_ENTITIES = 64;
const READ_ENTITY_EVENTS = 100;
const READ_CLIENTS = 8;
const FOLLOW_POLL_MS = 5;
const FOLLOW_TIMEOUT_MS = 300_000;

/** P12: from the time an append was due to the subscriber's socket, at a fixed rate. */
export async function runLiveLatency(bench: Bench): Promise<Measurement[]> {
  const title = `append to subscriber at ${LIVE_EVENTS_PER_SECOND} events/s, median (open loop, SSE)`;
  const measurement = measurementOf({ caseName: 'P12', title, unit: 'ms' });
  bench.announce(`P12 ${title}`);
  const core = await RunningCore.start(bench.freshFolder('live'));
  try {
    const { warmupMs, durationMs, eventBytes } = bench.options;
    for (let repetition = 0; repetition < bench.options.repetitions; repetition += 1) {
      await bench.add(measurement, async () => {
        const { latency, note = '' } = await bench.load.run({
          kind: 'live',
          target: core.target,
          clients: LIVE_CLIENTS,
          eventsPerSecond: LIVE_EVENTS_PER_SECOND,
          warmupMs: Math.max(warmupMs, 500),
          durationMs: Math.max(durationMs, 1000),
          eventBytes,
        });
        return { value: latency.p50Ms, latency, note };
      });
    }
  } finally {
    await core.stop();
  }
  return [measurement];
}

/** follow, P10 and restart: one filled store serves all three. */
export async function runStored(bench: Bench): Promise<Measurement[]> {
  const { storedEvents } = bench.options;
  bench.announce(`filling a store with ${storedEvents} events`);
  const core = await RunningCore.start(bench.freshFolder('stored'));
  try {
    await fillStore(bench, core);
    const measurements: Measurement[] = [];
    if (bench.wants('follow') || bench.wants('P10'))
      measurements.push(...(await runReadSide(bench, core)));
    if (!bench.wants('restart')) return measurements;
    const title = `core ready again after kill -9 with ${storedEvents.toLocaleString('en')} events`;
    bench.announce(`restart ${title}`);
    const restart = measurementOf({ caseName: 'restart', title, unit: 'ms' });
    for (let repetition = 0; repetition < bench.options.repetitions; repetition += 1)
      await bench.add(restart, () => killAndStart(core));
    return [...measurements, restart];
  } finally {
    await core.stop();
  }
}

async function fillStore(bench: Bench, core: RunningCore): Promise<void> {
  const { storedEvents, eventBytes } = bench.options;
  const common = { kind: 'fill', target: core.target, eventBytes } as const;
  await bench.load.run({
    ...common,
    clients: FILL_CLIENTS,
    events: storedEvents,
    entities: STORED_ENTITIES,
    entityPrefix: 'stored',
  });
  await bench.load.run({
    ...common,
    clients: 1,
    events: READ_ENTITIES * READ_ENTITY_EVENTS,
    entities: READ_ENTITIES,
    entityPrefix: 'read',
  });
}

async function runReadSide(bench: Bench, core: RunningCore): Promise<Measurement[]> {
  const follow = measurementOf({
    caseName: 'follow',
    title: 'query service catches up with a filled log',
    unit: 'events/s',
  });
  const reads = measurementOf({
    caseName: 'P10',
    title: `reads of a ${READ_ENTITY_EVENTS}-event entity on the gateway, ${READ_CLIENTS} clients`,
    unit: 'reads/s',
  });
  bench.announce('follow and P10');
  const head = await headOf(core);
  for (let repetition = 0; repetition < bench.options.repetitions; repetition += 1) {
    // Each time it starts with nothing, so that it reads the whole log.
    rmSync(join(core.folder, 'query'), { recursive: true, force: true });
    const query = await startQuery(core);
    try {
      await bench.add(follow, () => followRate(query.target.url, head));
      await bench.add(reads, () => readEntities(bench, query));
    } finally {
      await query.stop();
    }
  }
  return [follow, reads].filter(({ caseName }) => bench.wants(caseName));
}

async function readEntities(bench: Bench, query: RunningQuery): Promise<Outcome> {
  const { warmupMs, durationMs, eventBytes } = bench.options;
  const result = await bench.load.run({
    kind: 'read',
    target: query.target,
    clients: READ_CLIENTS,
    entities: READ_ENTITIES,
    eventsPerEntity: READ_ENTITY_EVENTS,
    warmupMs,
    durationMs,
    eventBytes,
  });
  return { ...outcomeOf(result), value: result.calls / result.seconds };
}

/** Looks at the applied position until it is the head's. The start of the process is not counted: the clock runs from the first look. */
async function followRate(url: string, head: number): Promise<Outcome> {
  const startedAt = performance.now();
  let first: number | null = null;
  for (let now = startedAt; now - startedAt < FOLLOW_TIMEOUT_MS; now = performance.now()) {
    const applied = await appliedPosition(url);
    first ??= applied;
    if (applied >= head) {
      const seconds = (performance.now() - startedAt) / 1000;
      return { value: (head - first) / seconds, latency: null };
    }
    await sleep(FOLLOW_POLL_MS);
  }
  throw new Error(`The query service did not reach position ${head} in ${FOLLOW_TIMEOUT_MS} ms.`);
}

/** 0 as long as the service has not read so far that it knows the key. */
async function appliedPosition(url: string): Promise<number> {
  const headers = { authorization: `Bearer ${API_KEY}` };
  const response = await fetch(`${url}/api/v1/stats?consistency=eventual`, { headers });
  await response.arrayBuffer();
  return Number(response.headers.get('x-allsource-position') ?? 0);
}

async function headOf(core: RunningCore): Promise<number> {
  const response = await fetch(`${core.url}/health`);
  return ((await response.json()) as { head_position: number }).head_position;
}

async function killAndStart(core: RunningCore): Promise<Outcome> {
  await core.kill();
  const startedAt = performance.now();
  await core.launch();
  return { value: performance.now() - startedAt, latency: null };
}

/** What the folds of core keep for each entity it knows: live heap after a collection, before and after a number of entities. */
export async function runMemory(bench: Bench): Promise<Measurement[]> {
  const { entities, eventBytes } = bench.options;
  const title = `memory of core per known entity (${entities.toLocaleString('en')} entities)`;
  const measurement = measurementOf({ caseName: 'memory', title, unit: 'bytes/entity' });
  bench.announce(title);
  const core = await RunningCore.start(bench.freshFolder('memory'), ['--inspect=127.0.0.1:0']);
  try {
    const fill = { kind: 'fill', target: core.target, clients: FILL_CLIENTS, eventBytes } as const;
    await bench.load.run({ ...fill, events: 20_000, entities: 1, entityPrefix: 'warm' });
    await bench.add(measurement, async () => {
      const before = await usedBytes(core.output);
      const residentBefore = residentBytes(core.pid);
      await bench.load.run({ ...fill, events: entities, entities, entityPrefix: 'known' });
      const resident = (residentBytes(core.pid) - residentBefore) / entities;
      const value = ((await usedBytes(core.output)) - before) / entities;
      const note = `resident set grew by ${Math.round(resident)} bytes per entity, garbage included`;
      return { value, latency: null, note };
    });
  } finally {
    await core.stop();
  }
  return [measurement];
}

function measurementOf(what: {
  readonly caseName: string;
  readonly title: string;
  readonly unit: Unit;
}): Measurement {
  const common = { subject: 'AllSource core', ack: 'after fdatasync', isDurable: true };
  return { ...what, ...common, client: 'Node', samples: [], fault: null };
}
