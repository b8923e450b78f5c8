import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '@allsource/shared/limits';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { KEYS, TestCore } from '../support/test-core.ts';

const QUERY = '/api/v1/events/query';

/** Appends `count` events of an entity, one second apart, between events of others. */
function appendHistory(core: TestCore, entity: string, count: number): void {
  for (let i = 0; i < count; i++) {
    core.log.append('acme', [
      { entity: 'other', type: 'noise' },
      {
        entity,
        type: i % 2 === 0 ? 'order.placed' : 'order.item_added',
        payload: `{"n": ${i}, "status":"open"}`,
        timestampMs: Date.UTC(2026, 0, 1, 0, 0, i),
      },
    ]);
  }
}

/** How often the event loop turns until something is done. */
async function turnsUntil(work: Promise<unknown>): Promise<number> {
  const state = { isDone: false };
  const done = work.finally(() => {
    state.isDone = true;
  });
  let turns = 0;
  for (; !state.isDone; turns++) await nextTurn();
  await done;
  return turns;
}

describe('the history of an entity', () => {
  let core: TestCore;

  beforeEach(async () => {
    core = await TestCore.start();
  });

  afterEach(() => core.close());

  async function versions(parameters: string): Promise<number[]> {
    const { body } = await core.ask(KEYS.acme, `${QUERY}?entity_id=order-1&${parameters}`);
    return body.events.map((event: { version: number }) => event.version);
  }

  it('is answered in the shape of the wire contract', async () => {
    appendHistory(core, 'order-1', 3);
    const { status, body } = await core.ask(KEYS.acme, `${QUERY}?entity_id=order-1&limit=2`);
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual([
      'events',
      'count',
      'total_count',
      'has_more',
      'entity_version',
    ]);
    expect(body).toMatchObject({ count: 2, total_count: 3, has_more: true, entity_version: 3 });
    expect(body.events[0]).toMatchObject({
      event_type: 'order.placed',
      entity_id: 'order-1',
      tenant_id: 'acme',
      payload: { n: 0, status: 'open' },
      metadata: null,
      timestamp: '2026-01-01T00:00:00.000Z',
      version: 1,
      position: core.start + 2,
    });
  });

  it('that is long is walked in turns, and is in the same order as a short one', async () => {
    const count = 60_000;
    for (let from = 0; from < count; from += 10_000)
      core.log.append(
        'acme',
        Array.from({ length: 10_000 }, (_, i) => ({
          entity: 'order-1',
          type: 'order.placed',
          // Every event of a batch lies before those of the batch that was appended before it.
          timestampMs: Date.UTC(2026, 0, 1) + (count - from) * 1_000 + i,
        })),
      );
    core.log.append('acme', [{ entity: 'short', type: 'order.placed' }]);
    const short = await turnsUntil(core.ask(KEYS.acme, `${QUERY}?entity_id=short`));
    const newest = versions('limit=3&order=desc');
    expect(await turnsUntil(newest)).toBeGreaterThan(short + 30);
    const all = Array.from({ length: count }, (_, i) => i + 1);
    const expected = all.toSorted(
      (a, b) => Math.ceil(b / 10_000) - Math.ceil(a / 10_000) || (a < b ? -1 : 1),
    );
    expect(await newest).toEqual(expected.slice(-3).toReversed());
    expect(await versions('')).toEqual(expected);
  });

  it('that is too long to be walked is the query service’s', async () => {
    for (let from = 0; from < LIMITS.walkedEventsMax; from += 10_000)
      core.log.append(
        'acme',
        Array.from({ length: 10_000 }, () => ({ entity: 'order-1', type: 'order.placed' })),
      );
    const question = `${QUERY}?entity_id=order-1&limit=1&order=desc`;
    const walked = await core.ask(KEYS.acme, question);
    expect(walked.body).toMatchObject({ count: 1, total_count: LIMITS.walkedEventsMax });
    core.log.append('acme', [{ entity: 'order-1', type: 'order.placed' }]);
    const { status, body } = await core.ask(KEYS.acme, question);
    expect([status, body.code]).toEqual([501, 'not_available']);
    expect(body.detail).toContain(`at most ${LIMITS.walkedEventsMax} events`);
    // Another tenant's entity of the same name is another one.
    expect((await core.ask(KEYS.globex, question)).body).toMatchObject({ total_count: 0 });
  });

  it('comes back byte for byte, also numbers that JavaScript cannot hold', async () => {
    const payload = '{"big":12345678901234567890,"one":1.0,"__proto__":{"x":1}}';
    core.log.append('acme', [{ entity: 'order-1', payload, metadata: '{"m":1e400}' }]);
    const { text } = await core.ask(KEYS.acme, `${QUERY}?entity_id=order-1`);
    expect(text).toContain(`"payload":${payload}`);
    expect(text).toContain('"metadata":{"m":1e400}');
  });

  it('is whole without a limit, in order, also when it is longer than one write', async () => {
    for (let i = 0; i < 30; i++)
      core.log.append(
        'acme',
        Array.from({ length: 100 }, () => ({ entity: 'order-1' })),
      );
    const { body } = await core.ask(KEYS.acme, `${QUERY}?entity_id=order-1`);
    expect(body.events.map((event: { version: number }) => event.version)).toEqual(
      Array.from({ length: 3_000 }, (_, i) => i + 1),
    );
    expect(body).toMatchObject({ count: 3_000, total_count: 3_000, has_more: false });
  });

  it.each([
    ['', [1, 2, 3, 4, 5, 6]],
    ['order=desc', [6, 5, 4, 3, 2, 1]],
    ['limit=2&offset=3', [4, 5]],
    ['limit=2&offset=4&order=DESC', [2, 1]],
    ['limit=0', []],
    ['offset=99', []],
    ['event_type=order.placed', [1, 3, 5]],
    ['event_type=order.', []],
    ['event_type_prefix=order.', [1, 2, 3, 4, 5, 6]],
    ['exclude_event_type_prefix=x,order.item', [1, 3, 5]],
    ['since=2026-01-01T00:00:04Z', [5, 6]],
    ['until=2026-01-01T00:00:01Z', [1, 2]],
    ['as_of=2026-01-01T01:00:02%2B01:00', [1, 2, 3]],
    [`payload_filter=${encodeURIComponent('{"n":3}')}`, [4]],
    [`payload_filter=${encodeURIComponent('{"n":"3"}')}`, []],
    [`payload_filter=${encodeURIComponent('{"status":"open"}')}&limit=1`, [1]],
    ['unknown=parameter', [1, 2, 3, 4, 5, 6]],
  ])('?%s gives versions %j', async (parameters, expected) => {
    appendHistory(core, 'order-1', 6);
    expect(await versions(parameters)).toEqual(expected);
  });

  it('counts all matches before the window, and has more only when there is more', async () => {
    appendHistory(core, 'order-1', 4);
    const page = async (offset: number) =>
      (await core.ask(KEYS.acme, `${QUERY}?entity_id=order-1&limit=2&offset=${offset}`)).body;
    expect(await page(0)).toMatchObject({ count: 2, total_count: 4, has_more: true });
    expect(await page(2)).toMatchObject({ count: 2, total_count: 4, has_more: false });
    expect(await page(4)).toMatchObject({ count: 0, total_count: 4, has_more: false });
  });

  it('is sorted by time, then version: an event imported late stands where it happened', async () => {
    for (const second of [30, 10, 20])
      core.log.append('acme', [
        { entity: 'order-1', timestampMs: Date.UTC(2026, 0, 1, 0, 0, second) },
      ]);
    expect(await versions('')).toEqual([2, 3, 1]);
  });

  it('is empty and of version 0 for an entity without events, and for that of another tenant', async () => {
    appendHistory(core, 'order-1', 2);
    const nobody = { events: [], count: 0, total_count: 0, has_more: false, entity_version: 0 };
    expect((await core.ask(KEYS.acme, `${QUERY}?entity_id=nobody`)).body).toEqual(nobody);
    expect((await core.ask(KEYS.globex, `${QUERY}?entity_id=order-1`)).body).toEqual(nobody);
    const asAdmin = await core.ask(KEYS.admin, `${QUERY}?entity_id=order-1&tenant_id=acme`);
    expect(asAdmin.body.count).toBe(2);
    expect((await core.ask(KEYS.globex, `${QUERY}?entity_id=order-1&tenant_id=acme`)).status).toBe(
      403,
    );
  });

  it('is found under ids with colons, slashes and spaces', async () => {
    core.log.append('acme', [{ entity: 'a:b/c d' }]);
    const { body } = await core.ask(KEYS.acme, `${QUERY}?entity_id=a%3Ab%2Fc%20d`);
    expect(body.events[0].entity_id).toBe('a:b/c d');
  });

  it.each([
    ['order=up', /^Invalid input: invalid 'order' value 'up': expected 'asc' or 'desc'$/],
    ['limit=-1', /limit/],
    ['since=yesterday', /since/],
    ['payload_filter=nope', /payload_filter/],
    ['payload_filter=%5B1%5D', /payload_filter/],
  ])('?%s is refused', async (parameters, message) => {
    const { status, body } = await core.ask(KEYS.acme, `${QUERY}?entity_id=x&${parameters}`);
    expect(status).toBe(400);
    expect(body.error).toMatch(message);
  });

  it('shows that the log cannot be read', async () => {
    appendHistory(core, 'order-1', 1);
    core.log.readFault = new RangeError('damaged');
    expect((await core.ask(KEYS.acme, `${QUERY}?entity_id=order-1`)).status).toBe(500);
  });
});

