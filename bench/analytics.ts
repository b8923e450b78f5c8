/**
 * How long the analytics take over a long history, in this process: blocks on disk, columns in memory, without HTTP.
 *
 *     node bench/analytics.ts [--events 10000000] [--entities 1000000] [--repetitions 100] [--quick] [--folder PATH]
 *
 * The events are of one year, eight types and entities at random, so every entity lies all over the history. `--quick` takes a hundredth of the events.
 * Prints wall time and CPU time of a request, warm (each question is asked before it is measured), how long the first of each took, and what
 * eight at once do to the event loop. A folder that is named is kept, and read again by the next run.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { micros, partitionOf, position, version, writeEventId } from '@allsource/shared/model';
import { encodeFrame, type Frame } from '@allsource/shared/protocol';
import { eventCorrelation } from '../services/query/src/analytics/correlation.ts';
import { eventFrequency } from '../services/query/src/analytics/frequency.ts';
import { ScanDesk } from '../services/query/src/analytics/scan-desk.ts';
import { eventSummary } from '../services/query/src/analytics/summary.ts';
import type { Window } from '../services/query/src/analytics/time-grid.ts';
import { BlockHistory } from '../services/query/src/history/block-history.ts';
import { quantile } from './support/figures.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string' },
    entities: { type: 'string' },
    repetitions: { type: 'string', default: '100' },
    folder: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});
const EVENTS = Number(values.events ?? (values.quick ? 100_000 : 10_000_000));
const ENTITIES = Number(values.entities ?? EVENTS / 10);
const REPETITIONS = Number(values.repetitions);
const BLOCK_EVENTS = 65_536;
const FRAME_EVENTS = 1000;
const AT_ONCE = 8;
const TYPES = Array.from({ length: 8 }, (_, i) => Buffer.from(`order.step_${i}`));
const TENANT = Buffer.from('default');
const START = Date.UTC(2025, 0, 1) * 1000;
const STEP = Math.floor((365 * 86_400_000_000) / EVENTS);
const LOG_ID = Buffer.alloc(8, 'bench');

const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'allsource-analytics-'));
const history = await BlockHistory.open({
  folder,
  blockEvents: BLOCK_EVENTS,
  logger: { warn: console.warn, error: console.error },
  listeners: [],
});
try {
  if (history.appliedPosition === 0) await fill();
  console.log(
    `${EVENTS.toLocaleString('en')} events, ${ENTITIES.toLocaleString('en')} entities, ${TYPES.length} types, ${history.runCount} runs`,
  );
  await measure();
} finally {
  await history.close();
  if (values.folder === undefined) rmSync(folder, { recursive: true, force: true });
}

async function fill(): Promise<void> {
  const startedMs = performance.now();
  let at = 1;
  let state = 12_345;
  const isFilled = () => at > EVENTS;
  const random = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  while (!isFilled()) {
    const frames: Frame[] = [];
    for (let i = 0; i < 20 && !isFilled(); i++) {
      const first = at;
      const events = Array.from({ length: Math.min(FRAME_EVENTS, EVENTS - first + 1) }, () => {
        const entity = entityOf(random(ENTITIES));
        const id = Buffer.alloc(16);
        const timestamp = micros(START + at * STEP);
        writeEventId(id, 0, {
          recordedAtMs: Math.floor(timestamp / 1000),
          position: position(at++),
          random: 1,
        });
        return {
          id,
          timestamp,
          version: version(1),
          previousPosition: position(0),
          partition: partitionOf(TENANT, entity, 256),
          type: TYPES[random(TYPES.length)] as Buffer,
          entity,
          payload: Buffer.from(`{"amount":${random(100_000)}}`),
          metadata: null,
        };
      });
      frames.push(
        encodeFrame({
          logId: LOG_ID,
          position: position(first),
          recordedAt: micros(START + first * STEP),
          durablePosition: position(first - 1),
          previousChecksum: 0,
          tenant: TENANT,
          isSystem: false,
          idempotency: null,
          events,
        }),
      );
    }
    await history.apply(frames, LOG_ID.toString('hex'));
  }
  console.log(`filled in ${Math.round((performance.now() - startedMs) / 1000)} s`);
}

function stays(): boolean {
  return false;
}

function entityOf(number: number): Buffer {
  return Buffer.from(`customer-${String(number).padStart(8, '0')}`);
}

interface Question {
  readonly name: string;
  readonly ask: (desk: ScanDesk) => Promise<unknown>;
}

function questions(): Question[] {
  const selection = { tenant: 'default', untilPosition: history.appliedPosition };
  const end = micros(START + EVENTS * STEP);
  const frequency = (window: Window, days: number): Question => ({
    name: `frequency, ${window}s of ${days} days`,
    ask: (desk) =>
      desk.run(stays, async (pace) => {
        const since = micros(end - days * 86_400_000_000);
        const question = {
          selection,
          window,
          monthStep: 'calendar' as const,
          since,
          until: end,
          now: end,
        };
        return [...(await eventFrequency(desk, question, pace)).buckets];
      }),
  });
  const summary = (name: string, more: object): Question => ({
    name: `summary${name}`,
    ask: (desk) => desk.run(stays, (pace) => eventSummary(desk, { ...selection, ...more }, pace)),
  });
  return [
    frequency('minute', 6),
    frequency('hour', 365),
    frequency('day', 365),
    frequency('month', 365),
    summary('', {}),
    summary(' of half the year', { since: micros(end - 182 * 86_400_000_000) }),
    summary(' of one type', { type: 'order.step_3' }),
    {
      name: 'correlation, two of eight types, a day',
      ask: (desk) =>
        desk.run(stays, (pace) =>
          eventCorrelation(
            desk,
            {
              selection,
              typeA: 'order.step_1',
              typeB: 'order.step_2',
              windowMicros: 86_400_000_000,
            },
            pace,
          ),
        ),
    },
  ];
}

async function measure(): Promise<void> {
  const desk = new ScanDesk(history);
  for (const { name, ask } of questions()) {
    const coldMs = await timed(() => ask(desk));
    for (let i = 0; i < 3; i++) await ask(desk);
    const times: number[] = [];
    const cpu = process.threadCpuUsage();
    for (let i = 0; i < REPETITIONS; i++) times.push(await timed(() => ask(desk)));
    const used = process.threadCpuUsage(cpu);
    const cpuMs = (used.user + used.system) / 1000 / REPETITIONS;
    console.log(
      `${name.padEnd(42)} p50 ${ms(quantile(times, 0.5))}  p99 ${ms(quantile(times, 0.99))}  CPU ${ms(cpuMs)}  first ${ms(coldMs)}`,
    );
  }
  await measureMany(desk);
}

async function measureMany(desk: ScanDesk): Promise<void> {
  const [question] = questions().filter(({ name }) => name === 'summary');
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const times = await Promise.all(
    Array.from({ length: AT_ONCE }, () => timed(async () => question?.ask(desk))),
  );
  delay.disable();
  const held = ms(delay.percentile(99) / 1e6 - 1);
  console.log(
    `${AT_ONCE} summaries at once: last after ${ms(Math.max(...times))}; event loop held p99 ${held}, max ${ms(delay.max / 1e6 - 1)}`,
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`.padStart(9);
}
