/**
 * How fast the query service's event history takes in frames, in this process: history, catalog, compression, indexes and files, without core and
 * without the feed; then a start on what was written, and reads of single entities. It prints CPU time, which a busy machine distorts less
 * than the clock, and beside it that of the probe over the same frames in the same run.
 *
 *     node bench/history.ts [--events=N] [--frame=EVENTS] [--entities=N] [--in-turn] [--no-probe] [--only-start] [--frames=FILE] [--folder=PATH]
 *
 * `--in-turn` makes each entity come; otherwise they come by chance. A file of frames is made when it is not there, and kept when it is named.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { decodeFrame, type Frame } from '@allsource/shared/protocol';
import { CatalogCheckpoints } from '../services/query/src/catalog/catalog-checkpoints.ts';
import { Catalog } from '../services/query/src/catalog/catalog.ts';
import { BlockThread } from '../services/query/src/history/block/block-thread.ts';
import { BlockHistory } from '../services/query/src/history/block-history.ts';
import { BlockProbe } from './support/block-probe.ts';
import { frameMaker } from './support/generated-frames.ts';

const APPLY_BYTES = 1024 * 1024;
const FRAMES_A_WRITE = 16;
const BLOCK_EVENTS = 65_536;
const READS = 300;
const MIB = 2 ** 20;

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '2000000' },
    frame: { type: 'string', default: '1000' },
    entities: { type: 'string', default: '1000000' },
    'in-turn': { type: 'boolean', default: false },
    'no-probe': { type: 'boolean', default: false },
    /** Only a start on an existing folder and reads. */
    'only-start': { type: 'boolean', default: false },
    frames: { type: 'string' },
    folder: { type: 'string' },
  },
});
const entityCount = Number(values.entities);
const make = frameMaker({
  frameEvents: Number(values.frame),
  entities: entityCount,
  isInTurn: values['in-turn'],
});

/** Writes the frames to a file first, so that making them is not measured. */
function writeFrames(path: string): void {
  const file = openSync(path, 'w');
  let events = 0;
  let parts: Buffer[] = [];
  while (events < Number(values.events)) {
    const frame = make();
    events += frame.eventCount;
    parts.push(frame.bytes);
    if (parts.length < FRAMES_A_WRITE) continue;
    writeSync(file, Buffer.concat(parts));
    parts = [];
  }
  writeSync(file, Buffer.concat(parts));
  closeSync(file);
}

/** The whole frames at the start of some bytes, checked as the follower checks them. */
function decoded(bytes: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let offset = 0; ; ) {
    const found = decodeFrame(bytes, offset);
    if (found.kind !== 'frame') return frames;
    frames.push(found.frame);
    offset += found.frame.bytes.length;
  }
}

/** Deliveries of about the size in which the feed brings them. */
function* deliveries(path: string): Generator<Frame[]> {
  const file = openSync(path, 'r');
  const { size } = statSync(path);
  for (let offset = 0; offset < size; ) {
    const bytes = Buffer.allocUnsafeSlow(APPLY_BYTES);
    const frames = decoded(bytes.subarray(0, readSync(file, bytes, 0, APPLY_BYTES, offset)));
    for (const frame of frames) offset += frame.bytes.length;
    yield frames;
  }
  closeSync(file);
}

/** CPU time of the whole process, in microseconds, since an earlier look. */
function cpuUs(since?: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return user + system;
}

interface Opened {
  readonly history: BlockHistory;
  readonly catalog: Catalog;
}

const blockThread = new BlockThread();

async function openHistory(folder: string): Promise<Opened> {
  const catalog = new Catalog();
  const history = await BlockHistory.open({
    folder,
    blockEvents: BLOCK_EVENTS,
    logger: { warn: console.warn, error: console.error },
    listeners: [catalog],
    checkpoints: new CatalogCheckpoints({ folder, catalog, warn: console.warn }),
    writeBlock: (job) => blockThread.write(job),
  });
  return { history, catalog };
}

/** CPU time per event of the probe over the same frames, in microseconds. */
function probeUs(framesPath: string): number {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-probe-'));
  const probe = new BlockProbe(folder);
  let events = 0;
  const before = process.cpuUsage();
  for (const frames of deliveries(framesPath))
    for (const frame of frames) {
      probe.apply(frame);
      events += frame.eventCount;
    }
  probe.seal();
  const us = cpuUs(before) / events;
  rmSync(folder, { recursive: true });
  return us;
}

