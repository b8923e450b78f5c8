import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, SeededRandom } from '@allsource/testkit';
import { afterEach, describe, expect, it } from '@jest/globals';
import Database from 'better-sqlite3';
import {
  ACME,
  ACME_READER,
  ADMIN,
  type GatewayWorld,
  gatewayWorld,
  OTHER,
} from '../gateway/gateway-world.ts';
import type { WrittenEvent } from '../projections/log-writer.ts';

const TYPES = ['order.placed', 'order.paid', 'note'] as const;
const WRONG = 1_000_000;

let world: GatewayWorld | null = null;
afterEach(async () => {
  world?.core.release();
  await world?.close();
  world = null;
});

/** A world with some thousands of events of two tenants. */
async function filledWorld(commits = 100): Promise<GatewayWorld> {
  world = await gatewayWorld();
  const random = new SeededRandom(11);
  for (let i = 0; i < commits; i++)
    world.core.append(random.below(4) === 0 ? 'other' : 'acme', randomEvents(random));
  await untilSeen(world);
  return world;
}

function randomEvents(random: SeededRandom): WrittenEvent[] {
  return Array.from({ length: 1 + random.below(60) }, () => ({
    type: TYPES[random.below(TYPES.length)] ?? 'note',
    entity: `e-${random.below(300)}`,
    payload: `{"m${random.below(4)}":${random.below(1000)},"n":1.${random.below(9)}0}`,
    at: 1_700_000_000_000 + random.below(1_000_000),
  }));
}

/** Linearizable reads: after them, the projections and the history hold everything. */
async function untilSeen({ ask }: GatewayWorld): Promise<void> {
  expect((await ask('/api/v1/events/query?limit=1', { key: ACME })).status).toBe(200);
  expect((await ask('/api/v1/projections/event_counters/state', { key: ACME })).status).toBe(200);
}

/** What a fold from scratch comes to: states of both projections, in order. */
function freshFold(
  { core }: GatewayWorld,
  tenant: string,
): Record<string, Record<string, unknown>> {
  const snapshots = new Map<string, Record<string, unknown>>();
  const counters = new Map<string, { count: number }>();
  for (const frame of core.log.frames) {
    if (frame.isSystem || frame.tenant !== tenant) continue;
    for (const event of frame.events()) {
      const payload = JSON.parse(event.payload.toString()) as object;
      snapshots.set(event.entity, { ...snapshots.get(event.entity), ...payload });
      counters.set(event.type, { count: (counters.get(event.type)?.count ?? 0) + 1 });
    }
  }
  return {
    entity_snapshots: Object.fromEntries(snapshots),
    event_counters: Object.fromEntries(counters),
  };
}

async function states(
  { ask }: GatewayWorld,
  projection: string,
  key: string,
): Promise<Record<string, unknown>> {
  const { body } = await ask(`/api/v1/projections/${projection}/state?limit=10000`, { key });
  const rows = body['states'] as { entity_id: string; state: unknown }[];
  expect(body['total']).toBe(rows.length);
  return Object.fromEntries(rows.map(({ entity_id, state }) => [entity_id, state]));
}

async function expectFresh(at: GatewayWorld, key = ACME, tenant = 'acme'): Promise<void> {
  const fresh = freshFold(at, tenant);
  expect(await states(at, 'entity_snapshots', key)).toEqual(fresh['entity_snapshots']);
  expect(await states(at, 'event_counters', key)).toEqual(fresh['event_counters']);
}

const projectionsFile = ({ folder }: GatewayWorld) => join(folder, 'query', 'projections.sqlite');
const shadowFolder = ({ folder }: GatewayWorld) => join(folder, 'query', 'replays');

