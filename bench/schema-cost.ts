/**
 * What a schema on every event costs the writer, by itself:
 *
 *     node bench/schema-cost.ts [--quick]
 *
 * Batches of 1000 events of about 200 bytes from body to frame and answer, one thread, nothing else; rounds of all candidates interleaved, medians of
 * processor time.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { type Micros, micros, position } from '@allsource/shared/model';
import { encodeFrame } from '@allsource/shared/protocol';
import { compileKernel } from '../scripts/compile-kernel.ts';
import { IngestKernel } from '../services/core/src/ingest-kernel/ingest-kernel.ts';
import { KernelBuilder } from '../services/core/src/ingest-kernel/kernel-builder.ts';
import { CompiledSchemas, SchemaFold } from '@allsource/schemas/registry';
import { SchemaGate } from '../services/core/src/schemas/schema-gate.ts';
import { batchBody } from './support/batch-bodies.ts';
import { schemaOf } from './support/strict-schemas.ts';
import { machineLoad, type Measured, measure, median } from './support/figures.ts';

const BATCH = 1000;
const TENANT = 'default';
const isQuick = process.argv.includes('--quick');
const ROUNDS = isQuick ? 5 : 15;
const ROUND_MS = 300;
const WARMUP_MS = 1000;

const wasm = await compileKernel('services/core');
const limits = { payloadBytesMax: 1024 * 1024, batchEventsMax: 10_000 };
const clock = { nowMicros: (): Micros => micros(Date.now() * 1000) };
const head = { position: position(0), checksum: 0, logId: randomBytes(8), partitionCount: 256 };
const counts = { countValidated: () => undefined, countViolations: () => undefined };
const body = batchBody(BATCH);
const first = (JSON.parse(body.toString()) as { events: { event_type: string; payload: object }[] })
  .events[0];

/** The fold after a tenant has set its enforcement and registered a schema of a type. */
function foldOf(enforcement: string, type: string): SchemaFold {
  const fold = new SchemaFold();
  const facts = { id: randomUUID(), subject: type, version: 1, description: null, tags: [] };
  const payloads = [
    [
      '_system.tenant.schema_enforcement_set',
      { tenant_id: TENANT, schema_enforcement: enforcement },
    ],
    ['_system.schema.registered', { ...facts, schema: schemaOf(first?.payload) }],
  ] as const;
  for (const [index, [name, payload]] of payloads.entries())
    fold.apply(
      encodeFrame({
        logId: head.logId,
        position: position(index + 1),
        recordedAt: micros(1),
        durablePosition: position(index),
        previousChecksum: 0,
        tenant: Buffer.from(TENANT),
        isSystem: true,
        idempotency: null,
        events: [
          {
            id: randomBytes(16),
            timestamp: micros(1),
            version: 1 as never,
            previousPosition: position(0),
            partition: 0,
            type: Buffer.from(name),
            entity: Buffer.from('e'),
            payload: Buffer.from(JSON.stringify(payload)),
            metadata: null,
          },
        ],
      }),
    );
  return fold;
}

/** Body to frame and answer, made durable at once, behind a check. */
function appendBehind(fold: SchemaFold): () => void {
  const kernel = new IngestKernel({
    wasm,
    inputBytesMax: 16 * 1024 * 1024,
    eventsMax: 10_000,
    hashKey: randomBytes(16),
    idSeed: randomBytes(8),
  });
  const builder = new KernelBuilder({ kernel, clock });
  const gate = new SchemaGate({ fold, compiled: new CompiledSchemas(), counts });
  builder.begin(head, micros(0));
  return () => {
    const events = builder.scan([body], 'batch', { limits, now: clock.nowMicros() });
    if (events === null) throw new TypeError('not taken');
    const check = gate.begin(TENANT, () => false);
    if (check !== null && !check.advance(builder.textsOf(events))) throw new TypeError('not done');
    const outcome = builder.place({ space: 'events', tenant: TENANT, events, idempotency: null });
    if (outcome.kind !== 'placed') throw new TypeError(outcome.kind);
    builder.settle(outcome.frame);
    outcome.notes.answer?.release();
  };
}

const type = first?.event_type ?? '';
const candidates: [name: string, work: () => void][] = [
  ['no schemas', appendBehind(new SchemaFold())],
  ['a schema of another type', appendBehind(foldOf('strict', 'another.type'))],
  ['a schema on every event', appendBehind(foldOf('strict', type))],
  ['JSON.parse of the body alone', () => void JSON.parse(body.toString('utf8'))],
];
const results = candidates.map(([name, work]) => {
  // Until the compiler has done with it, and only then the length of a round.
  const warmUntil = performance.now() + WARMUP_MS;
  while (performance.now() < warmUntil) work();
  const { wallMs } = measure(20, work);
  return { name, work, rounds: Math.ceil(ROUND_MS / wallMs), measured: [] as Measured[] };
});
for (let i = 0; i < ROUNDS; i++)
  for (const { work, rounds, measured } of results) measured.push(measure(rounds, work));
console.log(
  `\nBatches of ${BATCH} events, ${Math.round(body.length / BATCH)} bytes each; ${machineLoad()}`,
);
console.log('| | us of processor time an event | M events/s |\n|---|---|---|');
for (const { name, measured } of results) {
  const ms = median(measured.map(({ cpuMs }) => cpuMs));
  console.log(
    `| ${name} | ${((ms * 1000) / BATCH).toFixed(3)} | ${(BATCH / ms / 1000).toFixed(2)} |`,
  );
}
