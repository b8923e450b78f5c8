/**
 * Replays (P14): how many events a second a rebuild of the projections takes in, with its checkpoint in the same transaction, and what it costs the reads beside it:
 *
 *     node bench/replay.ts [--events 500000] [--entities 50000] [--rounds 9] [--reads 1000] [--quick] [--folder PATH]
 *
 * The events are about 200 bytes, each of a random entity. Core and the query service run as processes from their bundles (`npm run build` first). Reads come at a fixed
 * rate, in turns with nothing, with a replay that starts and then runs, and with a loop of the replay's priority that touches neither disk nor store beside them, and their p99 are compared within the same
 * run: what the loop costs, the machine takes for any work beside the reads. `--quick` takes a tenth of the events. The folder is removed
 * afterwards. The first and last lines say how busy the machine was: with anything else running, the tails are those of the machine.
 */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from '@allsource/shared/lang';
import { parseArgs } from 'node:util';
import { machineLoad, median } from './support/figures.ts';
import { LoadProcess } from './load/load-process.ts';
import type { LatencySummary } from './statistics.ts';
import { type OrderStore, print, random, withOrders } from './support/order-store.ts';
import { processTimes } from './support/process-times.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string' },
    entities: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    reads: { type: 'string', default: '1000' },
    folder: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
  },
});
const EVENTS = Number(values.events ?? (values.quick ? 50_000 : 500_000));
const ENTITIES = Number(values.entities ?? EVENTS / 10);
const ROUNDS = Number(values.rounds);
const READS_PER_SECOND = Number(values.reads);
const ROUND_MS = values.quick ? 2_000 : 5_000;
/** Asking how far a replay is costs the reads too; a quick one may end in a second. */
const POLL_MS = values.quick ? 100 : 1_000;
/** A replay has begun to fold after so long: its process has started, and found where it begins. */
const START_MS = 1_500;

interface Replay {
  readonly replay_id: string;
  readonly status: string;
  readonly processed_events: number;
  readonly events_per_second: number;
  readonly error_message: string | null;
}

function begin(store: OrderStore, config: object = {}): Promise<Replay> {
  return store.ask('POST /replay', { config });
}

function progress(store: OrderStore, { replay_id }: Replay): Promise<Replay> {
  return store.ask(`/replay/${replay_id}`);
}

function cancel(store: OrderStore, { replay_id }: Replay): Promise<unknown> {
  return store.ask(`POST /replay/${replay_id}/cancel`);
}

/** Processor seconds so far: of core, of the query service, and of the processes of replays that have ended. */
function cpuSeconds({ core, query }: OrderStore): { core: number; query: number; replays: number } {
  const { own, children } = processTimes(query.pid);
  return { core: processTimes(core.pid).own, query: own, replays: children };
}

