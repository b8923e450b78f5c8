/** Schemas on the streamed lanes, with the ingest kernel and without: the same payloads are refused, at the same places. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { micros } from '@allsource/shared/model';
import { must } from '@allsource/shared/lang';
import { SeededRandom } from '@allsource/testkit';
import * as arrow from 'apache-arrow';
import { parseBatchRequest } from '../../src/append/ingest-request.ts';
import { type EventTexts, PayloadPlace } from '../../src/append/event-texts.ts';
import { textsOf } from '../../src/append/placement-texts.ts';
import { ARROW_CONTENT_TYPE } from '../../src/http/arrow-routes.ts';
import { KernelBuilder } from '../../src/ingest-kernel/kernel-builder.ts';
import { ChangeTurns } from '../../src/schemas/change-turns.ts';
import { SchemaService } from '../../src/schemas/schema-service.ts';
import { CompiledSchemas } from '@allsource/schemas/registry';
import { eventLine, LaneWorld, TENANT } from '../support/lane-world.ts';
import { testKernel } from '../support/test-kernel.ts';

const worlds: LaneWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

async function strictWorld(withKernel: boolean): Promise<LaneWorld> {
  const world = await LaneWorld.start({ withKernel });
  worlds.push(world);
  const service = new SchemaService({
    fold: world.schemas,
    compiled: new CompiledSchemas(),
    appender: world.journal,
    hasTenant: () => true,
    turns: new ChangeTurns(),
    functions: { call: () => Promise.reject(new TypeError('there are none')) },
  });
  const text = '{"type":"integer"}';
  await service.register(TENANT, {
    subject: 'a.b',
    text,
    description: null,
    tags: [],
    version: null,
    upcaster: null,
  });
  await service.setEnforcement(TENANT, 'strict');
  return world;
}

const column = (values: readonly string[]) => arrow.vectorFromArray(values, new arrow.Utf8());

/** One record batch for each list of payloads. */
function arrowStream(batches: readonly (readonly string[])[]): Uint8Array {
  const [first, ...rest] = batches.map(
    (payloads) =>
      new arrow.Table({
        event_type: column(payloads.map(() => 'a.b')),
        entity_id: column(payloads.map(() => 'e')),
        payload: column(payloads),
      }),
  );
  return arrow.tableToIPC(must(first, 'a batch').concat(...rest), 'stream');
}

describe.each([true, false])('a streamed append (with the kernel: %s)', (withKernel) => {
  it('of lines is refused at the line whose payload does not fit', async () => {
    const world = await strictWorld(withKernel);
    const lines = [1, 2, 3, '"x"', 5].map((payload) => eventLine('e', payload)).join('\n');
    const client = await world.send(lines, { path: '/api/v1/events/batch?group_lines=2' });
    expect(client.lines.at(-1)).toMatchObject({
      kind: 'problem',
      code: 'schema_violation',
      line: 4,
      details: { event_type: 'a.b', schema_version: 1 },
      durable_lines: 2,
    });
    expect(await world.stored()).toContain('e 2');
    expect(await world.stored()).not.toContain('e 3');
  });

  it('of record batches is refused at the row whose payload does not fit', async () => {
    const world = await strictWorld(withKernel);
    const client = await world.send(
      arrowStream([
        ['1', '2'],
        ['3', '"é"'],
      ]),
      {
        path: `/internal/v1/events/arrow?tenant_id=${TENANT}`,
        headers: { 'content-type': ARROW_CONTENT_TYPE },
      },
    );
    expect(client.lines.at(-1)).toMatchObject({
      kind: 'problem',
      code: 'schema_violation',
      row: 4,
    });
    expect(await world.stored()).toContain('e 2');
    expect(await world.stored()).not.toContain('e 3');
  });
});

function placedText(texts: EventTexts, index: number): string {
  const { bytes, start, end } = placed(texts, index);
  return Buffer.from(bytes.subarray(start, end)).toString('utf8');
}

function placed(texts: EventTexts, index: number): PayloadPlace {
  const place = new PayloadPlace();
  texts.placePayload(index, place);
  return place;
}

describe('the texts of a request that the kernel has read', () => {
  it('are those that the other reader finds', () => {
    const seed = Number(process.env['ALLSOURCE_TEST_SEED'] ?? Date.now() % 1_000_000);
    console.log(`event texts: seed ${seed} (ALLSOURCE_TEST_SEED)`);
    const random = new SeededRandom(seed);
    const clock = { nowMicros: () => micros(1_790_000_000_000_000) };
    const builder = new KernelBuilder({ kernel: testKernel(), clock });
    const limits = { payloadBytesMax: 100_000, batchEventsMax: 100 };
    const context = { limits, now: clock.nowMicros() };
    for (let round = 0; round < 100; round++) {
      const payloads = [
        '1',
        '{"a":[1, 2]}',
        'null',
        '"é😀"',
        `"${'x'.repeat(random.below(20_000))}"`,
      ];
      const count = 1 + random.below(20);
      const isPlain = random.below(2) === 0;
      const events = Array.from({ length: count }, () => {
        const payload = random.pick(
          isPlain ? payloads.filter((text) => !text.includes('é')) : payloads,
        );
        return `{"payload": ${payload} ,"event_type":"${random.pick(['a.b', 'a.c', 'abc', 'a'])}","entity_id":"e"}`;
      });
      const body = Buffer.from(`{"events":[${events.join(', ')}]}`);
      const scanned = must(builder.scan([body], 'batch', context), 'the kernel takes it');
      const quick = builder.textsOf(scanned);
      const plain = textsOf(parseBatchRequest(body, context).events);
      expect(quick.count).toBe(plain.count);
      for (let index = 0; index < count; index++) {
        expect(quick.typeAt(index)).toBe(plain.typeAt(index));
        expect(quick.payloadAt(index)).toBe(plain.payloadAt(index));
        for (const texts of [quick, plain])
          expect(placedText(texts, index)).toBe(plain.payloadAt(index));
      }
    }
  });
});
