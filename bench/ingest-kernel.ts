/**
 * What the ingest kernel does by itself, against the slow path and against JSON.parse:
 *
 *     node bench/ingest-kernel.ts [--quick] [--entities 10000000]
 *
 * Part 1: batches of 1000 events of about 200 bytes, one thread, nothing else; rounds of all candidates interleaved, medians.
 * Part 2: the entity table filled with fresh entities: memory and pauses. `--quick` fills it with a tenth.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { type Micros, micros, position } from '@allsource/shared/model';
import { batchAnswer } from '../services/core/src/append/append-answer.ts';
import type {
  CommitBuilder,
  LineGroup,
  ScannedRequest,
} from '../services/core/src/append/commit-builder.ts';
import type { EventColumns, TextColumn } from '../services/core/src/append/event-columns.ts';
import { parseBatchRequest } from '../services/core/src/append/ingest-request.ts';
import { SequencingBuilder } from '../services/core/src/append/sequencing-builder.ts';
import { IngestKernel } from '../services/core/src/ingest-kernel/ingest-kernel.ts';
import { KernelBuilder } from '../services/core/src/ingest-kernel/kernel-builder.ts';
import { compileKernel } from '../scripts/compile-kernel.ts';
import { batchBody, RenumberedBatch } from './support/batch-bodies.ts';
import { machineLoad, type Measured, measure, median, quantile } from './support/figures.ts';

const BATCH = 1000;
const isQuick = process.argv.includes('--quick');
const ROUNDS = isQuick ? 5 : 15;
const ROUND_MS = 300;
const SINGLE_COMMITS = 1_000_000;

const wasm = await compileKernel('services/core');
const limits = { payloadBytesMax: 1024 * 1024, batchEventsMax: 10_000 };
const clock = { nowMicros: (): Micros => micros(Date.now() * 1000) };
const random = () => randomInt(2 ** 22);
const head = {
  position: position(0),
  checksum: 0,
  logId: randomBytes(8),
  partitionCount: 256,
};

function newKernel(): IngestKernel {
  return new IngestKernel({
    wasm,
    inputBytesMax: 16 * 1024 * 1024,
    eventsMax: 10_000,
    hashKey: randomBytes(16),
    idSeed: randomBytes(8),
  });
}

function context() {
  return { limits, now: clock.nowMicros() };
}

/** Body to frame and answer, made durable at once. */
function appendWith(builder: CommitBuilder, body: Buffer): () => void {
  builder.begin(head, micros(0));
  return () => {
    const scanned = builder.scan([body], 'batch', context());
    const events = scanned ?? parseBatchRequest(body, context()).events;
    const outcome = builder.place({
      space: 'events',
      tenant: 'default',
      events,
      idempotency: null,
    });
    if (outcome.kind !== 'placed') throw new TypeError(outcome.kind);
    builder.settle(outcome.frame);
    outcome.notes.answer?.release();
    if (outcome.notes.answer === null) Buffer.from(batchAnswer(outcome.frame, false));
  };
}

/** The same events from lines and from columns, to a frame. */
function appendStreamed(scan: (builder: KernelBuilder) => ScannedRequest | null): () => void {
  const builder = new KernelBuilder({ kernel: newKernel(), clock });
  builder.begin(head, micros(0));
  return () => {
    const events = scan(builder);
    if (events === null) throw new TypeError('not taken');
    const outcome = builder.place({
      space: 'events',
      tenant: 'default',
      events,
      idempotency: null,
    });
    if (outcome.kind !== 'placed') throw new TypeError(outcome.kind);
    builder.settle(outcome.frame);
  };
}

function linesOf(body: Buffer): LineGroup {
  const { events } = JSON.parse(body.toString()) as { events: unknown[] };
  const parts = [Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''))];
  return { parts, lineFeeds: events.length };
}

function textColumn(texts: readonly Uint8Array[]): TextColumn {
  let end = 0;
  const ends = texts.map(({ length }) => {
    end += length;
    return end;
  });
  const offsets = Int32Array.from([0, ...ends]);
  return { values: Buffer.concat(texts), offsets, keys: null, validity: null };
}

function columnsOf(body: Buffer): EventColumns {
  const { events } = parseBatchRequest(body, context());
  return {
    rows: events.length,
    type: textColumn(events.map(({ type }) => Buffer.from(type))),
    entity: textColumn(events.map(({ entity }) => Buffer.from(entity))),
    payload: textColumn(events.map(({ payload }) => payload)),
    metadata: textColumn(events.map(({ metadata }) => metadata ?? Buffer.from('null'))),
    timestamp: null,
    expectedVersion: null,
  };
}

