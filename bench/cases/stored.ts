/** The cases that need a filled store: the read side, replays, and the restart. One store serves all of them. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, type Measurement, measurementOf, type Outcome } from '../measurement.ts';
import { API_KEY, CORE, INTERNAL_TOKEN, RunningCore, startQuery } from '../subjects/core.ts';
import { sleep } from '../subjects/server-process.ts';
import type { Subject } from '../subjects/subject.ts';
import {
  READ_CASES,
  READ_ENTITIES,
  READ_ENTITY_EVENTS,
  runReads,
  STORED_ENTITIES,
} from './reads.ts';
import { runRestarts } from './restart.ts';

const FILL_CLIENTS = 4;
const FOLLOW_POLL_MS = 5;
const FOLLOW_TIMEOUT_MS = 300_000;
/** JetStream takes about 20,000 publishes a second: filling it takes far longer than replaying, so it gets fewer events. */
const JETSTREAM_SHARE = 0.2;

export const STORED_CASES = ['follow', ...READ_CASES, 'P11', 'P16'];

/** Fills a store and runs those of these cases that are wanted. */
export async function runStored(
  bench: Bench,
  subjects: readonly Subject[],
): Promise<Measurement[]> {
  const { storedEvents } = bench.options;
  bench.announce(`filling a store with ${storedEvents} events`);
  const core = await RunningCore.start(bench.freshFolder('stored'));
  try {
    await fillStore(bench, core);
    const measurements: Measurement[] = [];
    if (bench.wants('follow')) measurements.push(...(await runFollow(bench, core)));
    if (READ_CASES.some((name) => bench.wants(name)))
      measurements.push(...(await runReads(bench, core, subjects)));
    if (bench.wants('P11')) measurements.push(...(await runReplays(bench, core, subjects)));
    if (bench.wants('P16')) measurements.push(...(await runRestarts(bench, core)));
    return measurements;
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

async function runFollow(bench: Bench, core: RunningCore): Promise<Measurement[]> {
  const follow = measurementOf({
    caseName: 'follow',
    title: 'query service catches up with a filled log',
    unit: 'events/s',
  });
  bench.announce('follow');
  const head = await headOf(core);
  for (let repetition = 0; repetition < bench.options.repetitions; repetition += 1) {
    // Each time it starts with nothing, so that it reads the whole log.
    rmSync(join(core.folder, 'query'), { recursive: true, force: true });
    const query = await startQuery(core);
    try {
      await bench.add(follow, () => followRate(query.target.url, head));
    } finally {
      await query.stop();
    }
  }
  return [follow];
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

/** P11: core's feed, and an ordered consumer of JetStream where it is here. */
// oxlint-disable-next-line eslint/max-params -- who, what and with whom.
async function runReplays(
  bench: Bench,
  core: RunningCore,
  subjects: readonly Subject[],
): Promise<Measurement[]> {
  bench.announce('P11 full replays');
  const nats = subjects.find(({ name }) => name === 'NATS JetStream');
  const jetStream = await nats?.start(bench.freshFolder('replay'));
  const { eventBytes, storedEvents } = bench.options;
  const peerEvents = Math.ceil(storedEvents * JETSTREAM_SHARE);
  const sources = [{ target: core.target, events: await headOf(core), subject: CORE }];
  try {
    if (nats !== undefined && jetStream !== undefined) {
      const { target } = jetStream;
      const what = { events: peerEvents, entities: STORED_ENTITIES, entityPrefix: 'stored' };
      await bench.load.run({ kind: 'fill', target, clients: 1, eventBytes, ...what });
      sources.push({ target, events: peerEvents, subject: nats.name });
    }
    const measurements: Measurement[] = [];
    for (const takes of ['bytes', 'events'] as const) {
      const title = `full replay to one Node consumer, ${takes === 'bytes' ? 'bytes as they are' : 'parsed events'}`;
      const entries = sources.map(({ target, events, subject }) => ({
        measurement: measurementOf({ caseName: 'P11', title, unit: 'events/s', subject }),
        isWarmedUp: true,
        work: async () => {
          const job = { kind: 'replay', target, internalToken: INTERNAL_TOKEN, events, takes };
          const result = await bench.load.run({ ...job, kind: 'replay' });
          return { value: result.events / result.seconds, latency: null, note: result.note ?? '' };
        },
      }));
      await bench.takeSamples(entries);
      measurements.push(...entries.map(({ measurement }) => measurement));
    }
    return measurements;
  } finally {
    await jetStream?.stop();
  }
}
