/**
 * The process that carries out one share of a replay, at a low priority, so that the reads come first. It reads the log from core by itself, holds the
 * states in a file of its own, and does what it is told (replay-protocol.ts). It opens the file of the projections only to write a generation that nobody
 * reads. It is a process and not a thread, so that nothing that goes wrong in it, not even its end, takes the reads with it. When the service is gone it ends by
 * itself; until then it holds the lock of its file, so that a replay is never carried on by two.
 */
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, must, unreachable } from '@allsource/shared/lang';
import { createLogFollower } from '@allsource/service-kit/feed';
import { builtInProjection } from '../projections/built-in.ts';
import { GenerationWriter } from './generation-writer.ts';
import { ReplayFold } from './replay-fold.ts';
import type { ComputedStates, ReplayCommand, ReplayJob, ReplayReport } from './replay-protocol.ts';
import { ShadowFile, type ShadowRow } from './shadow-file.ts';

const ROWS_A_COPY = 1_000;
const BYTES_A_COPY = 1024 * 1024;
/** How often it is looked whether core still answers. */
const FAULT_CHECK_MS = 1_000;
const DIGEST_BYTES = 32;
/** What is wrong is reported to the service, which writes it down. */
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

process.once('disconnect', () => process.exit(0));

/** Commands that come before the job is set up wait for it. */
const early: ReplayCommand[] = [];
let take = (command: ReplayCommand): void => void early.push(command);
const job = await new Promise<ReplayJob>((resolve) => {
  process.on('message', (message: ReplayCommand) => {
    if (message.kind === 'begin') resolve(message.job);
    else take(message);
  });
});

const projections = job.projections.map((name) => must(builtInProjection(name), 'a projection'));
const shadow = ShadowFile.open(job.shadowFile);
let writer: GenerationWriter | null = null;
let reported = 0;
let faultReported: string | null = null;
let isStopping = false;

if (job.generation !== null) {
  const opened = openWriter(job.generation);
  if (opened.isBegun) writer = opened;
  else opened.close();
}

const fold = new ReplayFold({
  target: writer ?? shadow,
  logId: shadow.logId,
  tenant: job.tenant,
  projections,
  filter: job.filter,
  share: job.share,
  batchEvents: job.batchEvents,
  eventsPerSecond: job.eventsPerSecond,
  onBatch: () => reportProgress(),
  onReached: () => {
    const { processed, appliedPosition } = fold;
    report({ kind: 'reached', processed, position: appliedPosition });
  },
  onFailed: (error) => report({ kind: 'failed', message: error.message }),
});
const follower = createLogFollower({
  coreUrl: job.coreUrl,
  internalToken: job.internalToken,
  sink: fold,
  logger: SILENT,
});
const faultCheck = setInterval(reportFault, FAULT_CHECK_MS);

function report(message: ReplayReport): void {
  // Who cannot be told has gone.
  process.send?.(message, undefined, undefined, (error) => {
    if (error !== null) process.exit(0);
  });
}

function reportProgress(): void {
  const { processed, appliedPosition } = fold;
  if (Math.abs(appliedPosition - reported) < job.progressEvents) return;
  reported = appliedPosition;
  report({ kind: 'progress', processed, position: appliedPosition });
}

function reportFault(): void {
  const { fault } = follower.status;
  if (fault === faultReported) return;
  faultReported = fault;
  report({ kind: 'waiting', reason: fault });
}

function openWriter(generation: number): GenerationWriter {
  const { projectionsFile: file, tenant, share } = job;
  return new GenerationWriter({ file, tenant, generation, share: share.index });
}

/** The rows of the shadow, in pieces of bounded rows and bytes. */
function* pieces(): Generator<ShadowRow[]> {
  let after = { projection: -1, key: '' };
  for (;;) {
    const rows = shadow.page(after, ROWS_A_COPY);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last;
    let piece: ShadowRow[] = [];
    let bytes = 0;
    for (const row of rows) {
      piece.push(row);
      bytes += row.state?.length ?? 0;
      if (bytes < BYTES_A_COPY) continue;
      yield piece;
      piece = [];
      bytes = 0;
    }
    if (piece.length > 0) yield piece;
  }
}

async function copy(): Promise<void> {
  assert(job.generation !== null, 'a replay that is switched has a generation');
  if (writer !== null) return report({ kind: 'copied', keyCounts: null });
  const counts = new Map(projections.map(({ number }) => [number, 0]));
  const opened = openWriter(job.generation);
  for (const piece of pieces()) {
    opened.copy(piece);
    for (const { projection } of piece) counts.set(projection, (counts.get(projection) ?? 0) + 1);
    await sleep(opened.restMs);
    if (isStopping) return opened.close();
  }
  const { position, processed } = shadow;
  opened.save({ position, processed, logId: shadow.logId ?? '', states: [] });
  writer = opened;
  fold.moveTo(opened);
  const keyCounts = projections.map(({ name, number }) => [name, counts.get(number) ?? 0]);
  report({ kind: 'copied', keyCounts: Object.fromEntries(keyCounts) as Record<string, number> });
}

async function compute(keys: Readonly<Record<string, readonly string[]>>): Promise<void> {
  const sums = new Map(
    projections.map(({ number }) => [number, { keyCount: 0, digest: Buffer.alloc(DIGEST_BYTES) }]),
  );
  for (const piece of pieces()) {
    for (const row of piece) addTo(must(sums.get(row.projection), 'a projection'), row);
    await sleep(0);
    if (isStopping) return;
  }
  const computed = projections.map((projection): ComputedStates => {
    const { keyCount, digest } = must(sums.get(projection.number), 'a projection');
    const wanted = keys[projection.name] ?? [];
    const states = wanted.flatMap((key) => {
      const found = shadow.state(projection, key);
      return found === null ? [] : [{ key, state: found.state }];
    });
    return { projection: projection.name, keyCount, digest: digest.toString('hex'), states };
  });
  report({ kind: 'computed', computed });
}

function addTo(sum: { keyCount: number; readonly digest: Buffer }, row: ShadowRow): void {
  const hash = createHash('sha256').update(row.key).update('\0');
  const bytes = hash.update(row.state ?? '\0').digest();
  for (let i = 0; i < DIGEST_BYTES; i++)
    sum.digest[i] = (sum.digest[i] as number) ^ (bytes[i] as number);
  sum.keyCount += 1;
}

function stop(): never {
  isStopping = true;
  clearInterval(faultCheck);
  fold.stop();
  writer?.close();
  shadow.close();
  // The follower waits for a sink that takes no more frames; the process ends with its connections.
  process.exit(0);
}

async function obey(command: ReplayCommand): Promise<void> {
  switch (command.kind) {
    case 'fold':
      follower.start();
      fold.foldTo(command.limit);
      return;
    case 'copy':
      return await copy();
    case 'compute':
      return await compute(command.keys);
    case 'stop':
      return stop();
    case 'begin':
      return unreachable(command as never);
    default:
      unreachable(command);
  }
}

take = (command) => {
  void obey(command).catch((error: unknown) => {
    if (!isStopping) report({ kind: 'failed', message: String(error) });
  });
};
for (const command of early.splice(0)) take(command);
