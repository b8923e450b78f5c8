/**
 * The gateway in front of the real core and control plane: what a client that knows one address sends and gets back, and that whatever was acknowledged is
 * in the next answer.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RunningStore } from '../support/running-store.ts';

describe('a client that knows only the gateway', () => {
  let store: RunningStore;

  beforeAll(async () => {
    store = await RunningStore.start();
  });

  afterAll(async () => {
    await store?.remove();
  });

  /** A tenant with a key, made through the gateway a moment ago. */
  async function newKey(tenant: string, role = 'developer'): Promise<string> {
    const made = await store.post('/api/v1/tenants', { id: tenant, name: tenant });
    expect([201, 409]).toContain(made.status);
    const key = await store.post('/api/v1/auth/api-keys', { name: 'k', role, tenant_id: tenant });
    expect(key.status).toBe(201);
    return key.body.key;
  }

  it('gets answers that every AllSource client can read', async () => {
    const event =
      '{"event_type":"order.placed","entity_id":"o-1","payload":{"n":1.0,"big":9007199254740993}}';
    const one = await store.post('/api/v1/events', event);
    expect([one.status, one.text]).toEqual([
      201,
      expect.stringContaining('"payload":{"n":1.0,"big":9007199254740993}'),
    ]);
    expect(one.body).toMatchObject({
      event_id: expect.any(String),
      timestamp: expect.any(String),
      version: 1,
      data: { event_id: one.body.event_id, id: one.body.event_id, entity_id: 'o-1' },
    });
    const more = { event_type: 'order.paid', entity_id: 'o-1', payload: {} };
    const batch = await store.post('/api/events/batch', { events: [more, more] });
    expect(batch).toMatchObject({ status: 201, body: { total: 2, ingested: 2, count: 2 } });
    expect(batch.body.data[1]).toMatchObject({ event_type: 'order.paid', version: 3, payload: {} });
    const conflict = await store.post('/api/v1/events', { ...more, expected_version: 1 });
    expect(conflict).toMatchObject({
      status: 409,
      body: {
        error: { code: 'version_conflict' },
        expected_version: 1,
        current_version: 3,
        code: 'version_conflict',
      },
    });
    const wrong = await store.post('/api/v1/events', { ...more, event_type: 'Not Allowed' });
    expect(wrong).toMatchObject({
      status: 400,
      body: { error: { code: 'invalid_event_type', message: expect.any(String) } },
    });
    const nobody = await store.post('/api/v1/events', more, { key: null });
    expect(nobody).toMatchObject({ status: 401, body: { error: { code: 'unauthenticated' } } });
  });

  it('reads in every way what was acknowledged a moment before', async () => {
    const key = await newKey('fresh');
    const read = async (path: string) => (await store.ask(path, { key })).body;
    for (let n = 1; n <= 25; n++) {
      const event = { event_type: 'count.up', entity_id: 'e/1', payload: { n } };
      expect((await store.post('/api/v1/events', event, { key })).status).toBe(201);
      const [query, state, counter, snapshot, stats, summary] = await Promise.all([
        read('/api/v1/events/query?entity_id=e%2F1'),
        read('/api/v1/projections/entity_snapshots/e%2F1/state'),
        read('/api/v1/projections/event_counters/count.up/state'),
        read('/api/v1/entities/e%2F1/snapshot'),
        read('/api/v1/stats'),
        read('/api/v1/analytics/summary'),
      ]);
      expect([query.total_count, query.entity_version]).toEqual([n, n]);
      expect([state.state.n, counter.state.count, snapshot.snapshot.n]).toEqual([n, n, n]);
      expect([stats.total_events, summary.total_events]).toEqual([n, n]);
    }
  });

  it('can use a key at once, and sees nothing of another tenant', async () => {
    const [ours, theirs] = [await newKey('ours'), await newKey('theirs')];
    const event = { event_type: 'secret.kept', entity_id: 'e', payload: { secret: 'of ours' } };
    await store.post('/api/v1/events', event, { key: ours });
    const saved = await store.ask('/api/v1/projections/mine/e/state', {
      method: 'PUT',
      key: ours,
      body: '{"state":{"secret":1.50}}',
    });
    expect(saved).toMatchObject({ status: 200, body: { saved: true } });
    const kept = await store.ask('/api/v1/projections/mine/e/state', { key: ours });
    expect(kept.text).toContain('"state":{"secret":1.50}');
    for (const path of [
      '/api/v1/events/query',
      '/api/v1/projections/entity_snapshots/state',
      '/api/v1/projections/event_counters/state',
      '/api/v1/projections/mine/e/state',
      '/api/v1/projections/mine/state',
      '/api/v1/entities/e/snapshot',
      '/api/v1/analytics/summary',
      '/api/v1/analytics/frequency?window=day&since=2020-01-01T00:00:00Z',
      '/api/v1/stats',
      '/api/v1/entities',
      '/api/v1/event-types',
    ]) {
      const answer = await store.ask(path, { key: theirs });
      expect([path, answer.text]).toEqual([path, expect.not.stringContaining('secret')]);
      const forced = await store.ask(`${path}${path.includes('?') ? '&' : '?'}tenant_id=ours`, {
        key: theirs,
      });
      expect([path, forced.status]).toEqual([path, 403]);
    }
  });

  it('follows a consumer over a WebSocket: what it missed, a mark, then live events', async () => {
    const key = await newKey('streams');
    const post = (n: number) =>
      store.post(
        '/api/v1/events',
        { event_type: 'tick.n', entity_id: 't', payload: { n } },
        { key },
      );
    await store.post(
      '/api/v1/consumers',
      { consumer_id: 'w', event_type_filters: ['tick.*'] },
      { key },
    );
    for (let n = 1; n <= 3; n++) await post(n);
    const url = `${store.url.replace('http', 'ws')}/api/v1/events/stream?consumer_id=w`;
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
    const messages: Record<string, unknown>[] = [];
    const enough = Promise.withResolvers<void>();
    socket.addEventListener('message', ({ data }) => {
      messages.push(JSON.parse(String(data)));
      if (messages.length === 4) void post(4);
      if (messages.length === 5) enough.resolve();
    });
    socket.addEventListener('error', () => enough.reject(new TypeError('the stream broke')));
    await enough.promise;
    socket.close();
    expect(messages.map(({ type, replayed }) => [type, replayed])).toEqual([
      ['replay', undefined],
      ['replay', undefined],
      ['replay', undefined],
      ['replay_complete', 3],
      [undefined, undefined],
    ]);
    expect(messages[4]).toMatchObject({ payload: { n: 4 }, version: 4 });
  });

  it('reaches the control plane, and is told what is not there', async () => {
    const cluster = await store.ask('/api/v1/cluster/status');
    expect(cluster).toMatchObject({ status: 200, body: { total_nodes: 3, healthy_nodes: 3 } });
    const key = await newKey('plain');
    expect((await store.ask('/api/v1/cluster/status', { key })).status).toBe(403);
    const webhooks = await store.ask('/api/v1/webhooks', { key });
    expect(webhooks).toMatchObject({ status: 501, body: { error: { code: 'not_available' } } });
  });

  it('finds everything again after a restart, computed from where the files stood', async () => {
    const before = await store.ask('/api/v1/projections/entity_snapshots/state');
    await store.stop();
    await store.launch();
    const after = await store.ask('/api/v1/projections/entity_snapshots/state');
    expect([after.status, after.text]).toEqual([200, before.text]);
  });
});