describe('a query over many entities', () => {
  it('is forwarded to the query service', async () => {
    const core = await TestCore.start({
      forward: async (call) => call.json(200, { forwarded: call.request.originalUrl }),
    });
    const { body } = await core.ask(KEYS.acme, `${QUERY}?event_type=a.b`);
    expect(body).toEqual({ forwarded: `${QUERY}?event_type=a.b` });
    await core.close();
  });

  it('says what to do when no query service is known', async () => {
    const core = await TestCore.start();
    const { status, body } = await core.ask(KEYS.acme, QUERY);
    expect(status).toBe(501);
    expect(body.error).toMatch(/entity_id.*3902.*QUERY_URL/);
    await core.close();
  });
});

describe('an event by its id', () => {
  let core: TestCore;

  beforeEach(async () => {
    core = await TestCore.start();
  });

  afterEach(() => core.close());

  it('is found by its tenant, and by nobody else', async () => {
    const frame = core.log.append('acme', [{}, { type: 'order.placed', payload: '{"n":1.0}' }]);
    const { id } = frame.event(1);
    const found = await core.ask(KEYS.acme, `/api/v1/events/${id.toUpperCase()}`);
    expect(found.status).toBe(200);
    expect(found.body).toMatchObject({ found: true, event: { id, event_type: 'order.placed' } });
    expect(found.text).toContain('"payload":{"n":1.0}');
    const hidden = await core.ask(KEYS.globex, `/api/v1/events/${id}`);
    expect(hidden.status).toBe(404);
    expect(hidden.body.error).toBe(`Entity not found: Event '${id}' not found`);
  });

  it('is not found when it is the store’s own, made up, or not yet there', async () => {
    const system = core.log.frames[0]?.event(0).id ?? '';
    for (const id of [
      system,
      '0190a3c4-0000-7000-8000-000000000001',
      '0190a3c4-0000-7000-8000-00000000ffff',
      '123e4567-e89b-42d3-a456-426614174000',
    ])
      expect((await core.ask(KEYS.admin, `/api/v1/events/${id}`)).status).toBe(404);
  });

  it('must be a UUID', async () => {
    expect((await core.ask(KEYS.acme, '/api/v1/events/nonsense')).status).toBe(400);
    expect((await core.ask(KEYS.acme, '/api/v1/events/%ff')).status).toBe(400);
  });

  it('does not hide the stream, which asks to be opened as a WebSocket', async () => {
    const { status, headers } = await core.ask(KEYS.acme, '/api/v1/events/stream');
    expect(status).toBe(426);
    expect(headers.get('upgrade')).toBe('websocket');
  });
});
