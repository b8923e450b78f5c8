/**
 * Sealed segments: how fast they are made, what they save, what they cost the appends, and how long the stream of a cold entity takes out of them:
 *
 *     node bench/sealing.ts [--events 10000000] [--entities 1000000] [--batch 100] [--quick] [--folder PATH]
 *
 * The events are about 200 bytes, each of a random entity, so those of one entity lie all over the log. `--quick` takes a hundredth of the events, in smaller segments. The folder is
 * removed afterwards. Cold means: a store that was just opened, with nothing in its caches, and each entity read once. The page cache of the system is
 * not emptied; the first line says how much of the files it can hold.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { micros, partitionOf, position, version } from '@allsource/shared/model';
import { encodeFrame, Parameters, parseEventQuery } from '@allsource/shared/protocol';
import type { LogHead } from '../services/core/src/storage/log-store.ts';
import { FileLogStore } from '../services/core/src/log/file-log-store.ts';
import { YoungCollector } from '../packages/service-kit/src/lifecycle/young-collector.ts';
import { WorkerSealer } from '../services/core/src/log/worker-sealer.ts';
import { EntityReader } from '../services/core/src/read/entity-reader.ts';
import { FrameReader } from '../services/core/src/read/frame-reader.ts';
import { NodeDisk } from '../services/core/src/storage/node-disk.ts';
import { machineLoad, median, quantile } from './support/figures.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string' },
    entities: { type: 'string' },
    batch: { type: 'string', default: '100' },
    folder: { type: 'string', default: tmpdir() },
    quick: { type: 'boolean', default: false },
  },
});
const EVENTS = Number(values.events ?? (values.quick ? 100_000 : 10_000_000));
const ENTITIES = Number(values.entities ?? EVENTS / 10);
const BATCH = Number(values.batch);
const STREAMS = values.quick ? 500 : 3000;
const TURN_MS = values.quick ? 500 : 8000;
const MIB = 1024 * 1024;
/** Slower for a short run: every turn has something to seal, and the end too. */
const PACED = (values.quick ? 8 : 64) * MIB;
const UNPACED = 4096 * MIB;
const SEGMENT_BYTES = (values.quick ? 2 : 64) * MIB;
const TENANT = Buffer.from('default');
const TYPES = ['order.placed', 'order.paid', 'order.shipped', 'order.returned'].map((type) =>
  Buffer.from(type),
);

/** A query with nothing asked for. */
const NO_PARAMETERS = Parameters.ofUrl('');

const folder = mkdtempSync(join(values.folder, 'allsource-bench-sealing-'));
const lastPositions = new Float64Array(ENTITIES);
const versions = new Uint32Array(ENTITIES);
const youngCollector = new YoungCollector();
let seed = 1;
/** Where the log ends: each store trusts what lies before, as a start from a checkpoint does. */
let end: LogHead | null = null;

function random(limit: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * limit);
}

function entityName(number: number): string {
  return `order-${String(number).padStart(8, '0')}`;
}

/** Makes frames of random events that go on behind a head. */
class Events {
  #head: LogHead;

  get head(): LogHead {
    return this.#head;
  }

  constructor(head: LogHead) {
    this.#head = head;
  }

  next(batch: number) {
    const first = this.#head.position + 1;
    const recordedAt = micros(1_700_000_000_000_000 + first * 10 + random(10));
    const frame = encodeFrame({
      logId: this.#head.logId,
      position: position(first),
      recordedAt,
      durablePosition: this.#head.position,
      previousChecksum: this.#head.checksum,
      tenant: TENANT,
      isSystem: false,
      idempotency: null,
      events: Array.from({ length: batch }, (_, i) => this.#event(first + i, recordedAt)),
    });
    this.#head = { ...this.#head, position: frame.lastPosition, checksum: frame.checksum };
    return frame;
  }

  #event(at: number, recordedAt: number) {
    const number = random(ENTITIES);
    const entity = Buffer.from(entityName(number));
    const previous = lastPositions[number] as number;
    lastPositions[number] = at;
    versions[number] = (versions[number] as number) + 1;
    const id = randomBytes(16);
    id.writeUIntBE(Math.floor(recordedAt / 1000), 0, 6);
    id.writeUIntBE(at, 10, 6);
    return {
      id,
      timestamp: micros(recordedAt),
      version: version(versions[number] ?? 0),
      previousPosition: position(previous),
      partition: partitionOf(TENANT, entity, 256),
      type: TYPES[random(TYPES.length)] as Buffer,
      entity,
      payload: Buffer.from(
        `{"amount":${random(1_000_000)},"currency":"EUR","customer":"customer-${random(100_000)}","note":"${note()}"}`,
      ),
      metadata: null,
    };
  }
}

const WORDS = 'please deliver to the back door after six and ring twice thanks a lot'.split(' ');

function note(): string {
  return Array.from({ length: 12 }, () => WORDS[random(WORDS.length)]).join(' ');
}

function storeWith(bytesPerSecond: number | null): FileLogStore {
  const logFolder = join(folder, 'log');
  return new FileLogStore({
    disk: new NodeDisk(logFolder),
    segmentBytes: SEGMENT_BYTES,
    partitionCount: 256,
    sealer:
      bytesPerSecond === null ? null : new WorkerSealer({ folder: logFolder, bytesPerSecond }),
    onShortLived: (bytes) => youngCollector.note(bytes),
    onNotice: (notice) => {
      if (notice.kind !== 'segment_sealed') console.log(notice);
    },
  });
}

function openAtEnd(store: FileLogStore): Promise<LogHead> {
  return store.open(end === null ? {} : { after: end });
}

