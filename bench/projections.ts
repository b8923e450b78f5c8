/**
 * Projections that tenants define (P14): how many events a second a build takes in from the first event to the end of the log, state and checkpoint in the same transaction, and
 * what processor time that costs the process that folds:
 *
 *     node bench/projections.ts [--events 300000] [--entities 30000] [--quick] [--folder PATH]
 *
 * The events are about 200 bytes, each of a random entity. Core and the query service run as processes from their bundles (`npm run build` first). Each kind is built twice: when it
 * is defined, and by a rebuild beside the first build. `--quick` takes a tenth of the events. The first and last lines say how busy the machine was: with anything else running, the
 * processor time says more than the rate.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RunningCore, type RunningQuery, startQuery } from './subjects/core.ts';
import { machineLoad } from './support/figures.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string' },
    entities: { type: 'string' },
    folder: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
  },
});
const EVENTS = Number(values.events ?? (values.quick ? 30_000 : 300_000));
const ENTITIES = Number(values.entities ?? EVENTS / 10);
const BATCH = 1_000;
const TYPES = ['order.placed', 'order.paid', 'order.shipped', 'order.returned'];
/** Ticks of processor time in a second, as Linux counts them. */
const TICKS_PER_SECOND = 100;
const PARALLEL = { parallel_processing: true, max_concurrency: 2 };

const KINDS = [
  { name: 'counter-types', type: 'event_counter', definition: {} },
  { name: 'counter-entities', type: 'event_counter', definition: { by: 'entity' } },
  { name: 'snapshots', type: 'entity_snapshot', definition: {} },
  { name: 'snapshots-parallel', type: 'entity_snapshot', definition: {}, config: PARALLEL },
  {
    name: 'time-series',
    type: 'time_series',
    definition: { bucket: 'minute', field: 'total', aggregates: ['count', 'sum', 'avg'] },
  },
  {
    name: 'scripted',
    type: 'custom',
    definition: {
      language: 'javascript',
      source:
        '(state, event) => ({ orders: state.orders + 1, total: state.total + event.payload.total })',
      initial_state: { orders: 0, total: 0 },
    },
  },
] as const;

let seed = 1;
/** A whole number from 0 to below `end`. */
function random(end: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * end);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

interface Shown {
  readonly live_build: number | null;
  readonly lag_events: number;
  readonly status: string;
}

class Store {
  readonly query: RunningQuery;

  constructor(query: RunningQuery) {
    this.query = query;
  }

  async ask<T>(path: string, method = 'GET', body?: unknown): Promise<T> {
    const { url, apiKey } = this.query.target;
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
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
      await this.ask('/events/batch', 'POST', { events });
    }
    // The read side has work of its own with new events; it is waited for.
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

  /** Waits until a build is read that is true at the end of the log. */
  async built(name: string, build: number): Promise<void> {
    for (;;) {
      const shown = await this.ask<Shown>(`/projections/${name}`);
      if (shown.status === 'failed') throw new TypeError(JSON.stringify(shown));
      if (shown.live_build === build && shown.lag_events === 0) return;
      await sleep(10);
    }
  }

  /** Processor seconds so far of the processes that fold. */
  foldingSeconds(): number {
    let seconds = 0;
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const fields = statOf(pid);
      if (Number(fields[1]) !== this.query.pid) continue;
      seconds += (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    }
    const ended = statOf(String(this.query.pid));
    return seconds + (Number(ended[13]) + Number(ended[14])) / TICKS_PER_SECOND;
  }
}

/** Fields of /proc/PID/stat from the third on; none for a process that has gone. */
function statOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ', 2)[1]?.split(' ') ?? [];
  } catch {
    return [];
  }
}

async function timed(store: Store, title: string, work: () => Promise<void>): Promise<void> {
  const [startedAt, cpuBefore] = [performance.now(), store.foldingSeconds()];
  await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const micros = ((store.foldingSeconds() - cpuBefore) / EVENTS) * 1e6;
  print(
    `${title}: ${Math.round(EVENTS / seconds)} events/s from the request until it is read; processor time ${micros.toFixed(1)} µs an event in the processes that fold`,
  );
}

async function measure(store: Store): Promise<void> {
  await store.fill();
  print(`${EVENTS} events of ${ENTITIES} entities`);
  for (const { name, ...wanted } of KINDS) {
    await timed(store, `${name}, defined`, async () => {
      await store.ask('/projections', 'POST', { name, ...wanted, start: true });
      await store.built(name, 1);
    });
    await timed(store, `${name}, rebuilt beside it and compared`, async () => {
      await store.ask(`/projections/${name}/rebuild`, 'POST', {});
      await store.built(name, 2);
    });
    await store.ask(`/projections/${name}`, 'DELETE');
  }
}

const folder = mkdtempSync(join(values.folder, 'allsource-bench-projections-'));
print(machineLoad());
try {
  const core = await RunningCore.start(folder);
  try {
    const query = await startQuery(core);
    try {
      await measure(new Store(query));
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
