/** The Arrow lane over real sockets, with streams that the Arrow library itself writes, and broken ones. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import * as arrow from 'apache-arrow';
import { SeededRandom } from '@allsource/testkit';
import { ARROW_CONTENT_TYPE } from '../../src/http/arrow-routes.ts';
import { LaneWorld } from '../support/lane-world.ts';

interface Row {
  readonly type?: string;
  readonly entity: string;
  readonly payload: string;
  readonly metadata?: string | null;
  readonly timestamp?: number | null;
  readonly expected?: bigint | null;
}

type Texts = 'utf8' | 'binary' | 'dictionary' | 'large';

function textVector(values: readonly (string | null)[], form: Texts): arrow.Vector {
  const bytes = () => values.map((value) => (value === null ? null : Buffer.from(value)));
  switch (form) {
    case 'utf8':
      return arrow.vectorFromArray(values, new arrow.Utf8());
    case 'large':
      return arrow.vectorFromArray(values, new arrow.LargeUtf8());
    case 'binary':
      return arrow.vectorFromArray(bytes(), new arrow.Binary());
    case 'dictionary':
      return arrow.vectorFromArray(
        values,
        new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()),
      );
  }
}

function batchOf(rows: readonly Row[], form: Texts = 'utf8'): Record<string, arrow.Vector> {
  const bare = form === 'dictionary' ? 'utf8' : form;
  const columns: Record<string, arrow.Vector> = {
    event_type: textVector(
      rows.map(({ type = 'a.b' }) => type),
      form,
    ),
    entity_id: textVector(
      rows.map(({ entity }) => entity),
      form,
    ),
    payload: textVector(
      rows.map(({ payload }) => payload),
      bare,
    ),
  };
  if (rows.some(({ metadata }) => metadata !== undefined))
    columns['metadata'] = textVector(
      rows.map(({ metadata = null }) => metadata),
      bare,
    );
  if (rows.some(({ timestamp }) => timestamp !== undefined))
    columns['timestamp'] = arrow.vectorFromArray(
      rows.map(({ timestamp = null }) => timestamp),
      new arrow.TimestampMillisecond(),
    );
  if (rows.some(({ expected }) => expected !== undefined))
    columns['expected_version'] = arrow.vectorFromArray(
      rows.map(({ expected = null }) => expected),
      new arrow.Int64(),
    );
  return columns;
}

/** An IPC stream with a record batch for each list of rows. */
function stream(batches: readonly (readonly Row[])[], form: Texts = 'utf8'): Buffer {
  const tables = batches.map((rows) => new arrow.Table(batchOf(rows, form)));
  const [first, ...rest] = tables;
  const all = (first as arrow.Table).concat(...rest);
  return Buffer.from(arrow.tableToIPC(all, 'stream'));
}

/** Where each record batch of a stream ends. */
function batchEnds(bytes: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; bytes.readUInt32LE(at + 4) > 0; ) {
    const metadataEnd = at + 8 + bytes.readUInt32LE(at + 4);
    const message = arrow.Message.decode(bytes.subarray(at + 8, metadataEnd));
    at = metadataEnd + message.bodyLength;
    if (message.isRecordBatch()) ends.push(at);
  }
  return ends;
}

function rowsOf(count: number, from = 0): Row[] {
  return Array.from({ length: count }, (_, i) => ({
    entity: `e-${i % 5}`,
    payload: `{"n":${from + i}}`,
  }));
}

let world: LaneWorld;

beforeEach(async () => {
  world = await LaneWorld.start({ batchEventsMax: 100 });
});

afterEach(async () => {
  await world.close();
});

const PATH = '/internal/v1/events/arrow';

async function send(body: Uint8Array, over: { query?: string; headers?: object } = {}) {
  const { query = '?tenant_id=acme', headers } = over;
  const client = await world.send(body, {
    path: PATH + query,
    headers: { 'content-type': ARROW_CONTENT_TYPE, ...headers },
  });
  const { status, lines, text } = client;
  return { status, lines, refusal: lines.length === 0 && text !== '' ? JSON.parse(text) : null };
}