function percentiles(ms: readonly number[]): string {
  const figure = (share: number) => quantile(ms, share).toFixed(2);
  return `p50 ${figure(0.5)}, p99 ${figure(0.99)}, p99.9 ${figure(0.999)}, worst ${figure(1)} ms`;
}

async function fill(): Promise<void> {
  const store = storeWith(null);
  const events = new Events(await store.open());
  for (let left = EVENTS; left > 0; ) {
    const frames = [];
    for (let i = 0; i < 20 && left > 0; i++, left -= BATCH) frames.push(events.next(BATCH));
    await store.append(frames);
  }
  const gib = store.storageBytes / 1024 ** 3;
  console.log(
    `${EVENTS.toLocaleString('en')} events of ${ENTITIES.toLocaleString('en')} entities, ${BATCH} a batch: ${gib.toFixed(2)} GiB raw; memory free ${(freemem() / 1024 ** 3).toFixed(1)} GiB`,
  );
  end = events.head;
  await store.close();
}

async function sealAll(): Promise<void> {
  const store = storeWith(UNPACED);
  await openAtEnd(store);
  const startedAt = performance.now();
  await store.sealed();
  const seconds = (performance.now() - startedAt) / 1000;
  const status = store.sealing;
  if (status === null) return;
  const { segments, rawBytes, sealedBytes } = status;
  await store.close();
  if (segments === 0) {
    console.log('sealing, unpaced: nothing was left to seal');
    return;
  }
  console.log(
    `sealing, unpaced: ${segments} segments, ${(rawBytes / 1e6 / seconds).toFixed(0)} MB/s (compress, hash, sync, read back, compare); ${(100 - (100 * sealedBytes) / rawBytes).toFixed(1)} % saved`,
  );
}

/** The times of appends of ten events, one after the other. */
async function appendTimes(store: FileLogStore, events: Events): Promise<number[]> {
  const ms: number[] = [];
  for (const endAt = performance.now() + TURN_MS; performance.now() < endAt; ) {
    const frames = [events.next(10)];
    const startedAt = performance.now();
    await store.append(frames);
    ms.push(performance.now() - startedAt);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return ms;
}

/** Appends while the segments of the fill are sealed, against the same appends with nothing to seal, in turns. */
async function compareAppends(): Promise<void> {
  const times = { without: [] as number[], during: [] as number[] };
  for (let turn = 0; turn < 3; turn++) {
    for (const kind of ['without', 'during'] as const) {
      const store = storeWith(kind === 'during' ? PACED : null);
      const events = new Events(await openAtEnd(store));
      times[kind].push(...(await appendTimes(store, events)));
      if (kind === 'during' && store.sealing?.waiting === 0)
        console.log('everything was sealed before the appends had ended');
      end = events.head;
      await store.close();
    }
  }
  console.log(`an append without sealing:                ${percentiles(times.without)}`);
  const during = `an append during sealing, at ${PACED / MIB} MiB/s:`;
  console.log(`${during.padEnd(42)}${percentiles(times.during)}`);
}

/** Reads the stream of each entity once, in a store that was just opened. */
async function coldRound(names: readonly string[]): Promise<{ ms: number[]; cpuMs: number[] }> {
  const store = storeWith(null);
  const head = await openAtEnd(store);
  const log = {
    head: head.position,
    logId: head.logId,
    read: store.read.bind(store),
    readEvent: store.readEvent.bind(store),
    subscribe: () => () => undefined,
  };
  const reader = new EntityReader({ frames: new FrameReader(log), entities: ENTITY_HEADS });
  const query = parseEventQuery(NO_PARAMETERS);
  const ms: number[] = [];
  const cpuMs: number[] = [];
  for (const entity of names) {
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    const page = await reader.page({
      tenant: 'default',
      entity,
      query,
      isAbandoned: () => false,
    });
    for await (const event of page.events()) if (event.entity !== entity) throw new Error(entity);
    ms.push(performance.now() - startedAt);
    const { user, system } = process.cpuUsage(cpu);
    cpuMs.push((user + system) / 1000);
  }
  await store.close();
  return { ms, cpuMs };
}

const ENTITY_HEADS = {
  entityHead: (_: string, entity: string) => {
    const number = Number(entity.slice(6));
    return {
      version: version(versions[number] ?? 0),
      lastPosition: position(lastPositions[number] ?? 0),
    };
  },
  entityCount: () => ENTITIES,
  eventCount: () => EVENTS,
};

async function coldStreams(): Promise<void> {
  const numbers = Array.from({ length: STREAMS }, () => random(ENTITIES));
  const events = numbers.reduce((sum, number) => sum + (versions[number] ?? 0), 0) / STREAMS;
  const names = numbers.map(entityName);
  const rounds = [await coldRound(names), await coldRound(names), await coldRound(names)];
  const all = (kind: 'ms' | 'cpuMs') => rounds.flatMap((round) => round[kind]);
  const middle = names.map((_, i) => median(rounds.map(({ ms }) => ms[i] ?? Number.NaN)));
  console.log(
    `${STREAMS} streams of cold entities, ${events.toFixed(1)} events each, in three freshly opened stores:`,
  );
  console.log(`    all reads:                            ${percentiles(all('ms'))}`);
  console.log(`    the middle one of each entity:        ${percentiles(middle)}`);
  console.log(`    processor time of all reads:          ${percentiles(all('cpuMs'))}`);
}

try {
  console.log(machineLoad());
  await fill();
  await compareAppends();
  await sealAll();
  await coldStreams();
  console.log(machineLoad());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
