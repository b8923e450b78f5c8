import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { position } from '@allsource/shared/model';
import type { Answer, Json } from '@allsource/testkit';
import { InMemoryProjections } from '../support/in-memory-projections.ts';
import {
  ACME,
  ACME_READER,
  ADMIN,
  type GatewayWorld,
  gatewayWorld,
  OTHER,
} from '../gateway/gateway-world.ts';

const COUNTER = { name: 'orders', type: 'event_counter', event_types: ['order.*'] };

const FUNNEL = {
  steps: [{ event_type: 'order.placed' }, { event_type: 'order.paid' }],
  window_seconds: 60,
};

describe('projections of a tenant over HTTP', () => {
  let world: GatewayWorld;
  let runtime: InMemoryProjections;

  beforeEach(async () => {
    world = await gatewayWorld({ ALLSOURCE_READ_WAIT_MS: '300' }, true, ({ log }) => {
      runtime = new InMemoryProjections(() => log.frames);
      return { projectionRuntime: runtime };
    });
  });
  afterEach(() => world.close());

  async function ask(line: string, body?: unknown, key = ACME): Promise<Answer> {
    const [method = 'GET', path = ''] = line.split(' ');
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return await world.ask(path, { method, key, ...sent });
  }
  const append = (...types: string[]) => {
    world.core.append(
      'acme',
      types.map((type, i) => ({ type, entity: `e${i}`, payload: '{}' })),
    );
  };

  it('begin as created, count once they are started, and are read at the head', async () => {
    append('order.placed', 'order.placed', 'user.made');
    const created = await ask('POST /api/v1/projections', { ...COUNTER, description: 'd' });
    expect(created).toMatchObject({
      status: 201,
      body: { projection: { name: 'orders', status: 'created', version: 1, description: 'd' } },
    });
    expect(created.body.data).toEqual(created.body.projection);
    const unread = await ask('GET /api/v1/projections/orders/order.placed/state');
    expect(unread).toMatchObject({ status: 503, body: { code: 'read_behind' } });
    expect(unread.body.detail).toContain('Start it (POST .../start), or read what is there');
    const started = await ask('POST /api/v1/projections/orders/start');
    expect(started).toMatchObject({
      status: 200,
      body: { projection: 'orders', status: 'running' },
    });
    append('order.placed');
    for (const base of ['/api', '/api/v1']) {
      const one = await ask(`GET ${base}/projections/orders/order.placed/state`);
      expect(one.body).toEqual({
        projection: 'orders',
        entity_id: 'order.placed',
        kind: 'event_counter',
        status: 'running',
        state: { count: 3 },
        found: true,
      });
      expect(one.headers.get('x-allsource-position')).toBe(String(world.core.log.head));
    }
    const none = await ask('GET /api/v1/projections/orders/user.made/state');
    expect(none.body).toMatchObject({ state: null, found: false });
    expect((await ask('GET /api/projections/orders/state?entity_id=order.placed')).body).toEqual(
      (await ask('GET /api/projections/orders/order.placed/state')).body,
    );
  });

  it('are answered in bulk and in pages', async () => {
    append('order.a', 'order.b', 'order.c', 'order.c');
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    const bulk = await ask('POST /api/v1/projections/orders/bulk', {
      entity_ids: ['order.c', 'none', 'order.a'],
    });
    expect(bulk.body).toEqual({
      projection: 'orders',
      states: [
        { entity_id: 'order.c', state: { count: 2 }, found: true },
        { entity_id: 'none', state: null, found: false },
        { entity_id: 'order.a', state: { count: 1 }, found: true },
      ],
      total: 3,
    });
    const path = 'GET /api/v1/projections/orders/state';
    const pages = await Promise.all(
      [
        'limit=2',
        'limit=2&offset=2',
        'limit=1&after=order.a',
        'entity_id_prefix=order.b',
        'limit=0',
      ].map(async (query) => (await ask(`${path}?${query}`)).body),
    );
    const shape = pages.map(({ states, count, total, has_more }) => [
      states.map(({ entity_id }: Json) => entity_id),
      count,
      total,
      has_more,
    ]);
    expect(shape).toEqual([
      [['order.a', 'order.b'], 2, 3, true],
      [['order.c'], 1, 3, false],
      [['order.b'], 1, 3, true],
      [['order.b'], 1, 1, false],
      [[], 0, 3, true],
    ]);
  });

  it('list any window of thousands of states', async () => {
    const types = Array.from({ length: 5_000 }, (_, i) => `order.n${String(i).padStart(4, '0')}`);
    append(...types);
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    const windowOf = async (query: string) => {
      const { body } = await ask(`GET /api/v1/projections/orders/state?${query}`);
      const keys = body.states.map(({ entity_id }: Json) => entity_id);
      return [keys, body.total, body.has_more];
    };
    const late = 'order.n4980';
    expect(await windowOf('limit=3&offset=4321')).toEqual([types.slice(4321, 4324), 5_000, true]);
    expect(await windowOf('limit=50&offset=4990')).toEqual([types.slice(4990), 5_000, false]);
    expect(await windowOf('limit=5&offset=5000')).toEqual([[], 5_000, false]);
    expect(await windowOf('limit=2&entity_id_prefix=order.n')).toEqual([
      types.slice(0, 2),
      5_000,
      true,
    ]);
    expect(await windowOf(`limit=2&offset=999&entity_id_prefix=order.n3`)).toEqual([
      ['order.n3999'],
      1_000,
      false,
    ]);
    expect(await windowOf(`limit=100&after=${late}`)).toEqual([types.slice(4981), 5_000, false]);
  });

  it('say how far behind they are rather than answer what is old', async () => {
    append('order.a');
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    runtime.foldLimit = world.core.log.head;
    append('order.a');
    const path = 'GET /api/v1/projections/orders/order.a/state';
    expect(await ask(path)).toMatchObject({
      status: 503,
      body: { code: 'read_behind', lag: 1, projection_status: 'running' },
    });
    expect((await ask(`${path}?consistency=eventual`)).body.state).toEqual({ count: 1 });
    const tooNew = `min_position=${world.core.log.head}`;
    expect((await ask(`${path}?consistency=eventual&${tooNew}`)).body.error.message).toContain(
      'Try again, or leave out min_position and read what is there with consistency=eventual.',
    );
    const min = `min_position=${runtime.foldLimit}`;
    expect((await ask(`${path}?${min}`)).body.state).toEqual({ count: 1 });
    const shown = (await ask('GET /api/v1/projections/orders')).body;
    expect(shown).toMatchObject({ found: true, is_stalled: true, lag_events: 1, lag_seconds: 1 });
    expect(shown.stalled_reason).toBe('The test holds it.');
    const label = `projection="${shown.metrics_label}"`;
    const { text } = await world.ask('/metrics');
    expect(text).toContain(`allsource_projection_lag_events{${label}} 1`);
    expect(text).toContain(`allsource_projection_stalled{${label}} 1`);
    expect(text).toContain('allsource_projections{status="running"} 1');
    expect(text).not.toContain('orders');
    const ready = await world.ask('/readyz');
    expect(ready.status).toBe(200);
    expect(ready.body['projections']).toMatchObject({ stalled: 1, lag_events_max: 1 });
    runtime.foldLimit = Number.POSITIVE_INFINITY;
    expect((await ask(path)).body.state).toEqual({ count: 2 });
  });

  it('follow their commands, which survive a restart of the service', async () => {
    await ask('POST /api/v1/projections', COUNTER);
    const name = '/api/v1/projections/orders';
    const status = async () => (await ask(`GET ${name}`)).body.wanted_status;
    expect(await ask(`POST ${name}/pause`)).toMatchObject({
      status: 409,
      body: { code: 'wrong_status', projection_status: 'created' },
    });
    expect((await ask(`POST ${name}/stop`)).status).toBe(409);
    expect((await ask(`POST ${name}/rebuild`)).status).toBe(409);
    await ask(`POST ${name}/start`);
    const { changed_position } = (await ask(`GET ${name}`)).body;
    await ask(`POST ${name}/start`);
    expect((await ask(`GET ${name}`)).body.changed_position).toBe(changed_position);
    expect((await ask(`POST ${name}/pause`)).body.status).toBe('paused');
    expect((await ask(`POST ${name}/stop`)).body.status).toBe('stopped');
    expect((await ask(`POST ${name}/pause`)).status).toBe(409);
    world = await world.restart();
    while ((await ask(`GET ${name}`)).status === 503) await sleep(10);
    expect(await status()).toBe('stopped');
    await ask(`POST ${name}/start`);
    expect(await status()).toBe('running');
    expect((await ask('POST /api/v1/projections/unknown/start')).status).toBe(404);
  });

  it('are built again beside what is read when what they compute changes, and go back at once', async () => {
    append('order.a', 'user.a');
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    const name = '/api/v1/projections/orders';
    const keys = async () =>
      (await ask(`GET ${name}/state`)).body.states.map(({ entity_id }: Json) => entity_id);
    expect(await keys()).toEqual(['order.a']);
    const named = await ask(`PATCH ${name}`, { description: 'new', config: { batch_size: 7 } });
    expect(named.body.data).toMatchObject({
      version: 1,
      description: 'new',
      config: { batch_size: 7, checkpoint_interval: 30_000 },
    });
    const wider = await ask(`PUT ${name}`, { event_types: ['order.*', 'user.*'] });
    expect(wider.body.data).toMatchObject({ version: 2, description: 'new' });
    expect(await keys()).toEqual(['order.a', 'user.a']);
    const back = await ask(`POST ${name}/rollback`, {});
    expect(back.body.data).toMatchObject({ pinned_build: 1, live_build: 1, version: 2 });
    expect(await keys()).toEqual(['order.a']);
    expect((await ask(`POST ${name}/rollback`, { build: 9 })).status).toBe(409);
    expect((await ask(`POST ${name}/rollback`, { build: 2 })).body.data.live_build).toBe(2);
    const again = await ask(`POST ${name}/rebuild`);
    expect(again).toMatchObject({ status: 202, body: { status: 'rebuilding', build: 3 } });
    const reset = await ask(`POST ${name}/reset`);
    expect(reset.body).toMatchObject({ projection: 'orders', reset: true, events_reprocessed: 2 });
    expect(reset.body.data.version).toBe(4);
    const stale = await ask(`PATCH ${name}`, { description: 'x', expected_position: 1 });
    expect(stale).toMatchObject({ status: 409, body: { code: 'definition_conflict' } });
  });

  it('all take effect when they are changed at the same time', async () => {
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    const changes = [
      { description: 'd' },
      { metadata: { team: 'x' } },
      { config: { batch_size: 5 } },
      { on_fault: { policy: 'skip' } },
    ];
    const name = '/api/v1/projections/orders';
    const answers = await Promise.all(changes.map((change) => ask(`PATCH ${name}`, change)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const { body } = await ask(`GET ${name}`);
    expect(body).toMatchObject({
      description: 'd',
      metadata: { team: 'x' },
      config: { batch_size: 5 },
      on_fault: { policy: 'skip', retries: 5 },
      version: 1,
    });
  });

  it('belong to their tenant alone, and are managed by those who may', async () => {
    append('order.a');
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    const total = async (key: string) =>
      (await ask('GET /api/v1/projections', undefined, key)).body.total;
    expect([await total(ACME), await total(ACME_READER), await total(OTHER)]).toEqual([3, 3, 2]);
    for (const line of [
      'GET /api/v1/projections/orders',
      'POST /api/v1/projections/orders/start',
      'PATCH /api/v1/projections/orders',
      'DELETE /api/v1/projections/orders',
      'GET /api/v1/projections/orders/parked',
      'POST /api/v1/projections/orders/rebuild',
    ]) {
      const body = line.startsWith('PATCH') ? {} : undefined;
      expect([line, (await ask(line, body, OTHER)).status]).toEqual([line, 404]);
    }
    for (const line of ['POST /api/v1/projections', 'DELETE /api/v1/projections/orders'])
      expect((await ask(line, undefined, ACME_READER)).status).toBe(403);
    const other = await ask('POST /api/v1/projections', COUNTER, OTHER);
    expect(other.status).toBe(201);
    const admin = await ask('GET /api/v1/projections?tenant_id=other', undefined, ADMIN);
    expect(admin.body.total).toBe(3);
    expect((await ask('GET /api/v1/stats')).body.total_projections).toBe(3);
  });

  it('are left out, and stop nothing, where another version has written them in a form of its own', async () => {
    append('order.a');
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    const payload = '{"kind":"projection","name":"odd","document":{"type":"event_counter"}}';
    const odd = { type: '_system.definition.set', entity: 'projection:odd', payload };
    world.core.append('acme', [odd], true);
    append('order.b');
    expect((await ask('GET /api/v1/projections/odd')).status).toBe(404);
    expect((await ask('GET /api/v1/projections')).body.total).toBe(3);
    expect((await ask('GET /api/v1/projections/orders/order.b/state')).body.state).toEqual({
      count: 1,
    });
  });

  it('are gone with their states when they are deleted, and their name is free', async () => {
    append('order.a');
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    expect(await ask('POST /api/v1/projections', COUNTER)).toMatchObject({
      status: 409,
      body: { code: 'definition_exists' },
    });
    const deleted = await ask('DELETE /api/v1/projections/orders');
    expect(deleted).toMatchObject({ status: 200, body: { projection: 'orders', deleted: true } });
    expect((await ask('GET /api/v1/projections/orders')).status).toBe(404);
    await ask('POST /api/v1/projections', COUNTER);
    expect((await ask('DELETE /api/projections/orders')).body.deleted).toBe('orders');
    expect((await ask('DELETE /api/v1/projections/orders')).status).toBe(404);
    await ask('GET /api/v1/projections/orders/order.a/state');
    expect(world.core.arrivals.at(-1)?.url).toBe('/api/v1/projections/orders/order.a/state');
    const again = await ask('POST /api/v1/projections', COUNTER);
    expect(again.body.projection).toMatchObject({ status: 'created', version: 1 });
  });

  it('list what they could not fold, and fold it when that is mended', async () => {
    await ask('POST /api/v1/projections', {
      ...COUNTER,
      definition: { by: 'entity' },
      start: true,
    });
    const events = ['{"poison":true}', '{}'].map((payload) => ({
      type: 'order.a',
      entity: 'bad',
      payload,
    }));
    world.core.append('acme', [...events, { type: 'order.a', entity: 'good', payload: '{}' }]);
    const name = '/api/v1/projections/orders';
    const count = async (key: string) => (await ask(`GET ${name}/${key}/state`)).body.state;
    expect([await count('good'), await count('bad')]).toEqual([{ count: 1 }, null]);
    expect((await ask(`GET ${name}/parked`)).body).toMatchObject({
      parked: [{ entity_id: 'bad', events_waiting: 2, reason: 'The event is poisoned.' }],
      count: 1,
      total: 1,
      has_more: false,
    });
    const retry = (body: unknown) => ask(`POST ${name}/parked/retry`, body);
    expect((await retry({})).body).toMatchObject({ entities_freed: 0, entities_parked: 1 });
    expect((await retry({ entity_id: 7 })).status).toBe(422);
    runtime.isMended = true;
    expect((await retry({ entity_id: 'bad' })).body).toMatchObject({ events_folded: 2 });
    expect(await count('bad')).toEqual({ count: 2 });
    expect((await ask(`GET ${name}/skipped`)).body).toMatchObject({ skipped: [], count: 0 });
  });

  it('are replayed by clients who know replays', async () => {
    append('order.a', 'order.a', 'user.a');
    await ask('POST /api/v1/projections', { ...COUNTER, start: true });
    const wish = { projection_name: 'orders' };
    const preview = await ask('POST /api/replay/preview', wish);
    expect(preview.body.data).toMatchObject({
      projection_name: 'orders',
      projection_kind: 'event_counter',
      total_events: 2,
      sampled_events: 2,
      event_type_distribution: [{ event_type: 'order.a', count: 2, share: 1 }],
      ready_to_replay: true,
    });
    const begun = await ask('POST /api/replay', wish);
    expect(begun).toMatchObject({
      status: 202,
      body: { data: { projection_name: 'orders', total_events: 2, failed_events: 0 } },
    });
    const path = `/api/replay/${begun.body.data.replay_id}`;
    expect((await ask(`GET ${path}`)).body.data).toMatchObject({
      status: 'completed',
      processed_events: 2,
      progress_percentage: 100,
    });
    expect((await ask('GET /api/v1/projections/orders')).body.version).toBe(2);
    expect((await ask('GET /api/replay')).body).toMatchObject({ total: 1 });
    expect((await ask('GET /api/replay', undefined, OTHER)).body).toMatchObject({ total: 0 });
    expect((await ask(`GET ${path}`, undefined, OTHER)).status).toBe(404);
    expect((await ask(`POST ${path}/cancel`)).status).toBe(409);
    const before = (await ask(`GET ${path}`)).body;
    world = await world.restart();
    expect((await ask(`GET ${path}`)).body).toEqual(before);
    expect((await ask(`DELETE ${path}`)).status).toBe(200);
    expect((await ask(`GET ${path}`)).status).toBe(404);
    const partial = { ...wish, entity_id: 'e' };
    expect((await ask('POST /api/v1/replay', partial)).body.pointer).toBe('/projection_name');
    expect((await ask('POST /api/replay', wish, OTHER)).status).toBe(422);
  });

  it('are made from a template, and in the form of older clients', async () => {
    const templates = (await ask('GET /api/v1/projection-templates')).body;
    expect(templates.templates.map(({ name }: Json) => name)).toContain('event-count');
    expect(templates.total).toBe(templates.templates.length);
    const made = await ask('POST /api/projections', { template: 'event-count' });
    expect(made).toMatchObject({
      status: 201,
      body: { projection: { name: 'event-count', kind: 'event_counter', status: 'building' } },
    });
    expect((await ask('POST /api/projections', { template: 'nothing' })).status).toBe(404);
    const older = {
      name: 'older',
      version: 1,
      definition: '(state, event) => ({ n: state.n + 1 })',
      initial_state: { n: 0 },
    };
    const { body } = await ask('POST /api/projections', older);
    expect(body.data).toMatchObject({
      id: 'older',
      type: 'custom',
      wanted_status: 'running',
      definition: {
        language: 'javascript',
        source: '(state, event) => ({ n: state.n + 1 })',
        initial_state: { n: 0 },
      },
    });
    const object = { name: 'o', definition: { type: 'funnel', ...FUNNEL }, initial_state: {} };
    expect((await ask('POST /api/projections', object)).body.data).toMatchObject({
      type: 'funnel',
      definition: FUNNEL,
    });
  });

  it('are refused with a pointer to what is wrong', async () => {
    const cases: [string, object][] = [
      ['/name', {}],
      ['/name', { name: ' padded', type: 'custom' }],
      ['/name', { name: '..', type: 'custom' }],
      ['/name', { name: 'x'.repeat(129), type: 'custom' }],
      ['/name', { name: 'event_counters', type: 'custom' }],
      ['/type', { name: 'p' }],
      ['/type', { name: 'p', type: 'sum' }],
      ['/event_types', { ...COUNTER, event_types: 'order.a' }],
      ['/event_types/1', { ...COUNTER, event_types: ['order.a', 'order.a'] }],
      ['/event_types/0', { ...COUNTER, event_types: ['Order'] }],
      ['/event_types/0', { ...COUNTER, event_types: ['_system.*'] }],
      ['/event_types', { ...COUNTER, event_types: Array.from({ length: 101 }, (_, i) => `t${i}`) }],
      ['/config/batch_size', { ...COUNTER, config: { batch_size: 0 } }],
      ['/config/batchSize', { ...COUNTER, config: { batchSize: 1 } }],
      ['/config/max_concurrency', { ...COUNTER, config: { max_concurrency: 17 } }],
      ['/config/parallel_processing', { ...COUNTER, config: { parallel_processing: 'yes' } }],
      ['/on_fault/policy', { ...COUNTER, on_fault: { policy: 'ignore' } }],
      ['/on_fault/retries', { ...COUNTER, on_fault: { retries: -1 } }],
      ['/definition', { ...COUNTER, definition: [] }],
      ['/definition/by', { ...COUNTER, definition: { by: 'colour' } }],
      [
        '/definition/source',
        { ...COUNTER, type: 'custom', definition: { language: 'javascript', source: '(state' } },
      ],
      [
        '/definition/source',
        { ...COUNTER, type: 'custom', definition: { language: 'javascript', source: 'for(;;);' } },
      ],
      ['/definition/type', { name: 'p', definition: {} }],
      ['/version', { name: 'p', definition: 'x', version: 2 }],
      ['/initial_state', { name: 'p', definition: { type: 'funnel' }, initial_state: { n: 1 } }],
      ['/metadata', { ...COUNTER, metadata: 'text' }],
      ['/start', { ...COUNTER, start: 'now' }],
    ];
    for (const [pointer, body] of cases) {
      const { status, body: answer } = await ask('POST /api/v1/projections', body);
      expect([body, status, answer.pointer]).toEqual([body, 422, pointer]);
      expect(answer.error.message).toMatch(/\.$/);
    }
  });

  it('are limited in size', async () => {
    const source = 'x'.repeat(LIMITS.definitionBytesMax);
    const body = { name: 'p', type: 'custom', definition: { source } };
    expect((await ask('POST /api/v1/projections', body)).status).toBe(413);
  });

  it('of the store always run: they can be reset and rebuilt, and nothing else', async () => {
    const name = '/api/v1/projections/event_counters';
    for (const line of [`POST ${name}/pause`, `POST ${name}/stop`, `DELETE ${name}`])
      expect(await ask(line)).toMatchObject({ status: 501, body: { code: 'not_available' } });
    expect((await ask(`PATCH ${name}`, {})).status).toBe(501);
    expect((await ask(`POST ${name}/start`)).body.status).toBe('running');
    append('order.a', 'order.b');
    const reset = await ask(`POST ${name}/reset`);
    expect(reset.body).toMatchObject({ projection: 'event_counters', reset: true });
    expect(reset.body.events_reprocessed).toBe(2);
  });

  it('cannot be written to', async () => {
    await ask('POST /api/v1/projections', COUNTER);
    const saved = await ask('PUT /api/v1/projections/orders/e/state', { state: 1 });
    expect(saved).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } });
    expect(world.core.arrivals).toEqual([]);
    expect(position(world.core.log.head)).toBeGreaterThan(0);
  });
});