/** Makes the stored states wrong, as a fault of the program would. */
async function spoil(at: GatewayWorld): Promise<void> {
  await untilSeen(at);
  // The change of a list is saved before it is answered, so nothing is in memory only.
  const database = new Database(projectionsFile(at));
  const counters = database.prepare(
    `UPDATE states SET state = '{"count":' || (json_extract(state, '$.count') + ${WRONG}) || '}' WHERE projection = 2`,
  );
  const snapshots = database.prepare(
    `UPDATE states SET state = '{"spoilt":true}' WHERE projection = 1`,
  );
  expect(counters.run().changes).toBeGreaterThan(0);
  expect(snapshots.run().changes).toBeGreaterThan(0);
  database.prepare("INSERT OR IGNORE INTO states VALUES (1, 'acme', 0, 'never-was', '{}')").run();
  database.close();
}

const postAs =
  (key: string) =>
  (at: GatewayWorld, path: string, body: unknown): Promise<Answer> =>
    at.ask(path, { method: 'POST', key, body: JSON.stringify(body) });
const post = postAs(ACME);

async function ended(at: GatewayWorld, id: unknown, key = ACME): Promise<Record<string, unknown>> {
  for (;;) {
    const { body, status } = await at.ask(`/api/v1/replay/${String(id)}`, { key });
    expect(status).toBe(200);
    if (body['status'] !== 'pending' && body['status'] !== 'running') return body;
    await sleep(10);
  }
}

/** The files that a replay was built in are removed soon after its end. */
async function untilRemoved(at: GatewayWorld): Promise<void> {
  while (readdirSync(shadowFolder(at)).length > 0) await sleep(10);
}

describe('a replay of everything', () => {
  it('puts right what was wrong, equal to a fresh fold, and only for its own tenant', async () => {
    const at = await filledWorld();
    await spoil(at);
    const begun = await post(at, '/api/v1/replay', {});
    const total = at.core.log.frames
      .filter((frame) => frame.tenant === 'acme')
      .reduce((sum, frame) => sum + frame.eventCount, 0);
    expect(begun).toMatchObject({ status: 200, body: { status: 'running', total_events: total } });
    const run = await ended(at, begun.body['replay_id']);
    expect(run).toMatchObject({
      status: 'completed',
      processed_events: total,
      total_events: total,
      failed_events: 0,
      progress_percentage: 100,
      error_message: null,
      results: [
        { projection_name: 'entity_snapshots', replaced: 'all', key_count: expect.any(Number) },
        { projection_name: 'event_counters', replaced: 'all', key_count: TYPES.length },
      ],
    });
    expect(Date.parse(String(run['completed_at']))).toBeGreaterThan(0);
    await expectFresh(at);
    const others = await states(at, 'event_counters', OTHER);
    for (const { count } of Object.values(others) as { count: number }[])
      expect(count).toBeGreaterThan(WRONG);
    await untilRemoved(at);
  });

  it('of one projection leaves the other as it was; events go on being folded into the new states', async () => {
    const at = await filledWorld();
    await spoil(at);
    const begun = await post(at, '/api/v1/projections/event_counters/rebuild', {});
    expect(begun).toMatchObject({
      status: 202,
      body: { projection: 'event_counters', status: 'rebuilding' },
    });
    await ended(at, begun.body['replay_id']);
    const fresh = freshFold(at, 'acme');
    expect(await states(at, 'event_counters', ACME)).toEqual(fresh['event_counters']);
    expect((await states(at, 'entity_snapshots', ACME))['e-1']).toEqual({ spoilt: true });
    at.core.append('acme', [{ type: 'note', entity: 'e-1', payload: '{"later":1}' }]);
    expect(await states(at, 'event_counters', ACME)).toEqual(
      freshFold(at, 'acme')['event_counters'],
    );
    // And again, over a generation that is not the first one.
    await spoil(at);
    const again = await post(at, '/api/v1/replay', {});
    expect(await ended(at, again.body['replay_id'])).toMatchObject({ status: 'completed' });
    await expectFresh(at);
    const next = await at.restart();
    world = next;
    await expectFresh(next);
  });

  it('shows readers the old states or the new ones and nothing else, while events come in', async () => {
    const at = await filledWorld(200);
    await spoil(at);
    const random = new SeededRandom(5);
    const countOf = () => freshFold(at, 'acme')['event_counters']?.['note'] as { count: number };
    const first = countOf().count;
    const begun = await post(at, '/api/v1/replay', {
      config: { batch_size: 50, parallel: true, workers: 2 },
    });
    let isNew = false;
    let [oldAnswers, newAnswers, extra] = [0, 0, 0];
    while (newAnswers < 20) {
      const events = [...randomEvents(random), { type: 'note', entity: 'e-1' }];
      extra += events.filter(({ type }) => type === 'note').length;
      at.core.append('acme', events);
      const before = first + extra;
      const [counter, list, snapshot] = await Promise.all([
        at.ask('/api/v1/projections/event_counters/note/state', { key: ACME }),
        at.ask('/api/v1/projections/entity_snapshots/state?limit=0', { key: ACME }),
        at.ask('/api/v1/entities/e-2/snapshot', { key: ACME }),
      ]);
      const { count } = counter.body['state'] as { count: number };
      // Linearizable: exactly what was appended before, over the old states or over the new ones.
      if (!isNew && count === before) isNew = true;
      expect(count).toBe(isNew ? before : before + WRONG);
      expect(list.body['total']).toBeGreaterThanOrEqual(300);
      expect(snapshot.status).toBe(200);
      if (isNew) newAnswers++;
      else oldAnswers++;
      // A replay has leftover time only: readers without a pause would leave it none on a busy machine.
      await sleep(2);
    }
    expect(oldAnswers).toBeGreaterThan(0);
    const run = await ended(at, begun.body['replay_id']);
    expect(run).toMatchObject({ status: 'completed', config: { workers: expect.any(Number) } });
    await expectFresh(at);
  });
});