describe('record batches', () => {
  it('are stored in order, each as one commit, and acknowledged with their rows and positions', async () => {
    const { status, lines } = await send(stream([rowsOf(3), rowsOf(2, 3)]));
    expect(status).toBe(200);
    expect(lines).toEqual([
      {
        kind: 'group',
        group: 1,
        first_row: 1,
        last_row: 3,
        events: 3,
        first_position: 1,
        last_position: 3,
      },
      {
        kind: 'group',
        group: 2,
        first_row: 4,
        last_row: 5,
        events: 2,
        first_position: 4,
        last_position: 5,
      },
      {
        kind: 'summary',
        rows: 5,
        events: 5,
        groups: 2,
        replayed_groups: 0,
        first_position: 1,
        last_position: 5,
      },
    ]);
    expect(world.log.frames.map(({ eventCount, tenant }) => [tenant, eventCount])).toEqual([
      ['acme', 3],
      ['acme', 2],
    ]);
  });

  it.each(['utf8', 'binary', 'dictionary', 'large'] as const)(
    'of %s texts keep names, payloads and metadata byte for byte',
    async (form) => {
      const rows: Row[] = [
        { type: 'x.y', entity: 'a', payload: '{"q" : "é"}', metadata: '{"m":1}', timestamp: 5 },
        { entity: '日本', payload: ' [1.0, 2e5] ', metadata: null, timestamp: null, expected: 0n },
        { type: 'x.y', entity: 'a', payload: '12345678901234567890', expected: 1n },
      ];
      expect((await send(stream([rows], form))).lines).toHaveLength(2);
      const events = [...(world.log.frames[0]?.events() ?? [])].map((event) => [
        event.type,
        event.entity,
        Buffer.from(event.payload).toString(),
        event.metadata === null ? null : Buffer.from(event.metadata).toString(),
        event.version,
      ]);
      expect(events).toEqual([
        ['x.y', 'a', '{"q" : "é"}', '{"m":1}', 1],
        ['a.b', '日本', '[1.0, 2e5]', null, 1],
        ['x.y', 'a', '12345678901234567890', null, 2],
      ]);
      expect(world.log.frames[0]?.event(0).timestamp).toBe(5000);
    },
  );

  it('are acknowledged while the stream is being sent', async () => {
    const client = world.client({
      path: `${PATH}?tenant_id=acme`,
      headers: { 'content-type': ARROW_CONTENT_TYPE },
    });
    const bytes = stream([rowsOf(3), rowsOf(2, 3)]);
    // The bytes behind the second batch: 8 that end the stream.
    const ends = batchEnds(bytes);
    await client.write(bytes.subarray(0, ends[0]));
    await client.until(1);
    await client.write(bytes.subarray(ends[0], ends[1]));
    await client.until(2);
    expect(client.lines).toHaveLength(2);
    await client.end(bytes.subarray(ends[1]));
    expect(client.lines.at(-1)).toMatchObject({ kind: 'summary', rows: 5 });
  });

  it('that are none, or empty, give a summary of nothing', async () => {
    const { lines } = await send(stream([[]]));
    expect(lines).toMatchObject([{ kind: 'summary', rows: 0, events: 0, groups: 0 }]);
  });

  it('stop at a bad row: what was acknowledged stays, nothing of its batch is stored', async () => {
    const bad = [...rowsOf(2), { entity: 'e', payload: '{"n":}' }];
    const { lines } = await send(stream([rowsOf(3), bad, rowsOf(1)]));
    expect(lines).toMatchObject([
      { kind: 'group', last_row: 3 },
      { kind: 'problem', code: 'malformed_json', row: 6, column: 'payload', durable_rows: 3 },
    ]);
    expect(await world.stored()).toHaveLength(3);
  });

  it('that break a rule are refused with the row and the column', async () => {
    const cases: [Row[], object][] = [
      [[{ type: 'A', entity: 'e', payload: '1' }], { code: 'invalid_event_type', row: 1 }],
      [[{ entity: '', payload: '1' }], { code: 'invalid_entity_id', column: 'entity_id' }],
      [[{ entity: 'e', payload: '' }], { code: 'malformed_json', column: 'payload' }],
      [[{ entity: 'e', payload: '1', metadata: '{' }], { column: 'metadata' }],
      [[{ entity: 'e', payload: `"${'x'.repeat(5000)}"` }], { code: 'payload_too_large' }],
      [[{ entity: 'e', payload: '1', timestamp: 9e12 }], { code: 'future_timestamp' }],
      [[{ entity: 'e', payload: '1', expected: -1n }], { column: 'expected_version' }],
      [rowsOf(101), { code: 'batch_too_large' }],
    ];
    for (const [rows, facts] of cases) {
      const { status, refusal } = await send(stream([rows]));
      expect(refusal).toMatchObject({ ...facts, status });
      expect(status).toBeGreaterThanOrEqual(400);
    }
    const instants = [
      [9e12, "'timestamp' is 2255-03-14T16:00:00.000Z, which is in the future"],
      [-8.9e12, "'timestamp' is 1687-12-20T17:46:40.000Z; allowed is an instant from 1700 on"],
      [9e15, "'timestamp' is 9000000000000000000 microseconds from 1970 on; allowed is"],
    ] as const;
    for (const [timestamp, text] of instants) {
      const { refusal } = await send(stream([[{ entity: 'e', payload: '1', timestamp }]]));
      expect(refusal.detail).toContain(text);
    }
    const conflict = [{ entity: 'e', payload: '1', expected: 3n }];
    expect((await send(stream([conflict]))).status).toBe(409);
    expect(await world.stored()).toEqual([]);
  });

  it('sent again with their key get the first answers, and only the rest is appended', async () => {
    const headers = { 'idempotency-key': 'import-1' };
    await send(stream([rowsOf(3), rowsOf(2, 3)]), { headers });
    const { lines } = await send(stream([rowsOf(3), rowsOf(2, 3), rowsOf(1, 5)]), { headers });
    expect(lines).toMatchObject([
      { replayed: true },
      { replayed: true },
      { group: 3, first_position: 6 },
      { kind: 'summary', rows: 6, replayed_groups: 2 },
    ]);
    const other = await send(stream([rowsOf(3, 1)]), { headers });
    expect(other.refusal).toMatchObject({ code: 'idempotency_key_reused' });
    expect(await world.stored()).toHaveLength(6);
  });
});

