import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { KEYS, TestCore } from '../support/test-core.ts';

function large(digit: number): string {
  return `${digit}`.repeat(900_000);
}

function ids(page: { readonly states: readonly { readonly entity_id: string }[] }): string[] {
  return page.states.map(({ entity_id }) => entity_id);
}

describe('projection states', () => {
  let core: TestCore;

  beforeEach(async () => {
    core = await TestCore.start({ stateBytesMax: 1_000 });
  });

  afterEach(() => core.close());

  const put = (entity: string, body: unknown, key: string = KEYS.acme) =>
    core.ask(key, `PUT /api/v1/projections/p/${encodeURIComponent(entity)}/state`, { body });
  const get = (entity: string, key: string = KEYS.acme) =>
    core.ask(key, `/api/v1/projections/p/${encodeURIComponent(entity)}/state`);
  const saveMany = (body: unknown) =>
    core.ask(KEYS.acme, 'POST /api/v1/projections/p/bulk/save', { body });

  it('are saved and read back byte for byte', async () => {
    const saved = await put('e', '{"state": {"n": 1.0, "big":12345678901234567890} }');
    expect(saved.body).toEqual({ projection: 'p', entity_id: 'e', saved: true });
    expect((await get('e')).text).toBe(
      '{"projection":"p","entity_id":"e","state":{"n": 1.0, "big":12345678901234567890},"found":true}',
    );
  });

  it('are not found before they are saved, and are not an error', async () => {
    const { status, body } = await get('e');
    expect(status).toBe(200);
    expect(body).toEqual({ projection: 'p', entity_id: 'e', state: null, found: false });
  });

  it('are replaced by the next, also by null, and by POST', async () => {
    await put('e', { state: 1 });
    await put('e', { state: null });
    expect((await get('e')).body).toMatchObject({ state: null, found: true });
    await core.ask(KEYS.acme, 'POST /api/v1/projections/p/e/state', { body: { state: [2] } });
    expect((await get('e')).body).toMatchObject({ state: [2], found: true });
  });

  it('may have colons, slashes and spaces in their names', async () => {
    const id = 'a:b/c d%é';
    await put(id, { state: 1 });
    expect((await get(id)).body).toMatchObject({ entity_id: id, state: 1, found: true });
  });

  it('are listed and read in the order asked, however they lie in the log', async () => {
    const count = 700;
    const entity = (i: number) => `e${String((i * 7919) % count).padStart(4, '0')}`;
    for (let from = 0; from < count; from += 100)
      await saveMany({
        states: Array.from({ length: 100 }, (_, i) => ({
          entity_id: entity(from + i),
          state: { of: entity(from + i) },
        })),
      });
    const expected = Array.from({ length: count }, (_, i) => entity(i)).toSorted();
    const { body } = await core.ask(KEYS.acme, '/api/v1/projections/p/state');
    expect(body.states).toEqual(expected.map((of) => ({ entity_id: of, state: { of } })));
    const asked = [...expected.toReversed(), 'nobody', expected[3], expected[3]];
    const some = await core.ask(KEYS.acme, 'POST /api/v1/projections/p/bulk', {
      body: { entity_ids: asked },
    });
    expect(some.body.states).toEqual(
      asked.map((of) => ({
        entity_id: of,
        state: of === 'nobody' ? null : { of },
        found: of !== 'nobody',
      })),
    );
  });

  it('are saved in bulk as one commit, and read in the order asked', async () => {
    const frames = core.log.frames.length;
    const saved = await saveMany(
      '{"states":[{"entity_id":"b","state":{"x":1.50}},{"entity_id":"a","state":2},{"state":3,"entity_id":"b"}]}',
    );
    expect(saved.body).toEqual({ projection: 'p', saved: 3, total: 3 });
    expect(core.log.frames).toHaveLength(frames + 1);
    const { body } = await core.ask(KEYS.acme, 'POST /api/v1/projections/p/bulk', {
      body: { entity_ids: ['c', 'b', 'a', 'b'] },
    });
    expect(body).toEqual({
      projection: 'p',
      states: [
        { entity_id: 'c', state: null, found: false },
        { entity_id: 'b', state: 3, found: true },
        { entity_id: 'a', state: 2, found: true },
        { entity_id: 'b', state: 3, found: true },
      ],
      total: 4,
    });
  });

  it('are not saved at all when one of them is refused', async () => {
    const head = core.log.head;
    const tooLarge = 'x'.repeat(1_000);
    const refused = await saveMany({
      states: [
        { entity_id: 'a', state: 1 },
        { entity_id: 'b', state: tooLarge },
      ],
    });
    expect(refused.status).toBe(413);
    expect(refused.body).toMatchObject({ limit_bytes: 1_000, entity_id: 'b' });
    const badName = await saveMany({
      states: [
        { entity_id: 'a', state: 1 },
        { entity_id: ' ', state: 1 },
      ],
    });
    expect(badName.status).toBe(400);
    expect(badName.body).toMatchObject({ index: 1 });
    expect(core.log.head).toBe(head);
    expect((await saveMany({ states: [] })).body).toMatchObject({ saved: 0, total: 0 });
  });

  it('are limited in number', async () => {
    const entities = Array.from({ length: LIMITS.bulkStatesMax + 1 }, (_, i) => `e-${i}`);
    const tooMany = await saveMany({
      states: entities.map((entity_id) => ({ entity_id, state: 1 })),
    });
    expect(tooMany.status).toBe(413);
    const asked = await core.ask(KEYS.acme, 'POST /api/v1/projections/p/bulk', {
      body: { entity_ids: entities },
    });
    expect(asked.status).toBe(413);
  });

  it.each([
    ['PUT /api/v1/projections/p/e/state', '{}'],
    ['PUT /api/v1/projections/p/e/state', '[1]'],
    ['POST /api/v1/projections/p/bulk/save', '{"states":{}}'],
    ['POST /api/v1/projections/p/bulk/save', '{"states":[1]}'],
    ['POST /api/v1/projections/p/bulk/save', '{"states":[{"entity_id":1,"state":1}]}'],
    ['POST /api/v1/projections/p/bulk/save', '{"states":[{"entity_id":"a"}]}'],
    ['POST /api/v1/projections/p/bulk', '{"entity_ids":[1]}'],
    ['POST /api/v1/projections/p/bulk', '{}'],
  ])('%s refuses %s', async (target, body) => {
    expect((await core.ask(KEYS.acme, target, { body })).status).toBe(422);
  });

  it('refuse what is not JSON, and names that break the rules', async () => {
    expect((await put('e', '{"state":')).status).toBe(400);
    expect((await put('x'.repeat(129), { state: 1 })).status).toBe(400);
    const badProjection = `PUT /api/v1/projections/${'p'.repeat(129)}/e/state`;
    expect((await core.ask(KEYS.acme, badProjection, { body: { state: 1 } })).status).toBe(400);
  });

  it('are listed in the order of entity ids, page by page', async () => {
    const entities = Array.from({ length: 10 }, (_, i) => `tenant-00${9 - i}`);
    await saveMany({ states: entities.map((entity_id, i) => ({ entity_id, state: { i } })) });
    await put('user-1', { state: 1 });
    const list = async (query: string) =>
      (await core.ask(KEYS.acme, `/api/v1/projections/p/state?${query}`)).body;
    const first = await list('limit=4&entity_id_prefix=tenant-');
    expect(ids(first)).toEqual(['tenant-000', 'tenant-001', 'tenant-002', 'tenant-003']);
    expect(first).toMatchObject({ projection: 'p', count: 4, total: 10, has_more: true });
    const last = await list('limit=4&offset=8&entity_id_prefix=tenant-');
    expect(ids(last)).toEqual(['tenant-008', 'tenant-009']);
    expect(last).toMatchObject({ count: 2, total: 10, has_more: false });
    expect(await list('')).toMatchObject({ count: 11, total: 11, has_more: false });
    expect((await core.ask(KEYS.acme, '/api/v1/projections/unwritten/state')).body).toEqual({
      projection: 'unwritten',
      states: [],
      count: 0,
      total: 0,
      has_more: false,
    });
  });

  it('belong to their tenant alone, and to who may write', async () => {
    await put('e', { state: 'secret' });
    expect((await get('e', KEYS.globex)).body.found).toBe(false);
    const listed = await core.ask(KEYS.globex, '/api/v1/projections/p/state');
    expect(listed.body.total).toBe(0);
    expect((await put('e', { state: 1 }, KEYS.acmeReadOnly)).status).toBe(403);
    expect((await get('e', KEYS.acmeReadOnly)).body.state).toBe('secret');
  });
});

it('states that are too large to be read ahead are answered all the same', async () => {
  const core = await TestCore.start({ stateBytesMax: 1_000_000 });
  for (const i of [5, 3, 8, 1, 9, 2, 7])
    await core.ask(KEYS.acme, `PUT /api/v1/projections/p/e${i}/state`, {
      body: { state: large(i) },
    });
  const { body } = await core.ask(KEYS.acme, '/api/v1/projections/p/state');
  expect(ids(body)).toEqual(['e1', 'e2', 'e3', 'e5', 'e7', 'e8', 'e9']);
  const states = body.states.map(({ state }: { state: string }) => state);
  expect(states).toEqual([1, 2, 3, 5, 7, 8, 9].map(large));
  await core.close();
});