describe('a replay with filters', () => {
  it('of an entity or of types replaces its snapshot or their counters as a whole and no others; what is not whole is only computed', async () => {
    const at = await filledWorld();
    await spoil(at);
    const spoilt = await states(at, 'event_counters', ACME);
    const begun = await post(at, '/api/v1/replay', { entity_id: 'e-7' });
    const run = await ended(at, begun.body['replay_id']);
    expect(run).toMatchObject({
      status: 'completed',
      results: [
        { projection_name: 'entity_snapshots', replaced: 'keys', key_count: 1 },
        { projection_name: 'event_counters', replaced: 'none' },
      ],
    });
    const fresh = freshFold(at, 'acme')['entity_snapshots'] ?? {};
    const now = await states(at, 'entity_snapshots', ACME);
    expect(now['e-7']).toEqual(fresh['e-7']);
    expect(now['e-8']).toEqual({ spoilt: true });
    expect(await states(at, 'event_counters', ACME)).toEqual(spoilt);
    // A state that no event stands for goes.
    const ofOne = { projection_name: 'entity_snapshots', entity_id: 'never-was' };
    const removed = await post(at, '/api/v1/replay', ofOne);
    await ended(at, removed.body['replay_id']);
    expect(await states(at, 'entity_snapshots', ACME)).not.toHaveProperty('never-was');
    const ofTypes = { projection_name: 'event_counters', event_types: ['note', 'order.paid'] };
    await ended(at, (await post(at, '/api/v1/replay', ofTypes)).body['replay_id']);
    const counters = freshFold(at, 'acme')['event_counters'] as Record<string, { count: number }>;
    expect(await states(at, 'event_counters', ACME)).toEqual({
      ...counters,
      'order.placed': { count: (counters['order.placed']?.count ?? 0) + WRONG },
    });
  });

  it('of a time range changes nothing that is read, and computes the same digest in any number of processes', async () => {
    const at = await filledWorld();
    const before = [
      await states(at, 'entity_snapshots', ACME),
      await states(at, 'event_counters', ACME),
    ];
    const to_timestamp = new Date(1_700_000_000_000 + 500_000).toISOString();
    const digests: unknown[] = [];
    for (const config of [{ batch_size: 1 }, { parallel: true, workers: 2 }]) {
      const begun = await post(at, '/api/v1/replay', { to_timestamp, config });
      const run = await ended(at, begun.body['replay_id']);
      expect(run).toMatchObject({ status: 'completed' });
      const matching = at.core.log.frames
        .filter((frame) => frame.tenant === 'acme')
        .flatMap((frame) => [...frame.events()])
        .filter((event) => event.timestamp <= (1_700_000_000_000 + 500_000) * 1000).length;
      expect([run['total_events'], run['processed_events']]).toEqual([matching, matching]);
      digests.push(run['results']);
    }
    expect(digests[1]).toEqual(digests[0]);
    const after = [
      await states(at, 'entity_snapshots', ACME),
      await states(at, 'event_counters', ACME),
    ];
    expect(after).toEqual(before);
  });
});

