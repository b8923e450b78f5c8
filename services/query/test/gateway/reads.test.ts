/** What the gateway answers itself, from the read stores, with a stand-in core whose log they follow. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups } from '@allsource/testkit';
import { ACME, type GatewayWorld, gatewayWorld, OTHER } from './gateway-world.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

async function world(settings?: Record<string, string>, ready?: boolean): Promise<GatewayWorld> {
  const made = await gatewayWorld(settings, ready);
  cleanups.add(() => made.close());
  return made;
}

const eq = (field: string, value: unknown) => ({ op: 'eq', field, value });

describe('reads of the gateway', () => {
  it('see what core has acknowledged, of their own tenant only', async () => {
    const { ask, core } = await world();
    for (let i = 1; i <= 20; i++) {
      core.append('acme', [{ type: 'a.b', entity: 'e/1', payload: `{"n":${i}.0}` }]);
      const state = await ask('/api/v1/projections/entity_snapshots/e%2F1/state', { key: ACME });
      expect(state.text).toContain(`"state":{"n":${i}.0},"found":true`);
      const counter = await ask('/api/projections/event_counters/state?entity_id=a.b', {
        key: ACME,
      });
      expect(counter.body['state']).toEqual({ count: i });
    }
    const theirs = await ask('/api/v1/projections/entity_snapshots/e%2F1/state', { key: OTHER });
    expect(theirs.body).toMatchObject({ found: false, state: null });
    expect((await ask('/api/v1/entities/e%2F1/snapshot', { key: OTHER })).status).toBe(404);
    const snapshot = await ask('/api/v1/entities/e%2F1/snapshot', { key: ACME });
    expect(snapshot.text).toBe(
      '{"entity_id":"e/1","snapshot":{"n":20.0},"from_projection":"entity_snapshots"}',
    );
    const query = await ask('/api/v1/events/query?entity_id=e/1', { key: ACME });
    expect(query.body).toMatchObject({ count: 20, entity_version: 20 });
  });

  it('are asked with a document as with parameters, and by what cannot be carried out refused', async () => {
    const { ask, core } = await world();
    core.append('acme', [
      { type: 'order.moved', entity: 'o-9', payload: '{"":7}' },
      { type: 'order.moved', entity: 'o-9', payload: '{"n":1,"big":1,"unnamed":null}' },
    ]);
    for (let n = 0; n < 5; n++)
      core.append('acme', [
        { type: 'order.placed', entity: 'o-1', payload: `{"n":${n},"big":9007199254740993}` },
        { type: 'order.paid', entity: `o-${n}`, payload: '{"n":1.0}' },
      ]);
    core.append('other', [{ type: 'order.placed', entity: 'o-1', payload: '{"n":1}' }]);
    const post = (document: unknown, path = '/api/query') =>
      ask(path, { method: 'POST', key: ACME, body: JSON.stringify(document) });
    const cases = [
      [{}, 'limit=100'],
      [{ entity_id: 'o-1', limit: 2, offset: 1 }, 'entity_id=o-1&limit=2&offset=1'],
      [
        { event_type: 'order.placed', order: 'desc', since: null },
        'event_type=order.placed&order=desc',
      ],
      [{ payload_filter: { n: 1 } }, 'payload_filter={"n":1}'],
      [{ payload_filter: '{"big":9007199254740992}' }, 'payload_filter={"big":9007199254740992}'],
      [
        { from: 'events', where: { and: [eq('event_type', 'order.placed'), eq('payload.n', 1)] } },
        'event_type=order.placed&payload_filter={"n":1}',
      ],
      [{ where: { or: [eq('entity_id', 'o-2')] }, limit: 1 }, 'entity_id=o-2&limit=1'],
      [{ where: eq('payload.', 7) }, 'payload_filter={"":7}'],
      [{ payload_filter: { n: 1 }, where: eq('payload.big', 1) }, 'payload_filter={"n":1,"big":1}'],
      [
        { payload_filter: '{"n":1}', where: eq('payload.unnamed', null) },
        'payload_filter={"n":1,"unnamed":null}',
      ],
    ] as const;
    for (const [document, parameters] of cases) {
      const answer = await post(document);
      const known = await ask(`/api/v1/events/query?${encodeURI(parameters)}`, { key: ACME });
      expect(answer.status).toBe(200);
      const { data, query, ...rest } = answer.body;
      const { events, ...facts } = known.body;
      expect({ data, total: rest['total_count'] }).toEqual({
        data: events,
        total: facts['total_count'],
      });
      expect(query).toMatchObject({ from: 'events' });
    }
    const first = await post({ event_type: 'order.placed', limit: 2 });
    const cursor = first.body['next_cursor'];
    const next = await post({ event_type: 'order.placed', limit: 9, cursor }, '/api/v1/query');
    expect([next.body['count'], next.body['has_more']]).toEqual([3, false]);
    const refused = [
      [{ where: { or: [eq('entity_id', 'a'), eq('entity_id', 'b')] } }, "'or' with more than one"],
      [{ where: { op: 'gt', field: 'since', value: 1 } }, "'op' is 'gt'"],
      [{ where: eq('colour', 1) }, "'field' is 'colour'; allowed are entity_id"],
      [{ where: [] }, 'is no condition'],
      [{ where: eq('entity_id', 'a'), entity_id: 'b' }, "two conditions on 'entity_id'"],
      [
        { payload_filter: { n: 1, k: 2 }, where: eq('payload.k', 2) },
        "two conditions on 'payload.k'",
      ],
      [{ payload_filter: '{"n"', where: eq('payload.k', 2) }, "'payload_filter' is"],
      [{ payload_filter: '' }, "'payload_filter' is empty"],
      [{ from: 'streams' }, "'from' is"],
      [{ entity_id: ['a'] }, 'allowed is a text'],
      [{ entity_id: 5 }, "'entity_id' is '5'; allowed is a text"],
      [{ explain: 'yes' }, 'allowed is true or false'],
      [{ entity_id: '' }, "'entity_id' is empty"],
      [{ limit: -1 }, "'limit' is '-1'"],
      [{ where: eq('since', 'soon') }, "'since' is 'soon'"],
      [{ cursor, limit: 1 }, 'another query'],
      [[], 'must be a JSON object'],
    ] as const;
    for (const [document, reason] of refused) {
      const answer = await post(document);
      expect([answer.text, answer.status]).toEqual([
        expect.stringContaining(JSON.stringify(reason).slice(1, -1)),
        answer.status < 500 ? answer.status : 'a refusal',
      ]);
    }
  });

  it('list projections in the form of every client, and hand other names on to core', async () => {
    const { ask, core } = await world();
    core.append('acme', [
      { type: 'a.b', entity: 'e1' },
      { type: 'a.c', entity: 'e2' },
    ]);
    const listed = await ask('/api/v1/projections', { key: ACME });
    expect(listed.body).toMatchObject({ total: 2, count: 2 });
    expect(listed.body['projections']).toEqual(listed.body['data']);
    expect((await ask('/api/v1/projections/event_counters', { key: ACME })).body).toMatchObject({
      name: 'event_counters',
      found: true,
      status: 'running',
    });
    expect((await ask('/api/v1/projections/mine', { key: ACME })).status).toBe(404);
    const page = await ask('/api/v1/projections/entity_snapshots/state?limit=1', { key: ACME });
    expect(page.body).toEqual({
      projection: 'entity_snapshots',
      states: [{ entity_id: 'e1', state: {} }],
      count: 1,
      total: 2,
      has_more: true,
    });
    const some = await ask('/api/v1/projections/event_counters/bulk', {
      method: 'POST',
      key: ACME,
      body: '{"entity_ids":["a.c","none"]}',
    });
    expect(some.body['states']).toEqual([
      { entity_id: 'a.c', state: { count: 1 }, found: true },
      { entity_id: 'none', state: null, found: false },
    ]);
    for (const path of ['/projections/mine/e%2F1/state', '/projections/mine/state?limit=3'])
      expect((await ask(`/api${path}`, { key: ACME })).body).toEqual({ ok: true });
    expect(core.arrivals.map(({ url }) => url)).toEqual([
      '/api/v1/projections/mine/e%2F1/state',
      '/api/v1/projections/mine/state?limit=3',
    ]);
    const refused = await ask('/api/v1/projections/event_counters/x/state', {
      method: 'PUT',
      key: ACME,
      body: '{"state":1}',
    });
    expect([refused.status, core.arrivals.length]).toEqual([400, 2]);
  });

  it('answer the states of thousands of keys, and refuse those that are too long together', async () => {
    const { ask, core } = await world();
    const entities = Array.from({ length: 1_300 }, (_, i) => `e${i}`);
    core.append(
      'acme',
      entities.map((entity, number) => ({ type: 'a.b', entity, payload: `{"n":${number}}` })),
    );
    const bulk = (keys: readonly string[]) =>
      ask('/api/v1/projections/entity_snapshots/bulk', {
        method: 'POST',
        key: ACME,
        body: JSON.stringify({ entity_ids: keys }),
      });
    const { body } = await bulk([...entities, 'nobody', 'e7']);
    expect(body['total']).toBe(1_302);
    expect(body['states']).toEqual([
      ...entities.map((entity, n) => ({ entity_id: entity, state: { n }, found: true })),
      { entity_id: 'nobody', state: null, found: false },
      { entity_id: 'e7', state: { n: 7 }, found: true },
    ]);
    const text = 'x'.repeat(1_000_000);
    core.append('acme', [{ type: 'a.b', entity: 'large', payload: `{"text":"${text}"}` }]);
    expect((await bulk(Array.from({ length: 16 }, () => 'large'))).status).toBe(200);
    const refused = await bulk(Array.from({ length: 17 }, () => 'large'));
    expect(refused.status).toBe(413);
    expect(refused.text).toContain('Ask for fewer at a time');
  });

  it('answer analytics and stats at the position of the write before', async () => {
    const { ask, core } = await world();
    core.append('acme', [
      { type: 'a.b', entity: 'e1', at: '2026-03-02T10:00:00Z' },
      { type: 'a.c', entity: 'e1', at: '2026-03-04T10:00:00Z' },
    ]);
    const frequency = await ask(
      '/api/v1/analytics/frequency?window=day&since=2026-03-01T12:00:00Z&until=2026-03-05T00:00:00Z',
      { key: ACME },
    );
    expect((frequency.body['buckets'] as { count: number }[]).map(({ count }) => count)).toEqual([
      0, 1, 0, 1, 0,
    ]);
    const summary = await ask('/api/analytics/summary?entity_id=e1', { key: ACME });
    expect(summary.body).toMatchObject({ total_events: 2, unique_event_types: 2 });
    const related = await ask(
      '/api/v1/analytics/correlation?event_type_a=a.b&event_type_b=a.c&time_window_seconds=200000',
      { key: ACME },
    );
    expect(related.body).toMatchObject({ correlated_pairs: 1 });
    for (const query of [
      'frequency?window=day',
      'frequency?since=2026-03-01T00:00:00Z',
      'correlation',
    ])
      expect((await ask(`/api/v1/analytics/${query}`, { key: ACME })).status).toBe(400);
    const stats = await ask('/api/v1/stats', { key: ACME });
    expect(stats.body).toMatchObject({
      total_events: 2,
      total_entities: 1,
      total_event_types: 2,
      total_ingested: 2,
      total_projections: 2,
      total_schemas: 0,
    });
    const metrics = await ask('/metrics');
    expect(metrics.text).toMatch(/allsource_lag_events\{store="history"\} 0/);
    expect(metrics.text).not.toContain('acme');
  });

  it('are the same after a restart, without a refill', async () => {
    const first = await gatewayWorld({ ALLSOURCE_BLOCK_EVENTS: '4' });
    for (let i = 0; i < 10; i++) {
      const events = Array.from({ length: 3 }, (_, n) => ({ type: 'a.b', entity: `e${n}` }));
      first.core.append('acme', events);
    }
    const before = await first.ask('/api/v1/events/query', { key: ACME });
    first.core.feedsFrom.length = 0;
    const second = await first.restart();
    cleanups.add(() => second.close());
    const after = await second.ask('/api/v1/events/query', { key: ACME });
    expect(after.text).toBe(before.text);
    expect((await second.ask('/api/v1/stats', { key: ACME })).body['total_events']).toBe(30);
    // The projections stand at the end, the history at the end of its last whole block; neither begins anew.
    expect(first.core.feedsFrom).toHaveLength(2);
    expect(Math.min(...first.core.feedsFrom)).toBeGreaterThan(24);
  });
});
