/**
 * Two commit builders, the ingest kernel's and the one in TypeScript, that are given the same commits, conflicts, syncs and failures. Every step asserts that
 * both made the same of it, byte for byte.
 */
import assert from 'node:assert/strict';
import { micros, position, version } from '@allsource/shared/model';
import { decodeFrame, type Frame } from '@allsource/shared/protocol';
import { SeededRandom } from '@allsource/testkit';
import { batchAnswer, singleAnswer } from '../../src/append/append-answer.ts';
import type {
  Placement,
  PlacementEvent,
  PlacementOutcome,
  RequestShape,
} from '../../src/append/commit-builder.ts';
import { parseBatchRequest, parseSingleRequest } from '../../src/append/ingest-request.ts';
import { SequencingBuilder } from '../../src/append/sequencing-builder.ts';
import type { IngestKernel } from '../../src/ingest-kernel/ingest-kernel.ts';
import { KernelBuilder } from '../../src/ingest-kernel/kernel-builder.ts';
import { testKernel } from './test-kernel.ts';

export const START = 1_790_000_000_000_000;
export const SIDE_BY_SIDE_LIMITS = { payloadBytesMax: 100_000, batchEventsMax: 100 };
const HEAD = {
  position: position(0),
  checksum: 0,
  logId: Buffer.from('test-log'),
  partitionCount: 256,
};

export class SideBySide {
  readonly random: SeededRandom;
  readonly clock = { now: START, nowMicros: () => micros(this.clock.now) };
  /** The random bits of the ids that the kernel has made, which the other builder is given. */
  idBits: number[] = [];
  quick: KernelBuilder;
  plain = new SequencingBuilder({ clock: this.clock, random: () => this.idBits.shift() ?? 0 });
  unsettled: [Frame, Frame][] = [];
  readonly durable: Frame[] = [];
  readonly counts = { commits: 0, conflicts: 0, rollBacks: 0, restarts: 0 };

  constructor(
    seed: number,
    kernel: IngestKernel = testKernel({ inputBytesMax: 1024 * 1024, eventsMax: 100 }),
  ) {
    this.random = new SeededRandom(seed);
    this.quick = new KernelBuilder({ kernel, clock: this.clock });
    this.quick.begin(HEAD, micros(0));
    this.plain.begin(HEAD, micros(0));
  }

  /** A request as bytes, so that both builders read it in their own way. */
  append(): void {
    const { random } = this;
    const shape: RequestShape = random.below(4) === 0 ? 'single' : 'batch';
    const count = shape === 'single' ? 1 : 1 + random.below(12);
    const texts = Array.from({ length: count }, () => this.#eventText());
    const body = Buffer.from(
      shape === 'single' ? (texts[0] ?? '') : `{"events":[${texts.join(',')}]}`,
    );
    const context = { limits: SIDE_BY_SIDE_LIMITS, now: micros(this.clock.now) };
    const tenant = `tenant-${random.below(3)}`;
    const idempotency =
      random.below(3) === 0
        ? { key: Buffer.from(`key-${random.next()}`), bodyDigest: Buffer.alloc(16, 7) }
        : null;
    const scanned = this.quick.scan([body], shape, context);
    assert(scanned !== null, 'the kernel takes plain requests');
    const { events } = (shape === 'single' ? parseSingleRequest : parseBatchRequest)(body, context);
    const common = { space: 'events', tenant, idempotency } as const;
    const quick = this.quick.place({ ...common, events: scanned });
    this.#finish(quick, { common, events });
    if (quick.kind !== 'placed') return;
    const answer = shape === 'single' ? singleAnswer(quick.frame) : batchAnswer(quick.frame, false);
    assert.equal(quick.notes.answer?.bytes.toString(), answer);
    quick.notes.answer?.release();
  }

  /** Events that did not come as a request that the kernel reads. */
  load(): void {
    const events = Array.from({ length: 1 + this.random.below(3) }, () => this.#loaded());
    const space = this.random.below(2) === 0 ? 'events' : 'system';
    const common = { space, tenant: 'tenant-0', idempotency: null } as const;
    this.#finish(this.quick.place({ ...common, events }), { common, events });
  }

  #finish(
    quick: PlacementOutcome,
    {
      common,
      events,
    }: {
      common: Omit<Placement, 'events'>;
      events: readonly PlacementEvent[];
    },
  ): void {
    this.idBits = quick.kind === 'placed' ? idBitsOf(quick.frame) : [];
    const plain = this.plain.place({ ...common, events });
    if (quick.kind === 'conflict' || plain.kind === 'conflict') {
      assert.deepEqual(quick, plain);
      this.counts.conflicts++;
      return;
    }
    assert.deepEqual(quick.frame.bytes, plain.frame.bytes);
    assert.equal(decodeFrame(quick.frame.bytes).kind, 'frame');
    assert.deepEqual(new Map(quick.notes.types), new Map(plain.notes.types));
    this.unsettled.push([quick.frame, plain.frame]);
    this.counts.commits++;
  }

  #eventText(): string {
    const { random } = this;
    const payload = random.pick([
      '{}',
      '1',
      '{"a": [1,2,{"b":"\\u00e9é"}]}',
      `"${'x'.repeat(random.below(2000))}"`,
    ]);
    const metadata = random.pick(['', ',"metadata":{"m":1}', ',"metadata": null']);
    const timestamp = random.pick([
      '',
      '',
      ',"timestamp":"2001-02-03T04:05:06.789Z"',
      ',"timestamp":"1999-12-31T23:59:59.123456Z"',
    ]);
    const condition = random.below(12) === 0 ? `,"expected_version":${random.below(4)}` : '';
    const type = random.pick(['a', 'order.placed', `t${random.below(40)}`]);
    const entity = `entity-${random.below(40)}`;
    return `{"event_type":"${type}","entity_id":"${entity}","payload":${payload}${metadata}${timestamp}${condition}}`;
  }