describe('a replay that is under way', () => {
  it('can be cancelled in the middle, which leaves what is read as it was', async () => {
    const at = await filledWorld();
    await spoil(at);
    const spoilt = await states(at, 'event_counters', ACME);
    at.core.feedLimit = Math.floor(at.core.log.head / 2);
    const begun = await post(at, '/api/v1/replay', { config: { progress_interval: 1 } });
    const path = `/api/v1/replay/${String(begun.body['replay_id'])}`;
    for (;;) {
      const { body } = await at.ask(path, { key: ACME });
      expect(body['status']).toBe('running');
      if ((body['processed_events'] as number) > 0) break;
      await sleep(10);
    }
    // Nobody may begin another one meanwhile, or delete it.
    expect(await post(at, '/api/v1/replay', {})).toMatchObject({ status: 409 });
    expect(await post(at, '/api/replay', { projection_name: 'event_counters' })).toMatchObject({
      status: 409,
      body: { error: { code: 'operation_running' } },
    });
    expect((await at.ask(path, { method: 'DELETE', key: ACME })).status).toBe(400);
    const unversioned = path.replace('/v1', '');
    expect((await at.ask(unversioned, { method: 'DELETE', key: ACME })).status).toBe(409);
    const preview = await post(at, '/api/replay/preview', { projection_name: 'event_counters' });
    expect(preview.body['data']).toMatchObject({ ready_to_replay: false });
    // Another tenant's waits for it, and can be cancelled before it has begun.
    const waiting = await postAs(OTHER)(at, '/api/v1/replay', {});
    expect(waiting.body['status']).toBe('pending');
    const ofOther = `/api/v1/replay/${String(waiting.body['replay_id'])}/cancel`;
    expect(await postAs(OTHER)(at, ofOther, {})).toMatchObject({ body: { status: 'cancelled' } });
    expect(await post(at, `${path}/cancel`, {})).toMatchObject({
      status: 200,
      body: { status: 'cancelled' },
    });
    expect((await post(at, `${path}/cancel`, {})).status).toBe(400);
    expect((await post(at, `${unversioned}/cancel`, {})).status).toBe(409);
    expect(await states(at, 'event_counters', ACME)).toEqual(spoilt);
    await untilRemoved(at);
    at.core.release();
    const again = await post(at, '/api/v1/replay', {});
    expect(await ended(at, again.body['replay_id'])).toMatchObject({ status: 'completed' });
    await expectFresh(at);
  });

  it('is running from the start when the one before it is known to have ended', async () => {
    const at = await filledWorld();
    for (let round = 0; round < 5; round++) {
      const begun = await post(at, '/api/v1/replay', { projection_name: 'event_counters' });
      expect(begun.body['status']).toBe('running');
      const path = `/api/v1/replay/${String(begun.body['replay_id'])}`;
      // Asked again after a millisecond: what the replay left is still being removed when its end is seen.
      for (let status: unknown = 'running'; status === 'running'; await sleep(1))
        status = (await at.ask(path, { key: ACME })).body['status'];
    }
  });

  it('goes on after a restart of the service from what it had', async () => {
    const at = await filledWorld();
    await spoil(at);
    at.core.feedLimit = Math.floor(at.core.log.head / 2);
    const begun = await post(at, '/api/v1/replay', { config: { progress_interval: 1 } });
    const id = begun.body['replay_id'];
    for (;;) {
      const { body } = await at.ask(`/api/v1/replay/${String(id)}`, { key: ACME });
      if ((body['processed_events'] as number) > 0) break;
      await sleep(10);
    }
    const stopping = at.restart();
    at.core.release();
    const next = await stopping;
    world = next;
    expect(await ended(next, id)).toMatchObject({ status: 'completed', replay_id: id });
    await expectFresh(next);
    await untilRemoved(next);
  });
});

