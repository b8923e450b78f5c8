/**
 * What folding one event costs with each type of projection, and what of it is the sandbox:
 *
 *     node bench/projection-kinds.ts [--quick]
 *
 * Processor time on one thread, states in memory; the file and the feed are not part of it.
 */
import type { ProjectionType } from '@allsource/shared/protocol';
import { compileProjection } from '../services/query/src/projections/kinds/compile-projection.ts';
import type {
  FoldedEvent,
  JsonValue,
} from '../services/query/src/projections/kinds/compiled-projection.ts';
import { benchEvent } from './event.ts';
import { machineLoad } from './support/figures.ts';

const EVENTS = process.argv.includes('--quick') ? 30_000 : 200_000;
const ENTITIES = 10_000;
const START_MICROS = Date.UTC(2026, 0, 1) * 1000;
const TYPES = ['order.placed', 'order.paid', 'order.shipped', 'order.closed'];
const SECONDS_APART = 30;

const CASES: readonly (readonly [string, ProjectionType, Readonly<Record<string, unknown>>])[] = [
  ['entity_snapshot', 'entity_snapshot', {}],
  ['event_counter', 'event_counter', {}],
  ['event_counter by a field', 'event_counter', { by: 'field', field: 'currency' }],
  ['time_series', 'time_series', { bucket: 'hour', field: 'amount' }],
  [
    'time_series with percentiles',
    'time_series',
    { bucket: 'hour', field: 'amount', aggregates: ['count', 'sum', 'percentiles'] },
  ],
  [
    'funnel of 3 steps',
    'funnel',
    {
      steps: TYPES.slice(0, 3).map((event_type) => ({ event_type })),
      window_seconds: 10_000_000,
    },
  ],
  [
    'custom, 2 mapped and 2 aggregates',
    'custom',
    {
      mapping: { amount: 'amount', currency: 'currency' },
      aggregates: { total: { fn: 'sum', field: 'amount' }, orders: { fn: 'count' } },
    },
  ],
  [
    'custom in JavaScript',
    'custom',
    {
      language: 'javascript',
      source:
        '(state, event) => ({ ...state, n: (state.n || 0) + 1, total: (state.total || 0) + event.payload.amount })',
    },
  ],
];

function events(): FoldedEvent[] {
  return Array.from({ length: EVENTS }, (_, index) => {
    const entity = `order-${(index * 7919) % ENTITIES}`;
    const { payload } = benchEvent({ entity, bytes: 200 });
    const timestamp = START_MICROS + index * SECONDS_APART * 1_000_000;
    return {
      id: '0199d3c0-0000-7000-8000-000000000000',
      eventType: TYPES[Math.floor(index / ENTITIES) % TYPES.length] as string,
      entityId: entity,
      tenant: 'default',
      position: index + 1,
      version: Math.floor(index / ENTITIES) + 1,
      timestamp,
      recordedAt: timestamp,
      payload: payload.replace('123.45', String((index % 1000) / 4)),
      metadata: null,
    };
  });
}

async function microsPerEvent(
  type: ProjectionType,
  definition: Readonly<Record<string, unknown>>,
  log: readonly FoldedEvent[],
): Promise<number> {
  const compiled = await compileProjection({ type, definition });
  const states = new Map<string, JsonValue>();
  const fold = (some: readonly FoldedEvent[]): void => {
    for (const event of some) compiled.fold(event, states);
  };
  fold(log.slice(0, EVENTS / 10));
  const before = process.cpuUsage();
  fold(log);
  const { user, system } = process.cpuUsage(before);
  compiled.close();
  return (user + system) / log.length;
}

const log = events();
console.log(`${EVENTS} events of about 200 bytes, ${ENTITIES} entities; ${machineLoad()}`);
for (const [name, type, definition] of CASES) {
  const micros = await microsPerEvent(type, definition, log);
  const rate = Math.round(1_000_000 / micros).toLocaleString('en');
  console.log(
    `${name.padEnd(36)} ${micros.toFixed(2).padStart(7)} us/event ${rate.padStart(10)} /s`,
  );
}