function compareOnBatches(): void {
  const body = batchBody(BATCH);
  const lines = linesOf(body);
  const columns = columnsOf(body);
  const kernel = newKernel();
  const candidates: [string, () => void][] = [
    ['JSON.parse(body.toString())', () => void JSON.parse(body.toString('utf8'))],
    ['kernel: scan', () => void kernel.scanBatch([body], { ...limits, now: clock.nowMicros() })],
    ['slow path: scan', () => void parseBatchRequest(body, context())],
    [
      'kernel: body to frame and answer',
      appendWith(new KernelBuilder({ kernel: newKernel(), clock }), body),
    ],
    ['kernel: lines to frame', appendStreamed((builder) => builder.scanLines(lines, context()))],
    [
      'kernel: columns to frame',
      appendStreamed((builder) => builder.scanColumns(columns, context())),
    ],
    [
      'slow path: body to frame and answer',
      appendWith(new SequencingBuilder({ clock, random }), body),
    ],
  ];
  const results = candidates.map(([name, work]) => {
    const { wallMs } = measure(3, work);
    measure(Math.ceil(ROUND_MS / wallMs), work);
    return { name, work, rounds: Math.ceil(ROUND_MS / wallMs), measured: [] as Measured[] };
  });
  for (let i = 0; i < ROUNDS; i++)
    for (const { work, rounds, measured } of results) measured.push(measure(rounds, work));
  console.log(
    `\nBatches of ${BATCH} events, ${Math.round(body.length / BATCH)} bytes each; ${machineLoad()}`,
  );
  console.log('| | M events/s (wall) | M events/s (CPU) | MB/s (CPU) | range (CPU) |');
  console.log('|---|---|---|---|---|');
  for (const { name, measured } of results) {
    const rate = (ms: number) => (BATCH / ms / 1000).toFixed(2);
    const cpu = measured.map(({ cpuMs }) => cpuMs);
    const wall = median(measured.map(({ wallMs }) => wallMs));
    const megabytes = (body.length / median(cpu) / 1000).toFixed(0);
    console.log(
      `| ${name} | ${rate(wall)} | ${rate(median(cpu))} | ${megabytes} | ${rate(Math.max(...cpu))}-${rate(Math.min(...cpu))} |`,
    );
  }
}

/** Scans, and places as fresh entities. Returns how long the placing and drawing took, in milliseconds. */
function commitFresh(kernel: IngestKernel, batch: RenumberedBatch, first: number): number {
  batch.renumber(first);
  const request = kernel.scanBatch([batch.body], { ...limits, now: clock.nowMicros() });
  if (request === null) throw new TypeError('not taken');
  const startedAt = performance.now();
  kernel.commit(request, {
    tenant: 'default',
    isSystem: false,
    logId: head.logId,
    position: position(first + 1),
    recordedAt: clock.nowMicros(),
    durablePosition: head.position,
    previousChecksum: 0,
    partitionCount: 256,
    idempotency: null,
  });
  return performance.now() - startedAt;
}

function shown(times: readonly number[]): string {
  const micro = (share: number) => `${Math.round(quantile(times, share) * 1000)} us`;
  return `p50 ${micro(0.5)}, p99 ${micro(0.99)}, p99.9 ${micro(0.999)}, worst ${micro(1)} (${times.length} times)`;
}

function fillEntityTable(entities: number): void {
  console.log(`\nEntity table; ${machineLoad()}`);
  const kernel = newKernel();
  const batch = new RenumberedBatch(BATCH);
  const times: number[] = [];
  const marks = [entities / 100, entities / 10, entities / 4, entities / 2, entities];
  for (let first = 0; first < entities; first += BATCH) {
    times.push(commitFresh(kernel, batch, first));
    if (!marks.includes(first + BATCH)) continue;
    const bytes = (kernel.tableBytes / kernel.entityCount).toFixed(1);
    console.log(`${(first + BATCH).toLocaleString('en')} entities: ${bytes} bytes each`);
  }
  console.log(`committing ${BATCH} fresh entities: ${shown(times)}`);
  console.log(`resident memory of the process: ${Math.round(process.memoryUsage.rss() / 1e6)} MB`);
  timeSplits(kernel, entities);
}

/** Commits of one event each, so that the growth of the table stands out: those that split a segment, and the others. */
function timeSplits(kernel: IngestKernel, from: number): void {
  const batch = new RenumberedBatch(1);
  const others: number[] = [];
  const splits: number[] = [];
  for (let i = 0; i < SINGLE_COMMITS; i++) {
    const before = kernel.tableBytes;
    const ms = commitFresh(kernel, batch, from + i);
    (kernel.tableBytes === before ? others : splits).push(ms);
  }
  console.log(`committing one fresh entity: ${shown(others)}`);
  console.log(`the same where the table grew: ${shown(splits)}`);
}

const at = process.argv.indexOf('--entities');
const entities = at === -1 ? (isQuick ? 1_000_000 : 10_000_000) : Number(process.argv[at + 1]);
compareOnBatches();
fillEntityTable(entities);
