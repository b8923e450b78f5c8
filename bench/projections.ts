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
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { machineLoad } from './support/figures.ts';
import { type OrderStore, print, withOrders } from './support/order-store.ts';
import { childrenOf, processTimes } from './support/process-times.ts';

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

interface Shown {
  readonly live_build: number | null;
  readonly lag_events: number;
  readonly status: string;
}

/** Waits until a build is read that is true at the end of the log. */
async function built(store: OrderStore, name: string, build: number): Promise<void> {
  for (;;) {
    const shown = await store.ask<Shown>(`/projections/${name}`);
    if (shown.status === 'failed') throw new TypeError(JSON.stringify(shown));
    if (shown.live_build === build && shown.lag_events === 0) return;
    await sleep(10);
  }
}

/** Processor seconds so far of the processes that fold, those that have ended too. */
function foldingSeconds({ query }: OrderStore): number {
  const running = childrenOf(query.pid).reduce((seconds, { own }) => seconds + own, 0);
  return running + processTimes(query.pid).children;
}

async function timed(store: OrderStore, title: string, work: () => Promise<void>): Promise<void> {
  const [startedAt, cpuBefore] = [performance.now(), foldingSeconds(store)];
  await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const micros = ((foldingSeconds(store) - cpuBefore) / EVENTS) * 1e6;
  print(
    `${title}: ${Math.round(EVENTS / seconds)} events/s from the request until it is read; processor time ${micros.toFixed(1)} µs an event in the processes that fold`,
  );
}

async function measure(store: OrderStore): Promise<void> {
  print(`${EVENTS} events of ${ENTITIES} entities`);
  for (const { name, ...wanted } of KINDS) {
    await timed(store, `${name}, defined`, async () => {
      await store.ask('POST /projections', { name, ...wanted, start: true });
      await built(store, name, 1);
    });
    await timed(store, `${name}, rebuilt beside it and compared`, async () => {
      await store.ask(`POST /projections/${name}/rebuild`, {});
      await built(store, name, 2);
    });
    await store.ask(`DELETE /projections/${name}`);
  }
}

print(machineLoad());
await withOrders({ folder: values.folder, events: EVENTS, entities: ENTITIES }, measure);
print(machineLoad());