describe('the records of replays', () => {
  it('are the tenant’s own, in both shapes, and can be deleted', async () => {
    const at = await filledWorld(5);
    const begun = await post(at, '/api/replay', { projection_name: 'event_counters' });
    expect(begun.status).toBe(202);
    const { data } = begun.body as { data: Record<string, unknown> };
    expect(Object.keys(data)).toEqual(
      expect.arrayContaining([
        'replay_id',
        'projection_name',
        'status',
        'started_at',
        'updated_at',
      ]),
    );
    const id = String(data['replay_id']);
    await ended(at, id);
    expect((await at.ask(`/api/replay/${id}`, { key: ACME })).body['data']).toMatchObject({
      replay_id: id,
      projection_name: 'event_counters',
      status: 'completed',
    });
    const versioned = await at.ask('/api/v1/replay', { key: ACME_READER });
    expect(versioned.body).toMatchObject({ total: 1, replays: [{ replay_id: id }] });
    const unversioned = await at.ask('/api/replay', { key: ACME_READER });
    expect(unversioned.body).toMatchObject({ total: 1, count: 1, data: [{ replay_id: id }] });
    // Nobody else learns that it exists.
    expect((await at.ask('/api/v1/replay', { key: OTHER })).body).toEqual({
      replays: [],
      total: 0,
    });
    for (const [path, method] of [
      [`/api/v1/replay/${id}`, 'GET'],
      [`/api/v1/replay/${id}`, 'DELETE'],
      [`/api/replay/${id}/cancel`, 'POST'],
    ] as const)
      expect((await at.ask(path, { method, key: OTHER })).status).toBe(404);
    expect((await postAs(ACME_READER)(at, '/api/v1/replay', {})).status).toBe(403);
    const seen = await at.ask(`/api/v1/replay/${id}?tenant_id=acme`, { key: ADMIN });
    expect(seen.body).toMatchObject({ replay_id: id });
    const deleted = await at.ask(`/api/replay/${id}`, { method: 'DELETE', key: ACME });
    expect(deleted).toMatchObject({ status: 200, body: { deleted: true } });
    expect((await at.ask(`/api/v1/replay/${id}`, { key: ACME })).status).toBe(404);
  });

  it('are begun anew when their file is damaged', async () => {
    const at = await filledWorld(5);
    const begun = await post(at, '/api/v1/replay', {});
    await ended(at, begun.body['replay_id']);
    const file = join(at.folder, 'query', 'replays.sqlite');
    await at.service.close();
    writeFileSync(file, 'nonsense '.repeat(1_000));
    const next = await at.restart();
    world = next;
    expect((await next.ask('/api/v1/replay', { key: ACME })).body).toMatchObject({ total: 0 });
    expect(existsSync(`${file}.set-aside`)).toBe(true);
    await expectFresh(next);
  });
});

