/**
 * How fast the query service's event history takes in frames, in this process: history, catalog, compression and files, without core and without the
 * feed. Prints CPU time per event, which a busy machine distorts less than the clock.
 *
 *     node bench/history.ts [--events=N] [--frame=EVENTS] [--entities=N] [--keep] [--folder=PATH]
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
import { Catalog } from '../services/query/src/catalog/catalog.ts';
import { CatalogCheckpoints } from '../services/query/src/catalog/catalog-checkpoints.ts';
import { BlockHistory } from '../services/query/src/history/block-history.ts';
import { BlockProbe } from './support/block-probe.ts';
import { frameMaker } from './support/generated-frames.ts';

const APPLY_BYTES = 1024 * 1024;

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '2000000' },
    frame: { type: 'string', default: '1000' },
    entities: { type: 'string', default: '1000000' },
    folder: { type: 'string' },
    /** A file of frames; made when it is not there, kept when it was. */
    frames: { type: 'string' },
    only: { type: 'string' },
    'no-probe': { type: 'boolean', default: false },
    'in-turn': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const eventsWanted = Number(values.events);
const folder = values.folder ?? mkdtempSync(join(tmpdir(), 'allsource-history-'));
const make = frameMaker({
  frameEvents: Number(values.frame),
  entities: Number(values.entities),
  isInTurn: values['in-turn'],
});
const logger = { warn: console.warn, error: console.error };

/** Writes the frames to a file first, so that making them is not measured. */
function writeFrames(path: string): void {
  const file = openSync(path, 'w');
  let events = 0;
  let parts: Buffer[] = [];
  while (events < eventsWanted) {
    const frame = make();
    events += frame.eventCount;
    parts.push(frame.bytes);
    if (parts.length < 16) continue;
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

const framesPath =
  values.frames ??
  join(tmpdir(), `allsource-${values.events}-${values.frame}-${values.entities}.frames`);
const isMade = existsSync(framesPath);
if (!isMade) writeFrames(framesPath);
if (values.only === 'frames') process.exit();

/** CPU time per event of the probe over the same frames, in microseconds. */
function probeUs(): number {
  const probeFolder = mkdtempSync(join(tmpdir(), 'allsource-probe-'));
  const probe = new BlockProbe(probeFolder);
  const input = openSync(framesPath, 'r');
  const { size } = statSync(framesPath);
  let events = 0;
  const cpu = process.cpuUsage();
  for (let offset = 0; offset < size; ) {
    const bytes = Buffer.allocUnsafeSlow(APPLY_BYTES);
    for (const frame of decoded(
      bytes.subarray(0, readSync(input, bytes, 0, APPLY_BYTES, offset)),
    )) {
      offset += frame.bytes.length;
      events += frame.eventCount;
      probe.apply(frame);
    }
  }
  probe.seal();
  const used = process.cpuUsage(cpu);
  closeSync(input);
  rmSync(probeFolder, { recursive: true });
  return (used.user + used.system) / events;
}

const frameBytes = statSync(framesPath).size;
const catalog = new Catalog();
const checkpoints = new CatalogCheckpoints({ folder, catalog, warn: console.warn });
const history = await BlockHistory.open({
  folder,
  blockEvents: 65_536,
  logger,
  listeners: [catalog],
  checkpoints,
});
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const input = openSync(framesPath, 'r');
const cpu = process.cpuUsage();
const mainCpu = process.threadCpuUsage();
const started = performance.now();
let events = 0;
for (let offset = 0; offset < frameBytes; ) {
  const bytes = Buffer.allocUnsafeSlow(APPLY_BYTES);
  const frames = decoded(bytes.subarray(0, readSync(input, bytes, 0, APPLY_BYTES, offset)));
  for (const frame of frames) {
    offset += frame.bytes.length;
    events += frame.eventCount;
  }
  await history.apply(frames, make.logId);
  await nextTurn();
}
await history.settled();
await history.close();
const applyMs = performance.now() - started;
const used = process.cpuUsage(cpu);
const cpuUs = used.user + used.system;
closeSync(input);
const main = process.threadCpuUsage(mainCpu);
const mainUs = main.user + main.system;
const probe = values['no-probe'] ? Number.NaN : probeUs();
const perS = (events / cpuUs) * 1e6;
console.log(
  `${events.toLocaleString('en')} events in frames of ${values.frame}, ${(frameBytes / events).toFixed(0)} bytes of frame an event: ` +
    `${(cpuUs / events).toFixed(3)} us of CPU an event, ${(mainUs / events).toFixed(3)} of it on the main thread, ${Math.round(perS).toLocaleString('en')} events/s on one core ` +
    `(the probe just now: ${Math.round(1e6 / probe).toLocaleString('en')}, ratio ${((probe * events) / cpuUs).toFixed(2)}), ${Math.round((events / applyMs) * 1000).toLocaleString('en')}/s by the clock; ` +
    `event loop p99.9 ${(delay.percentile(99.9) / 1e6).toFixed(1)} ms, max ${(delay.max / 1e6).toFixed(1)} ms`,
);
const stored = readdirSync(folder).reduce(
  (sum, name) => sum + statSync(join(folder, name)).size,
  0,
);
const known = catalog.tenant('default');
console.log(
  `${(stored / events).toFixed(1)} bytes on disk an event; catalog of ${known.entityCount.toLocaleString('en')} entities: ` +
    `${(known.entityBytes / known.entityCount).toFixed(1)} bytes each, ${mib(known.entityBytes)} MiB; process ${mib(process.memoryUsage.rss())} MiB resident`,
);
await reopen();

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** A start on the files, and reads of single entities. */
async function reopen(): Promise<void> {
  const openMs = performance.now();
  const openCpu = process.cpuUsage();
  const catalog = new Catalog();
  const again = await BlockHistory.open({
    folder,
    blockEvents: 65_536,
    logger,
    listeners: [catalog],
    checkpoints: new CatalogCheckpoints({ folder, catalog, warn: console.warn }),
  });
  const openUsed = process.cpuUsage(openCpu);
  console.log(
    `start on these files: ${Math.round(performance.now() - openMs)} ms, ${Math.round((openUsed.user + openUsed.system) / 1000)} ms of CPU, catalog included`,
  );
  await again.settled();
  const reads = 300;
  let runs = 0;
  let found = 0;
  const cpu = process.cpuUsage();
  for (let i = 0; i < reads; i++) {
    const entity = `order-${Math.floor((i * Number(values.entities)) / reads)}`;
    for (const { rows } of again.matches({ tenant: 'default', entity })) {
      runs++;
      found += rows.length;
    }
  }
  const used = process.cpuUsage(cpu);
  const { blocks, lookups } = again.layout;
  console.log(
    `${reads} reads of one entity over ${blocks} blocks: ${lookups} lookups each, ${(runs / reads).toFixed(2)} blocks with ${(found / reads).toFixed(2)} events each, ` +
      `${Math.round((used.user + used.system) / reads)} us of CPU each`,
  );
  await again.close();
}
if (!isMade) rmSync(framesPath);
if (!values.keep) rmSync(folder, { recursive: true, force: true });
