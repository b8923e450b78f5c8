/** Bad input on the running store: a clear problem each time, and nothing stored. Asked of the gateway and of core itself. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningStore } from '../support/running-store.ts';

const GOOD = { event_type: 'order.placed', entity_id: 'order-1', payload: { a: 1 } };
const MIB = 1024 * 1024;

type Case = readonly [
  name: string,
  path: string,
  body: string,
  status: number,
  code: string,
  headers?: Record<string, string>,
];

const CASES: readonly Case[] = [
  ['malformed JSON', '/api/v1/events', '{"event_type":', 400, 'malformed_json'],
  [
    'a wrong type',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, entity_id: 5 }),
    422,
    'invalid_body',
  ],
  [
    'a missing payload',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, payload: undefined }),
    422,
    'invalid_body',
  ],
  [
    'an upper-case type',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, event_type: 'OrderPlaced' }),
    400,
    'invalid_event_type',
  ],
  [
    'a system type',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, event_type: '_system.x' }),
    400,
    'invalid_event_type',
  ],
  [
    'a query that is not percent-encoded',
    '/api/v1/events?tenant_id=%ff',
    JSON.stringify(GOOD),
    400,
    'invalid_parameter',
  ],
  [
    'a blank entity',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, entity_id: '  ' }),
    400,
    'invalid_entity_id',
  ],
  [
    'a future timestamp',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, timestamp: '2999-01-01T00:00:00Z' }),
    400,
    'future_timestamp',
  ],
  [
    'depth over 64',
    '/api/v1/events',
    `{"event_type":"a","entity_id":"e","payload":${'['.repeat(65)}${']'.repeat(65)}}`,
    400,
    'json_too_deep',
  ],
  [
    'a payload over its limit',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, payload: 'x'.repeat(MIB) }),
    413,
    'payload_too_large',
  ],
  [
    'a body over its limit',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, payload: 'x'.repeat(17 * MIB) }),
    413,
    'body_too_large',
  ],
  [
    'a batch over its limit',
    '/api/v1/events/batch',
    JSON.stringify({ events: Array.from({ length: 10_001 }, () => GOOD) }),
    413,
    'batch_too_large',
  ],
  [
    'a batch with one bad event',
    '/api/v1/events/batch',
    JSON.stringify({ events: [GOOD, { ...GOOD, event_type: 'BAD' }] }),
    400,
    'invalid_event_type',
  ],
  ['a batch without events', '/api/v1/events/batch', '{}', 422, 'invalid_body'],
  [
    'an unknown tenant',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, tenant_id: 'nobody' }),
    404,
    'tenant_not_found',
  ],
  [
    'another content type',
    '/api/v1/events',
    JSON.stringify(GOOD),
    415,
    'unsupported_media_type',
    { 'content-type': 'text/plain' },
  ],
  [
    'a bad key',
    '/api/v1/events',
    JSON.stringify(GOOD),
    401,
    'unauthenticated',
    { authorization: 'Bearer ask_wrong' },
  ],
  [
    'a broken expected version',
    '/api/v1/events',
    JSON.stringify({ ...GOOD, expected_version: 7 }),
    409,
    'version_conflict',
  ],
  [
    'an idempotency key that is too long',
    '/api/v1/events',
    JSON.stringify(GOOD),
    400,
    'invalid_idempotency_key',
    { 'idempotency-key': 'k'.repeat(256) },
  ],
];

describe('bad input', () => {
  let store: RunningStore;

  beforeAll(async () => {
    store = await RunningStore.start();
  });
  afterAll(() => store?.remove(), 60_000);

  it.each(CASES)('%s is refused on both ports and stores nothing', async (...args) => {
    const [, path, body, status, code, headers] = args;
    for (const base of [store.url, store.coreUrl]) {
      const answer = await store.post(base + path, body, { headers: headers ?? {} });
      expect([base, answer.status]).toEqual([base, status]);
      const codeSeen =
        base === store.url ? answer.body.error.code : (answer.body.code ?? answer.body.error);
      expect(codeSeen).toBe(code);
    }
    expect((await store.ask('/api/v1/stats')).body.total_events).toBe(0);
  });

  it('names the index of the bad event of a batch', async () => {
    const body = { events: [GOOD, GOOD, { ...GOOD, entity_id: '' }] };
    const { body: answer } = await store.post('/api/v1/events/batch', body);
    expect([answer.index, answer.pointer]).toEqual([2, '/events/2/entity_id']);
  });

  it.each([
    '/api/v1/events/query?since=yesterday',
    '/api/v1/events/query?limit=-1',
    '/api/v1/events/query?limit=many',
    '/api/v1/events/query?order=sideways',
    '/api/v1/events/query?payload_filter={',
    '/api/v1/events/not-a-uuid',
    '/api/v1/analytics/frequency?window=minute',
    '/api/v1/analytics/frequency?since=2020-01-01T00:00:00Z&window=fortnight',
    '/api/v1/entities?order=x',
    '/api/v1/entities/duplicates',
  ])('GET %s answers 400 and says what is allowed', async (path) => {
    const answer = await store.ask(path);
    expect([path, answer.status]).toEqual([path, 400]);
    expect(answer.body.error.message.length).toBeGreaterThan(20);
  });

  it.each(['entity_id=e&limit=', 'entity_id=e&cursor=', 'entity_id=%ff', 'entity_id=%zz'])(
    'a query with %s is refused on both ports',
    async (query) => {
      for (const base of [store.url, store.coreUrl]) {
        const answer = await store.ask(`${base}/api/v1/events/query?${query}`);
        expect([base, answer.status]).toEqual([base, 400]);
      }
    },
  );

  it('keeps __proto__ as plain data and every number as it was sent', async () => {
    const payload =
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"one":1.0,"big":12345678901234567890123,"e":1e2}';
    const sent = await store.post(
      '/api/v1/events',
      `{"event_type":"raw.kept","entity_id":"raw-1","payload":${payload}}`,
    );
    expect(sent.status).toBe(201);
    for (const base of [store.url, store.coreUrl]) {
      expect((await store.ask(`${base}/api/v1/events/query?entity_id=raw-1`)).text).toContain(
        `"payload":${payload}`,
      );
    }
    expect((await store.ask('/api/v1/entities/raw-1/state')).text).toContain('"one":1.0');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('never shows system events in counts, queries or streams', async () => {
    await store.post('/api/v1/consumers', { consumer_id: 'c1' });
    const types = (await store.ask('/api/v1/event-types')).body.event_types.map(
      (t: { event_type: string }) => t.event_type,
    );
    expect(types.filter((type: string) => type.startsWith('_system'))).toEqual([]);
    expect(
      (await store.ask('/api/v1/events/query?event_type_prefix=_system.')).body.total_count,
    ).toBe(0);
    expect((await store.ask('/api/v1/streams')).text).not.toContain('consumer:');
  });
});
