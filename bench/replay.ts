/**
 * Replays (P14): how many events a second a rebuild of the projections takes in, with its checkpoint in the same transaction, and what it costs the reads beside it:
 *
 *     node bench/replay.ts [--events 500000] [--entities 50000] [--rounds 6] [--reads 300] [--quick] [--folder PATH]
 *
 * The events are about 200 bytes, each of a random entity. Core and the query service run as processes from their bundles (`npm run build` first). Reads come at a fixed
 * rate, in turns with and without a replay, and their p99 are compared within the same run. `--quick` takes a tenth of the events. The folder is removed
 * afterwards. The first and last lines say how busy the machine was: with anything else running, the tails are those of the machine.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RunningCore, type RunningQuery, startQuery } from './subjects/core.ts';
import { machineLoad, median, quantile } from './support/figures.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string' },
    entities: { type: 'string' },
    rounds: { type: 'string', default: '6' },
    reads: { type: 'string', default: '300' },
    folder: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
  },
});
const EVENTS = Number(values.events ?? (values.quick ? 50_000 : 500_000));
const ENTITIES = Number(values.entities ?? EVENTS / 10);
const ROUNDS = Number(values.rounds);
const READS_PER_SECOND = Number(values.reads);
const ROUND_MS = values.quick ? 2_000 : 5_000;
const BATCH = 1_000;
const TYPES = ['order.placed', 'order.paid', 'order.shipped', 'order.returned'];
/** Ticks of processor time in a second, as Linux counts them. */
const TICKS_PER_SECOND = 100;

interface Replay {
  readonly replay_id: string;
  readonly status: string;
  readonly processed_events: number;
  readonly events_per_second: number;
  readonly error_message: string | null;
}

let seed = 1;
/** A whole number from 0 to below `end`. */
function random(end: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * end);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

class Store {
  readonly core: RunningCore;
  readonly query: RunningQuery;

  constructor(core: RunningCore, query: RunningQuery) {
    this.core = core;
    this.query = query;
  }

  async ask<T>(path: string, init: { method?: string; body?: string } = {}): Promise<T> {
    const { url, apiKey } = this.query.target;
    const response = await fetch(`${url}/api/v1${path}`, {
      ...init,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    });
    const text = await response.text();
    if (!response.ok) throw new TypeError(`${path}: ${text.slice(0, 300)}`);
    return JSON.parse(text) as T;
  }

  async fill(): Promise<void> {
    while (!(await fetch(`${this.query.target.url}/readyz`)).ok) await sleep(20);
    for (let first = 0; first < EVENTS; first += BATCH) {
      const events = Array.from({ length: BATCH }, (_, i) => ({
        event_type: TYPES[random(TYPES.length)],
        entity_id: `order-${random(ENTITIES)}`,
        payload: {
          number: first + i,
          total: random(100_000) / 100,
          customer: `customer-${random(1_000_000)}`,
          note: 'x'.repeat(60),
          status: random(2) === 0,
        },
      }));
      await this.ask('/events/batch', { method: 'POST', body: JSON.stringify({ events }) });
    }
    // A linearizable read: it returns when everything is folded.
    for (;;) {
      try {
        await this.ask('/projections/event_counters/state');
        await this.ask('/events/query?limit=1');
        return;
      } catch {
        await sleep(200);
      }
    }
  }

  begin(config: object = {}): Promise<Replay> {
    return this.ask('/replay', { method: 'POST', body: JSON.stringify({ config }) });
  }

  progress({ replay_id }: Replay): Promise<Replay> {
    return this.ask(`/replay/${replay_id}`);
  }

  cancel({ replay_id }: Replay): Promise<unknown> {
    return this.ask(`/replay/${replay_id}/cancel`, { method: 'POST' });
  }

  /** Processor seconds so far: of core, of the query service, and of the processes of replays that have ended. */
  cpuSeconds(): { core: number; query: number; replays: number } {
    const query = cpuSecondsOf(this.query.pid);
    return { core: cpuSecondsOf(this.core.pid).own, query: query.own, replays: query.children };
  }
}

function cpuSecondsOf(pid: number): { own: number; children: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ', 2)[1]?.split(' ') ?? [];
  const seconds = (first: number) =>
    (Number(fields[first]) + Number(fields[first + 1])) / TICKS_PER_SECOND;
  return { own: seconds(11), children: seconds(13) };
}