  #loaded(): PlacementEvent {
    const { random } = this;
    return {
      type: random.pick(['a.b', '_system.x']),
      entity: random.pick(['entity-1', 'é "quoted" 日本', 'é']),
      payload: Buffer.from('{"n":1}'),
      metadata: random.below(2) === 0 ? Buffer.from('"é"') : null,
      timestamp: random.pick([null, micros(-123_456_789), micros(START)]),
      expectedVersion: random.below(8) === 0 ? version(random.below(5)) : null,
    };
  }

  settle(): void {
    const oldest = this.unsettled.shift();
    if (oldest === undefined) return;
    this.quick.settle(oldest[0]);
    this.plain.settle(oldest[1]);
    this.durable.push(oldest[0]);
  }

  rollBack(): void {
    this.quick.rollBack();
    this.plain.rollBack();
    this.unsettled = [];
    this.counts.rollBacks++;
  }

  /** What is not durable is lost, and both builders are made anew from the log. */
  restart(): void {
    const last = this.durable.at(-1);
    if (last === undefined) return;
    const { clock } = this;
    this.quick = new KernelBuilder({ kernel: testKernel(), clock });
    this.plain = new SequencingBuilder({ clock, random: () => this.idBits.shift() ?? 0 });
    for (const builder of [this.quick, this.plain]) {
      for (const frame of this.durable) builder.replay(frame);
      const head = { ...HEAD, position: last.lastPosition, checksum: last.checksum };
      builder.begin(head, last.recordedAt);
    }
    this.unsettled = [];
    this.counts.restarts++;
  }

  compareState(): void {
    const views = [this.quick.entities, this.plain.entities].map((entities) => [
      entities.totalEntityCount,
      entities.totalEventCount,
      ...['tenant-0', 'tenant-1', 'tenant-2', 'nobody'].flatMap((tenant) => [
        entities.entityCount(tenant),
        entities.eventCount(tenant),
        entities.eventTypeCount(tenant),
        ...Array.from({ length: 40 }, (_, i) => entities.entityHead(tenant, `entity-${i}`)),
        entities.entityHead(tenant, 'é'),
        entities.version(tenant, 'é "quoted" 日本'),
      ]),
    ]);
    assert.deepEqual(views[0], views[1]);
  }
}

function idBitsOf(frame: Frame): number[] {
  return [...frame.events()].map(
    ({ idBytes }) =>
      (idBytes.readUInt16BE(6) & 0xfff) | (((idBytes.readUInt16BE(8) >>> 4) & 0x3ff) << 12),
  );
}
