import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LIMITS } from '@allsource/shared/limits';
import { position } from '@allsource/shared/model';
import { DEFINITIONS_PATH, INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { DefinitionFold } from '../../src/definitions/definition-fold.ts';
import { DefinitionService } from '../../src/definitions/definition-service.ts';
import { CoreWorld } from '../support/core-world.ts';
import { MemoryLog } from '../support/memory-log.ts';
import { framesOf } from '../../src/storage/stretch.ts';

const NAME = { tenant: 'acme', kind: 'projection', name: 'totals' } as const;

function world() {
  const log = new MemoryLog();
  const fold = new DefinitionFold();
  log.folds.push(fold);
  const service = new DefinitionService({
    fold,
    appender: log,
    hasTenant: (tenant) => tenant !== 'nobody',
    hasSavedStates: (_tenant, name) => name === 'saved by clients',
    countMax: { projection: 5, pipeline: 2 },
  });
  return { log, fold, service };
}

describe('definitions at core', () => {
  it('conflict when two changes rest on the same state, and none is lost', async () => {
    const { service, fold } = world();
    const both = await Promise.allSettled(
      ['{"a":1}', '{"a":2}'].map((t) => service.set(NAME, t, 0)),
    );
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    const at = fold.changedPosition(NAME);
    expect(both[1]).toMatchObject({
      reason: { code: 'definition_conflict', members: { changed_position: at } },
    });
    const changes = [service.remove(NAME, at), service.set(NAME, '{"a":3}', at)];
    const after = await Promise.allSettled(changes);
    expect(after[1]).toMatchObject({ reason: { code: 'definition_conflict' } });
    expect(fold.changedPosition(NAME)).toBe(0);
    await expect(service.remove(NAME, 0)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are limited in number for each tenant and kind', async () => {
    const { service } = world();
    const set = (name: string, over = {}) => service.set({ ...NAME, name, ...over }, '{}', 0);
    for (let i = 0; i < 5; i++) await set(`p${i}`);
    await expect(set('one more')).rejects.toMatchObject({
      code: 'too_many_definitions',
      members: { limit: 5, count: 5 },
      message: expect.stringContaining('ALLSOURCE_PROJECTIONS_MAX'),
    });
    await set('one more', { kind: 'pipeline' });
    await set('one more', { tenant: 'globex' });
    await expect(set('x', { tenant: 'nobody' })).rejects.toMatchObject({
      code: 'tenant_not_found',
    });
    await service.remove({ ...NAME, name: 'p3' }, 4);
    await expect(set('saved by clients')).rejects.toMatchObject({ code: 'definition_exists' });
    await set('one more');
  });

  it('are the same from a checkpoint, which takes up where it ends', async () => {
    const { log, fold, service } = world();
    await service.set(NAME, '{}', 0);
    await service.set({ ...NAME, kind: 'pipeline' }, '{}', 0);
    const parts = fold.save();
    await service.remove(NAME, 1);
    const loaded = new DefinitionFold();
    for (const part of parts) loaded.load(part);
    expect(loaded.changedPosition(NAME)).toBe(1);
    for await (const frame of framesOf(log.read(position(1)))) loaded.apply(frame);
    expect(loaded.save()).toEqual(fold.save());
    expect(loaded.count('acme', 'projection')).toBe(0);
    expect(loaded.count('acme', 'pipeline')).toBe(1);
  });
});

describe('the internal routes of definitions', () => {
  let core: CoreWorld;
  const token = 'internal-token-of-this-test';
  const path = `${DEFINITIONS_PATH}/projection/default/${encodeURIComponent('daily total')}`;
  const headers = { [INTERNAL_TOKEN_HEADER]: token };
  const put = (body: string, expected: number) =>
    core.ask('PUT', `${path}?expected_position=${expected}`, { body, headers });

  beforeEach(async () => {
    core = await CoreWorld.start({ ALLSOURCE_INTERNAL_TOKEN: token });
  });
  afterEach(() => core.remove());

  it('keep a document over a restart, and serve no client', async () => {
    const { status, body } = await put('{"type":"custom"}', 0);
    expect(status).toBe(200);
    await core.restart({ ALLSOURCE_INTERNAL_TOKEN: token });
    const again = await put('{"type":"custom"}', 0);
    expect(again).toMatchObject({
      status: 409,
      body: { code: 'definition_conflict', changed_position: body.position },
    });
    expect((await core.ask('PUT', `${path}?expected_position=0`, { body: '{}' })).status).toBe(401);
    const removal = `${path}?expected_position=${body.position}`;
    expect((await core.ask('DELETE', removal, { headers })).body.position).toBeGreaterThan(
      body.position,
    );
  });

  it('take a name for states of its own from the clients of core', async () => {
    const states = '/api/v1/projections/daily%20total';
    await put('{}', 0);
    const one = await core.ask('PUT', `${states}/e/state`, { body: { state: 1 } });
    expect(one).toMatchObject({ status: 400, body: { code: 'invalid_parameter' } });
    const rows = { states: [{ entity_id: 'e', state: 1 }] };
    expect((await core.ask('POST', `${states}/bulk/save`, { body: rows })).status).toBe(400);
    // Without a query service to ask, core says that it cannot know.
    for (const read of [`${states}/e/state`, `${states}/state`])
      expect((await core.ask('GET', read)).status).toBe(501);
    await core.ask('PUT', '/api/v1/projections/mine/e/state', { body: { state: 1 } });
    const mine = path.replace('daily%20total', 'mine');
    const taken = await core.ask('PUT', `${mine}?expected_position=0`, { body: '{}', headers });
    expect(taken).toMatchObject({ status: 409, body: { code: 'definition_exists' } });
  });

  it.each([
    ['a list', '[1]', 422],
    ['two documents', '{},"x":{}', 422],
    ['nested too deeply', `{"a":${'['.repeat(63)}${']'.repeat(63)}}`, 400],
    ['no JSON', '{"a":}', 400],
    ['too large', `{"a":"${'x'.repeat(LIMITS.definitionBytesMax)}"}`, 413],
  ])('refuse a document that is %s', async (_what, body, status) => {
    expect((await put(body, 0)).status).toBe(status);
  });
});