/** Replays everything, with nothing beside it. */
async function alone(store: Store, title: string, config: object): Promise<void> {
  const before = store.cpuSeconds();
  const startedAt = performance.now();
  let replay = await store.begin(config);
  while (replay.status === 'running' || replay.status === 'pending') {
    await sleep(20);
    replay = await store.progress(replay);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  // The processor time of a process is known when it has ended.
  await sleep(1_000);
  const after = store.cpuSeconds();
  if (replay.status !== 'completed') throw new TypeError(`${replay.error_message}`);
  const micros = (used: number) => ((used / EVENTS) * 1e6).toFixed(1);
  const used = (what: 'core' | 'query' | 'replays') => micros(after[what] - before[what]);
  print(
    `${title}: ${Math.round(EVENTS / seconds)} events/s from the request to the switch; processor time ${used('replays')} µs an event in the replay, ${used('core')} in core, ${used('query')} in the query service (which is asked how far it is)`,
  );
}

const READS = [
  () => `/projections/entity_snapshots/order-${random(ENTITIES)}/state`,
  () => `/entities/order-${random(ENTITIES)}/snapshot`,
  () => `/events/query?entity_id=order-${random(ENTITIES)}&limit=20`,
  () => `/projections/event_counters/order.paid/state`,
];

/** Reads at a fixed rate for a while. Returns the latencies in milliseconds, from when each was due. */
async function readFor(store: Store, durationMs: number): Promise<number[]> {
  const latencies: number[] = [];
  const pending: Promise<void>[] = [];
  const startedAt = performance.now();
  const count = (READS_PER_SECOND * durationMs) / 1000;
  for (let i = 0; i < count; i++) {
    const dueAt = startedAt + (i / READS_PER_SECOND) * 1000;
    while (performance.now() < dueAt) await sleep(1);
    const path = READS[random(READS.length)]?.() ?? '/stats';
    pending.push(store.ask(path).then(() => void latencies.push(performance.now() - dueAt)));
  }
  await Promise.all(pending);
  return latencies;
}

async function replayUntil(store: Store, reading: { isOver: boolean }): Promise<void> {
  let replay = await store.begin();
  while (!reading.isOver) {
    await sleep(50);
    replay = await store.progress(replay);
    if (replay.status !== 'running' && !reading.isOver) replay = await store.begin();
  }
  await store.cancel(replay).catch(() => {});
}

/** The same, with replays one after the other beside it. */
async function readBesideReplay(store: Store, durationMs: number): Promise<number[]> {
  const reading = { isOver: false };
  const replays = replayUntil(store, reading);
  const latencies = await readFor(store, durationMs);
  reading.isOver = true;
  await replays;
  return latencies;
}

function figures(all: readonly number[]): string {
  return `p50 ${quantile(all, 0.5).toFixed(2)}, p99 ${quantile(all, 0.99).toFixed(2)} ms`;
}

async function measure(store: Store): Promise<void> {
  await store.fill();
  print(`${EVENTS} events of ${ENTITIES} entities, both projections`);
  await alone(store, 'a replay, one process', {});
  await alone(store, 'a replay, one process, again', {});
  await alone(store, 'a replay, two processes', { parallel: true, workers: 2 });
  await readFor(store, ROUND_MS);
  const ratios: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const without = await readFor(store, ROUND_MS);
    const beside = await readBesideReplay(store, ROUND_MS);
    const ratio = quantile(beside, 0.99) / quantile(without, 0.99);
    ratios.push(ratio);
    print(
      `round ${round}: reads without ${figures(without)}; beside a replay ${figures(beside)}; p99 ratio ${ratio.toFixed(2)}`,
    );
  }
  print(
    `p99 of ${READS_PER_SECOND} reads/s beside a replay: ${median(ratios).toFixed(2)} times (middle of ${ROUNDS} rounds)`,
  );
}

const folder = mkdtempSync(join(values.folder, 'allsource-bench-replay-'));
print(machineLoad());
try {
  const core = await RunningCore.start(folder);
  try {
    const query = await startQuery(core);
    try {
      await measure(new Store(core, query));
    } finally {
      await query.stop();
    }
  } finally {
    await core.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
print(machineLoad());