/** Replays everything, with nothing beside it. */
async function alone(store: OrderStore, title: string, config: object): Promise<void> {
  const before = cpuSeconds(store);
  const startedAt = performance.now();
  let replay = await begin(store, config);
  while (replay.status === 'running' || replay.status === 'pending') {
    await sleep(20);
    replay = await progress(store, replay);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  // The processor time of a process is known when it has ended.
  await sleep(1_000);
  const after = cpuSeconds(store);
  if (replay.status !== 'completed') throw new TypeError(`${replay.error_message}`);
  const micros = (used: number) => ((used / EVENTS) * 1e6).toFixed(1);
  const used = (what: 'core' | 'query' | 'replays') => micros(after[what] - before[what]);
  print(
    `${title}: ${Math.round(EVENTS / seconds)} events/s from the request to the switch; processor time ${used('replays')} µs an event in the replay, ${used('core')} in core, ${used('query')} in the query service (which is asked how far it is)`,
  );
}

const CLIENTS = 16;
const PATHS_OF_A_KIND = 500;
const READS = [
  () => `/projections/entity_snapshots/order-${random(ENTITIES)}/state`,
  () => `/entities/order-${random(ENTITIES)}/snapshot`,
  () => `/events/query?entity_id=order-${random(ENTITIES)}&limit=20`,
  () => `/projections/event_counters/order.paid/state`,
];
const load = new LoadProcess();
const paths = Array.from(
  { length: READS.length * PATHS_OF_A_KIND },
  (_, i) => `/api/v1${must(READS[i % READS.length], 'a kind of read')()}`,
);

/** Reads at a fixed rate for a while, made by a process of their own. Latency counts from when each was due. */
async function readFor({ query }: OrderStore, durationMs: number): Promise<LatencySummary> {
  const { target } = query;
  const { latency } = await load.run({
    kind: 'paced-read',
    target,
    paths,
    readsPerSecond: READS_PER_SECOND,
    clients: CLIENTS,
    eventBytes: 0,
    warmupMs: 0,
    durationMs,
  });
  return latency;
}

async function replayUntil(store: OrderStore, reading: { isOver: boolean }): Promise<void> {
  let replay = await begin(store);
  while (!reading.isOver) {
    await sleep(POLL_MS);
    replay = await progress(store, replay);
    if (replay.status !== 'running' && !reading.isOver) replay = await begin(store);
  }
  await cancel(store, replay).catch(() => {});
}

/** The same beside a replay: while it starts, and while it runs. Where it ends too early, another one follows. */
async function readBesideReplay(
  store: OrderStore,
  durationMs: number,
): Promise<{ readonly starting: LatencySummary; readonly running: LatencySummary }> {
  const reading = { isOver: false };
  const replays = replayUntil(store, reading);
  const starting = await readFor(store, START_MS);
  const running = await readFor(store, durationMs);
  reading.isOver = true;
  await replays;
  return { starting, running };
}

/** The same beside a program that does nothing but run. */
async function readBesideLoop(store: OrderStore, durationMs: number): Promise<LatencySummary> {
  const loop = spawn(process.execPath, [join(import.meta.dirname, 'support/idle-loop.ts')]);
  try {
    await sleep(START_MS);
    return await readFor(store, durationMs);
  } finally {
    loop.kill('SIGKILL');
  }
}

function figures({ p50Ms, p99Ms }: LatencySummary): string {
  return `p50 ${p50Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)} ms`;
}

async function measure(store: OrderStore): Promise<void> {
  print(`${EVENTS} events of ${ENTITIES} entities, both projections`);
  await alone(store, 'a replay, one process', {});
  await alone(store, 'a replay, one process, again', {});
  await alone(store, 'a replay, two processes', { parallel: true, workers: 2 });
  if (ROUNDS === 0) return;
  await readFor(store, ROUND_MS);
  const ratios: number[] = [];
  const loopRatios: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const without = await readFor(store, ROUND_MS);
    const beside = await readBesideReplay(store, ROUND_MS);
    const besideLoop = await readBesideLoop(store, ROUND_MS);
    const ratio = beside.running.p99Ms / without.p99Ms;
    const loopRatio = besideLoop.p99Ms / without.p99Ms;
    ratios.push(ratio);
    loopRatios.push(loopRatio);
    print(
      `round ${round}: reads without ${figures(without)}; beside a replay ${figures(beside.running)}, p99 ratio ${ratio.toFixed(2)} (while it started ${figures(beside.starting)}); beside a mere loop ${figures(besideLoop)}, ${loopRatio.toFixed(2)}`,
    );
  }
  print(
    `p99 of ${READS_PER_SECOND} reads/s beside a replay: ${median(ratios).toFixed(2)} times, beside a mere loop ${median(loopRatios).toFixed(2)} times (middle of ${ROUNDS} rounds)`,
  );
}

print(machineLoad());
try {
  await withOrders({ folder: values.folder, events: EVENTS, entities: ENTITIES }, measure);
} finally {
  load.close();
}
print(machineLoad());
