import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  ACME,
  ACME_READER,
  ADMIN,
  type GatewayWorld,
  gatewayWorld,
  OTHER,
} from '../gateway/gateway-world.ts';

let world: GatewayWorld;

beforeAll(async () => {
  world = await gatewayWorld({ ALLSOURCE_SNAPSHOT_EVENTS: '0' });
});
afterAll(() => world.close());

const post = (body: unknown, key = ACME, path = '/api/v1/snapshots') =>
  world.ask(path, {
    method: 'POST',
    key,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
const get = (path: string, key = ACME) => world.ask(path, { key });

describe('the snapshots of an entity', () => {
  it('are taken on request, listed, and answered with the state as it was sent', async () => {
    world.core.append('acme', [{ type: 'a.b', entity: 'o/1', payload: '{"n":1.0,"s":"é"}' }]);
    world.core.append('acme', [
      { type: 'a.b', entity: 'o/1', payload: '{"big":9007199254740993}' },
    ]);
    const taken = await post({ entity_id: 'o/1', unknown: 'ignored' });
    expect(taken.status).toBe(200);
    expect(taken.body).toEqual({
      snapshot_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      entity_id: 'o/1',
      created_at: expect.stringMatching(/Z$/),
      as_of: expect.stringMatching(/Z$/),
      event_count: 2,
      size_bytes: Buffer.byteLength('{"n":1.0,"s":"é","big":9007199254740993}'),
      snapshot_type: 'manual',
      stored_bytes: expect.any(Number),
      version: 2,
      position: expect.any(Number),
    });
    const { snapshot_id: id, ...facts } = taken.body;
    const listed = await get('/api/v1/snapshots?entity_id=o%2F1');
    expect(listed.body).toEqual({
      snapshots: [{ id, ...facts }],
      total: 1,
      count: 1,
      has_more: false,
      next_cursor: null,
    });
    for (const base of ['/api/v1', '/api']) {
      const latest = await get(`${base}/snapshots/o%2F1/latest`);
      expect(latest.body).toMatchObject({ snapshot_id: id, ...facts });
      expect(latest.text).toContain('"state":{"n":1.0,"s":"é","big":9007199254740993}}');
    }
    // A snapshot stays what it was; the state goes on.
    world.core.append('acme', [{ type: 'a.b', entity: 'o/1', payload: '{"n":2}' }]);
    expect((await get('/api/v1/snapshots/o%2F1/latest')).body['version']).toBe(2);
    const state = await get('/api/v1/entities/o%2F1/state?history_limit=1');
    expect(state.text).toContain(
      '"current_state":{"n":2,"s":"é","big":9007199254740993},"history":[{',
    );
    expect([state.body['event_count'], (state.body['history'] as object[]).length]).toEqual([3, 1]);
  });

  it('is taken on demand where the latest is asked for and none is there', async () => {
    world.core.append('acme', [{ type: 'a.b', entity: 'fresh', payload: '{"a":1}' }]);
    const first = await get('/api/v1/snapshots/fresh/latest', ACME_READER);
    expect(first.body).toMatchObject({
      snapshot_type: 'ondemand',
      event_count: 1,
      state: { a: 1 },
    });
    const second = await get('/api/v1/snapshots/fresh/latest');
    expect(second.body['snapshot_id']).toBe(first.body['snapshot_id']);
    const metrics = await world.ask('/metrics');
    expect(metrics.text).toMatch(/allsource_snapshots_created_total\{snapshot_type="ondemand"\} 1/);
  });

  it('go on in pages', async () => {
    world.core.append('acme', [{ type: 'a.b', entity: 'paged' }]);
    const ids: unknown[] = [];
    for (let i = 0; i < 5; i++)
      ids.unshift((await post({ entity_id: 'paged' })).body['snapshot_id']);
    const found: unknown[] = [];
    let cursor = '';
    for (let pages = 0; pages < 3; pages++) {
      const { body } = await get(`/api/v1/snapshots?entity_id=paged&limit=2${cursor}`);
      found.push(...(body['snapshots'] as { id: string }[]).map(({ id }) => id));
      expect([body['total'], body['has_more']]).toEqual([5, pages < 2]);
      cursor = `&cursor=${String(body['next_cursor'])}`;
    }
    expect(found).toEqual(ids);
    const { body } = await get('/api/v1/snapshots?entity_id=paged&limit=2');
    const next = String(body['next_cursor']);
    const ofAll = await get(`/api/v1/snapshots?cursor=${next}`);
    expect([ofAll.status, ofAll.text]).toEqual([400, expect.stringContaining('another list')]);
    const ofOther = await get(`/api/v1/snapshots?entity_id=paged&cursor=${next}`, ADMIN);
    expect([ofOther.status, ofOther.text]).toEqual([400, expect.stringContaining('other tenant')]);
  });
});

describe('a page of no rows', () => {
  it.each(['snapshots?entity_id=o%2F1', 'entities?', 'events/query?entity_id=o%2F1'])(
    'of %s says that there is more, and names no cursor',
    async (list) => {
      const { body } = await get(`/api/v1/${list}&limit=0`);
      expect([body['has_more'], body['next_cursor'] ?? null]).toEqual([true, null]);
      const none = list.replace('o%2F1', 'nobody');
      const empty = await get(`/api/v1/${none}&limit=0`, list === 'entities?' ? OTHER : ACME);
      expect([empty.body['has_more'], empty.body['next_cursor'] ?? null]).toEqual([false, null]);
    },
  );
});

describe('snapshots of all entities', () => {
  it('are begun at once and can be followed to their end', async () => {
    world.core.append('default', [
      { type: 'a.b', entity: 'one', payload: '{"a":1}' },
      { type: 'a.b', entity: 'two', payload: '{"a":2}' },
    ]);
    const begun = await post(undefined, ADMIN);
    expect(begun).toMatchObject({ status: 202, body: { entities_total: 2, error: null } });
    const follow = String(begun.body['follow']);
    let run = await get(follow, ADMIN);
    while (run.body['completed_at'] === null) run = await get(follow, ADMIN);
    expect(run.body).toMatchObject({ status: 'completed', entities_done: 2, snapshots_taken: 2 });
    const listed = await get('/api/v1/snapshots', ADMIN);
    expect(listed.body['total']).toBe(2);
    expect((await get(follow, ACME)).status).toBe(404);
  });
});

describe('another tenant', () => {
  it('finds no entity, no snapshot and no run that is not its own', async () => {
    world.core.append('acme', [{ type: 'a.b', entity: 'mine', payload: '{"secret":1}' }]);
    await post({ entity_id: 'mine' });
    expect((await post({ entity_id: 'mine' }, OTHER)).body).toMatchObject({
      error: { code: 'entity_not_found' },
    });
    expect((await get('/api/v1/snapshots/mine/latest', OTHER)).status).toBe(404);
    expect((await get('/api/v1/snapshots?entity_id=mine', OTHER)).body).toMatchObject({
      snapshots: [],
      total: 0,
    });
    expect((await get('/api/v1/snapshots?tenant_id=acme', OTHER)).status).toBe(403);
    expect(
      (await post({ entity_id: 'mine' }, OTHER, '/api/v1/snapshots?tenant_id=acme')).status,
    ).toBe(403);
    const asAdmin = await get('/api/v1/snapshots?entity_id=mine&tenant_id=acme', ADMIN);
    expect(asAdmin.body['total']).toBe(1);
  });
});

describe('a request that cannot be carried out', () => {
  it.each([
    [{ entity_id: 'nobody' }, 404, 'entity_not_found'],
    [{ entity_id: ' blank' }, 400, 'invalid_entity_id'],
    [{ entity_id: 'x'.repeat(129) }, 400, 'invalid_entity_id'],
    [{ entity_id: 7 }, 422, 'invalid_body'],
    ['{"entity_id":', 400, 'malformed_json'],
    ['[]', 422, 'invalid_body'],
  ])('such as POST %j is refused with %s', async (body, status, code) => {
    const answer = await post(body);
    expect([answer.status, answer.body]).toMatchObject([status, { error: { code } }]);
  });

  it.each([
    ['/api/v1/snapshots?limit=1001', 400, 'allowed is a whole number from 0 to 1000'],
    ['/api/v1/snapshots?cursor=', 400, "'cursor' is empty"],
    ['/api/v1/snapshots?cursor=x', 400, "'x' is not a cursor"],
    ['/api/v1/snapshots?entity_id=', 400, "'entity_id' is empty"],
    ['/api/v1/entities/o%2F1/state?as_of=', 400, "'as_of' is ''"],
    [`/api/v1/snapshots?entity_id=${'x'.repeat(129)}`, 400, '128'],
    ['/api/v1/snapshots/nobody/latest', 404, "'nobody' has no events"],
    ['/api/v1/snapshots/%20/latest', 400, 'blank'],
    ['/api/v1/snapshots/runs/7', 404, "no run of snapshots '7'"],
    ['/api/v1/entities/%07/state', 400, 'control character'],
    ['/api/v1/entities/o%2F1/state?as_of_recorded=soon', 400, "'as_of_recorded' is 'soon'"],
    ['/api/v1/entities/o%2F1/state?history_limit=-1', 400, "'history_limit' is '-1'"],
    [
      '/api/v1/entities/o%2F1/state?as_of_recorded=2000-01-01T00:00:00Z',
      404,
      'recorded at or before 2000-01-01T00:00:00',
    ],
  ])('such as GET %s is refused with %s', async (path, status, message) => {
    const answer = await get(path);
    expect([answer.status, answer.body]).toMatchObject([
      status,
      { error: { message: expect.stringContaining(message) } },
    ]);
  });

  it('is refused to a key that may not write', async () => {
    expect((await post({ entity_id: 'o/1' }, ACME_READER)).status).toBe(403);
    expect((await get('/api/v1/snapshots?unknown=ignored', ACME_READER)).status).toBe(200);
  });
});

describe('a service that takes snapshots by itself', () => {
  it('has them after a restart, and the same states without them', async () => {
    let own = await gatewayWorld({ ALLSOURCE_SNAPSHOT_EVENTS: '10' });
    for (let n = 0; n < 12; n++)
      own.core.append('acme', [
        { type: 'a.b', entity: 'e', payload: `{"n":${n},"m${n % 3}":1.0}` },
      ]);
    const listed = async () => (await own.ask('/api/v1/snapshots', { key: ACME })).body;
    const state = async () => (await own.ask('/api/v1/entities/e/state', { key: ACME })).text;
    const before = await state();
    while ((await listed())['total'] === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const kept = await listed();
    expect(kept).toMatchObject({
      total: 1,
      snapshots: [{ snapshot_type: 'automatic', version: 12 }],
    });
    own = await own.restart();
    expect([await listed(), await state()]).toEqual([kept, before]);
    await own.close();
  });
});