/** Takes all frames in, prints what that cost. */
async function catchUp(folder: string, framesPath: string): Promise<void> {
  const { history, catalog } = await openHistory(folder);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const before = process.cpuUsage();
  const mainBefore = process.threadCpuUsage();
  const startedMs = performance.now();
  let events = 0;
  delay.enable();
  for (const frames of deliveries(framesPath)) {
    await history.apply(frames, make.logId);
    for (const frame of frames) events += frame.eventCount;
    await nextTurn();
  }
  await history.settled();
  delay.disable();
  const us = cpuUs(before) / events;
  const main = process.threadCpuUsage(mainBefore);
  const wallMs = performance.now() - startedMs;
  const resident = process.memoryUsage.rss();
  await history.close();
  const probe = values['no-probe'] ? null : probeUs(framesPath);
  console.log(
    `${count(events)} events in frames of ${values.frame}, ${(statSync(framesPath).size / events).toFixed(0)} bytes of frame each:\n` +
      `  ${us.toFixed(3)} us of CPU an event, ${((main.user + main.system) / events).toFixed(3)} of it on the main thread: ${count(1e6 / us)} events/s on one core; ${count((events / wallMs) * 1000)} by the clock\n` +
      (probe === null
        ? ''
        : `  the probe just now: ${probe.toFixed(3)} us, ${count(1e6 / probe)} events/s; ratio ${(probe / us).toFixed(2)}\n`) +
      `  event loop late by ${ms(delay.percentile(50))} (p50), ${ms(delay.percentile(99))} (p99), ${ms(delay.max)} (most)`,
  );
  const stored = readdirSync(folder)
    .filter((name) => !name.endsWith('.checkpoint'))
    .reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  const known = catalog.tenant('default');
  console.log(
    `  ${(stored / events).toFixed(1)} bytes on disk an event; catalog of ${count(known.entityCount)} entities: ${(known.entityBytes / known.entityCount).toFixed(1)} bytes each, ` +
      `${Math.round(known.entityBytes / MIB)} MiB; process ${Math.round(resident / MIB)} MiB resident`,
  );
}

/** A start on the files, and reads of single entities. */
async function readAgain(folder: string): Promise<void> {
  const startedMs = performance.now();
  const before = process.cpuUsage();
  const { history, catalog } = await openHistory(folder);
  console.log(
    `start on these files: ${Math.round(performance.now() - startedMs)} ms, ${Math.round(cpuUs(before) / 1000)} ms of CPU, catalog of ${count(catalog.tenant('default').entityCount)} entities included; ${Math.round(process.memoryUsage.rss() / MIB)} MiB resident`,
  );
  await history.settled();
  let runs = 0;
  let events = 0;
  const readsBefore = process.cpuUsage();
  for (let i = 0; i < READS; i++) {
    const entity = `order-${Math.floor((i * entityCount) / READS)}`;
    for (const { rows } of history.matches({ tenant: 'default', entity })) {
      runs++;
      events += rows.length;
    }
  }
  const us = cpuUs(readsBefore) / READS;
  const { blocks, lookups } = history.layout;
  console.log(
    `${READS} reads of one entity over ${blocks} blocks: ${lookups} lookups each, ${(runs / READS).toFixed(2)} blocks read, ${(events / READS).toFixed(2)} events found, ${Math.round(us)} us of CPU each`,
  );
  await history.close();
}

const count = (value: number) => Math.round(value).toLocaleString('en');
const ms = (nanoseconds: number) => `${(nanoseconds / 1e6).toFixed(1)} ms`;

const framesFile =
  values.frames ??
  join(tmpdir(), `allsource-${values.events}-${values.frame}-${values.entities}.frames`);
const historyFolder = values.folder ?? mkdtempSync(join(tmpdir(), 'allsource-history-'));
if (!values['only-start']) {
  if (!existsSync(framesFile)) writeFrames(framesFile);
  await catchUp(historyFolder, framesFile);
}
await readAgain(historyFolder);
if (values.frames === undefined) rmSync(framesFile, { force: true });
if (values.folder === undefined) rmSync(historyFolder, { recursive: true, force: true });