describe('a request for a replay', () => {
  it('of a projection that is not there fails with its name, or is refused', async () => {
    const at = await filledWorld(3);
    const begun = await post(at, '/api/v1/replay', { projection_name: 'nonsense' });
    expect(begun.status).toBe(200);
    expect(await ended(at, begun.body['replay_id'])).toMatchObject({
      status: 'failed',
      error_message: expect.stringContaining("'nonsense'"),
    });
    for (const path of ['/api/replay', '/api/replay/preview'])
      expect(await post(at, path, { projection_name: 'nonsense' })).toMatchObject({
        status: 422,
        body: { error: { message: expect.stringContaining('entity_snapshots') } },
      });
    expect((await post(at, '/api/v1/projections/nonsense/rebuild', {})).status).toBe(404);
    const { text } = await at.ask('/metrics');
    expect(text).toContain('allsource_replays_started_total 1');
    expect(text).toContain('allsource_replays_failed_total 1');
    expect(text).toContain('allsource_replays_completed_total 0');
  });

  it('that makes no sense is refused with the member that is wrong', async () => {
    const at = await filledWorld(1);
    const bodies: [unknown, number, string][] = [
      [{ entity_id: 7 }, 422, 'entity_id'],
      [{ entity_id: ' ' }, 422, 'entity_id'],
      [{ event_type: 'Not Good' }, 422, 'event_type'],
      [{ event_types: [] }, 422, 'event_types'],
      [{ event_types: ['a', 3] }, 422, 'event_types'],
      [{ event_type: 'a', event_types: ['b'] }, 422, 'event_types'],
      [{ from_timestamp: 'yesterday' }, 422, 'from_timestamp'],
      [
        { from_timestamp: '2026-02-01T00:00:00Z', to_timestamp: '2026-01-01T00:00:00Z' },
        422,
        'to_timestamp',
      ],
      [{ projection_name: '' }, 422, 'projection_name'],
      [{ config: 3 }, 422, 'config'],
      [{ config: { batch_size: 0 } }, 422, 'config.batch_size'],
      [{ config: { batch_size: 1e9 } }, 422, '100000'],
      [{ config: { workers: 2.5 } }, 422, 'config.workers'],
      [{ config: { workers: 17 } }, 422, '16'],
      [{ config: { parallel: 'yes' } }, 422, 'config.parallel'],
      [{ config: { progress_interval: -1 } }, 422, 'config.progress_interval'],
      [[], 422, 'object'],
    ];
    for (const [body, status, word] of bodies) {
      for (const path of ['/api/v1/replay', '/api/replay']) {
        const refused = await post(at, path, body);
        expect([refused.status, refused.text]).toEqual([status, expect.stringContaining(word)]);
      }
    }
    expect((await at.ask('/api/v1/replay', { key: ACME })).body['total']).toBe(0);
    expect((await at.ask('/api/v1/replay/none', { key: ACME })).status).toBe(404);
  });

  it('can be previewed: how many events there are, of which types and entities', async () => {
    const at = await filledWorld(40);
    const { status, body } = await postAs(ACME_READER)(at, '/api/replay/preview', {
      projection_name: 'entity_snapshots',
    });
    expect(status).toBe(200);
    const fresh = freshFold(at, 'acme');
    const counters = fresh['event_counters'] as Record<string, { count: number }>;
    const total = Object.values(counters).reduce((sum, { count }) => sum + count, 0);
    const { data } = body as { data: Record<string, unknown> };
    expect(data).toMatchObject({
      projection_name: 'entity_snapshots',
      projection_kind: 'entity_snapshot',
      projection_status: 'running',
      current_entity_count: Object.keys(fresh['entity_snapshots'] ?? {}).length,
      total_events: total,
      sampled_events: total,
      analysis_scope: 'full',
      ready_to_replay: true,
      warnings: [],
    });
    const distribution = data['event_type_distribution'] as { event_type: string; count: number }[];
    expect(Object.fromEntries(distribution.map((row) => [row.event_type, row.count]))).toEqual(
      Object.fromEntries(Object.entries(counters).map(([type, { count }]) => [type, count])),
    );
    const first = at.core.log.frames
      .filter((frame) => frame.tenant === 'acme')
      .flatMap((frame) => [...frame.events()].map((event) => event.timestamp as number));
    expect(Date.parse(String(data['first_event_at'])) * 1000).toBe(Math.min(...first));
    expect(Date.parse(String(data['last_event_at'])) * 1000).toBe(Math.max(...first));
  });
});
