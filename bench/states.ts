/**
 * The state of an entity with many events, from a snapshot and from its first event, and what snapshots cost to take:
 *
 *     node bench/states.ts [--events 10000] [--quick] [--folder PATH]
 *
 * The events of the entity lie among nineteen times as many of other entities. The snapshot is 99 events behind, as far as one that the store takes by itself
 * may be. Times are processor time of this process, so what else runs on the machine matters little. The folder is removed afterwards.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  micros,
  partitionOf,
  type Position,
  position,
  systemClock,
  version,
} from '@allsource/shared/model';
import { encodeFrame, type Frame } from '@allsource/shared/protocol';
import { Catalog } from '../services/query/src/catalog/catalog.ts';
import { BlockHistory } from '../services/query/src/history/block-history.ts';
import { readEntityState } from '../services/query/src/reads/read-entity-state.ts';
import { SnapshotStore } from '../services/query/src/snapshots/snapshot-store.ts';
import { Snapshots } from '../services/query/src/snapshots/snapshots.ts';
import { Turns } from '@allsource/service-kit/turns';
import { median } from './support/figures.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000' },
    folder: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
  },
});
const EVENTS = Number(values.events);
const OTHERS = 19;
const BEHIND = 99;
const READS = values.quick ? 20 : 200;
const BATCH = 1000;
const LOG_ID = Buffer.alloc(8, 'bench');
const TENANT = Buffer.from('default');
const TYPE = Buffer.from('meter.read');
const logger = {
  warn: (facts: unknown) => console.warn(facts),
  error: (facts: unknown) => console.error(facts),
};

let last: Frame | null = null;
const folder = mkdtempSync(join(values.folder, 'allsource-bench-states-'));
try {
  await run();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function run(): Promise<void> {
  const catalog = new Catalog();
  const history = await BlockHistory.open({
    folder: join(folder, 'history'),
    blockEvents: 65_536,
    logger,
    listeners: [catalog],
  });
  const store = new SnapshotStore({ file: join(folder, 'snapshots.sqlite'), logger });
  const snapshots = new Snapshots({ history, store, clock: systemClock, logger, onKept: () => {} });
  const events = meterEvents();
  await append(history, events, EVENTS - BEHIND);
  await snapshots.take(wantedOf(history, 'manual'), new Turns());
  await append(history, events, BEHIND);
  const whole = await measure(() => read(history, null));
  const shortened = await measure(() => read(history, snapshots));
  console.log(`state of an entity of ${EVENTS} events among ${EVENTS * (OTHERS + 1)}:`);
  console.log(`  from its first event   ${whole.toFixed(3)} ms of processor time`);
  console.log(`  from a snapshot        ${shortened.toFixed(3)} ms, ${BEHIND} events behind`);
  console.log(`  ratio                  ${(whole / shortened).toFixed(1)}`);
  const taken = await measure(() => take(history, snapshots));
  console.log(
    `taking the next snapshot: ${taken.toFixed(3)} ms, ${((taken * 1000) / BEHIND).toFixed(1)} µs for each event since the last`,
  );
  store.close();
  await history.close();
}

type Event = { readonly entity: string; readonly version: number; readonly n: number };

function* meterEvents(): Generator<Event> {
  for (let n = 1; ; n++) {
    yield { entity: 'meter', version: n, n };
    for (let other = 0; other < OTHERS; other++)
      yield { entity: `other-${(n % 500) * OTHERS + other}`, version: Math.ceil(n / 500), n };
  }
}

/** Appends `meters` events of the entity and those in between. */
async function append(
  history: BlockHistory,
  events: Generator<Event>,
  meters: number,
): Promise<void> {
  const total = meters * (OTHERS + 1);
  for (let done = 0; done < total; done += BATCH) {
    const frame = frameOf(nextOf(events, Math.min(BATCH, total - done)));
    await history.apply([frame], LOG_ID.toString('hex'));
    last = frame;
  }
}

function nextOf(events: Generator<Event>, count: number): Event[] {
  return Array.from({ length: count }, () => events.next().value as Event);
}

function frameOf(events: readonly Event[]): Frame {
  const first = (last?.lastPosition ?? 0) + 1;
  const recordedAt = micros((1_767_225_600_000 + first) * 1000);
  return encodeFrame({
    logId: LOG_ID,
    position: position(first),
    recordedAt,
    durablePosition: position(first - 1),
    previousChecksum: last?.checksum ?? 0,
    tenant: TENANT,
    isSystem: false,
    idempotency: null,
    events: events.map(({ entity, version: number, n }, i) => ({
      id: idOf(first + i),
      timestamp: recordedAt,
      version: version(number),
      previousPosition: position(0),
      partition: partitionOf(TENANT, Buffer.from(entity), 256),
      type: TYPE,
      entity: Buffer.from(entity),
      payload: Buffer.from(
        `{"reading":${n}.25,"unit":"kWh","phase":"L${n % 3}","site":"site-${n % 40}","checked":${n % 2 === 0},"note":"read by the meter itself at its usual hour"}`,
      ),
      metadata: null,
    })),
  });
}

function idOf(at: number): Buffer {
  const id = Buffer.alloc(16);
  id.writeBigUInt64BE(BigInt(at), 8);
  return id;
}

function wantedOf(history: BlockHistory, kind: 'manual' | 'automatic') {
  const untilPosition: Position = history.appliedPosition;
  return { tenant: 'default', entity: 'meter', kind, untilPosition } as const;
}

async function read(history: BlockHistory, snapshots: Snapshots | null): Promise<void> {
  const wanted = { ...wantedOf(history, 'manual'), asOf: null, asOfRecorded: null };
  const state = await readEntityState({ history, snapshots }, { ...wanted, historyLimit: 0 });
  if (state?.eventCount !== EVENTS) throw new RangeError(`${state?.eventCount} events`);
}

async function take(history: BlockHistory, snapshots: Snapshots): Promise<void> {
  await snapshots.draft(wantedOf(history, 'automatic'), new Turns());
}

/** The median of the processor time of some calls, in milliseconds, after a few that warm up. */
async function measure(work: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = -5; i < READS; i++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    if (i >= 0) times.push((user + system) / 1000);
  }
  return median(times);
}