/** The beginning of a message that states so many bytes of metadata. */
function length(bytes: number): Buffer {
  const prefix = Buffer.alloc(16, 0xff);
  prefix.writeUInt32LE(bytes, 4);
  return prefix;
}

describe('a stream that is not as it should be', () => {
  it('is refused without the internal token’s tenant, its content type, or its columns', async () => {
    const body = stream([rowsOf(1)]);
    expect((await send(body, { query: '' })).refusal).toMatchObject({ parameter: 'tenant_id' });
    expect((await send(body, { query: '?tenant_id=nobody' })).status).toBe(404);
    expect((await send(body, { headers: { 'content-type': 'text/plain' } })).status).toBe(415);
    const { payload: _, ...others } = batchOf(rowsOf(1));
    const lacking = Buffer.from(arrow.tableToIPC(new arrow.Table(others), 'stream'));
    expect((await send(lacking)).refusal).toMatchObject({ column: 'payload' });
    const twice = { ...batchOf(rowsOf(1)), entity_ix: textVector(['other'], 'utf8') };
    const named = Buffer.from(arrow.tableToIPC(new arrow.Table(twice), 'stream'));
    named.write('entity_id', named.indexOf('entity_ix'), 'latin1');
    const { refusal } = await send(named);
    expect(refusal).toMatchObject({ code: 'invalid_body', column: 'entity_id' });
    expect(refusal.detail).toContain('more than once');
    const numbers = {
      ...batchOf(rowsOf(1)),
      payload: arrow.vectorFromArray([1], new arrow.Int32()),
    };
    const wrong = Buffer.from(arrow.tableToIPC(new arrow.Table(numbers), 'stream'));
    expect((await send(wrong)).refusal).toMatchObject({ code: 'invalid_body', column: 'payload' });
  });

  it('is refused when it is no Arrow, and when a message states more than its limit', async () => {
    for (const body of [Buffer.from('{"event_type":"a"}'), length(8)])
      expect((await send(body)).refusal).toMatchObject({ code: 'malformed_arrow', status: 400 });
    expect((await send(length(0x7fffffff))).refusal).toMatchObject({ code: 'body_too_large' });
    const whole = stream([rowsOf(3)]);
    expect((await send(whole.subarray(0, whole.length - 20))).refusal).toMatchObject({
      code: 'malformed_arrow',
    });
  });

  it('never stores part of a batch or breaks core, whatever bytes are damaged', async () => {
    const seed = Date.now() % 1_000_000;
    const random = new SeededRandom(seed);
    const outcomes: Record<string, number> = {};
    for (let round = 0; round < 300; round++) {
      const form = random.pick(['utf8', 'binary', 'dictionary', 'large'] as const);
      const body = stream([rowsOf(4)], form);
      for (let edits = 1 + random.below(3); edits > 0; edits--)
        body[random.below(body.length)] = random.below(256);
      const { status, refusal } = await send(body);
      const outcome = status === 200 ? 'stored' : String(refusal?.code);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      expect([seed, round, status < 500]).toEqual([seed, round, true]);
    }
    console.info(`damaged Arrow streams: seed ${seed}, ${JSON.stringify(outcomes)}`);
    const counts = new Set(world.log.frames.map(({ eventCount }) => eventCount));
    expect([...counts].every((count) => count <= 4)).toBe(true);
    expect(outcomes['malformed_arrow']).toBeGreaterThan(0);
  });
});
