import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { position } from '@allsource/shared/model';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FollowerPart } from '../support/fake-follower.ts';
import { fakeFollower } from '../support/fake-follower.ts';
import { catalogRoutes } from '../../src/http/catalog-routes.ts';
import { entityRoutes } from '../../src/http/entity-routes.ts';
import { eventRoutes } from '../../src/http/event-routes.ts';
import { ReadGate } from '../../src/reads/read-gate.ts';
import {
  GeneratedLog,
  type ModelEvent,
  randomLog,
  TENANTS,
  TYPES,
} from '../support/generated-log.ts';
import {
  modelDuplicates,
  modelEntities,
  modelEventTypes,
  modelQuery,
  type ModelQuery,
  modelState,
} from '../support/naive-model.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide, type ReadSide } from '../support/read-side.ts';
import { type Served, serveRoutes } from '../support/serve-routes.ts';

interface World extends ReadSide {
  readonly log: GeneratedLog;
  readonly served: Served;
  readonly follower: FollowerPart;
  readonly close: () => Promise<void>;
}

async function world(log: GeneratedLog, blockEvents = 64): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-query-'));
  const side = await openReadSide(folder, blockEvents);
  await follow(side.history, log);
  const follower = fakeFollower(side.history, log.head);
  const gate = new ReadGate({ follower, store: side.history, waitMs: 50 });
  const options = { ...side, gate };
  const served = await serveRoutes([
    ...eventRoutes(options),
    ...entityRoutes(options),
    ...catalogRoutes(options),
  ]);
  const close = async () => {
    await served.close();
    await side.history.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return { ...side, log, served, follower, close };
}

function shown(event: ModelEvent) {
  return {
    id: event.id,
    event_type: event.type,
    entity_id: event.entity,
    tenant_id: event.tenant,
    payload: JSON.parse(event.payload),
    timestamp: expect.stringMatching(/Z$/),
    metadata: event.metadata === null ? null : JSON.parse(event.metadata),
    version: event.version,
    recorded_at: expect.stringMatching(/Z$/),
    position: event.position,
  };
}

const ANY_TEXT: unknown = expect.any(String);

const iso = (micros: number) =>
  `${new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;

function queryString(query: ModelQuery): string {
  const parameters = new URLSearchParams();
  const set = (name: string, value: string | number | undefined) => {
    if (value !== undefined) parameters.set(name, String(value));
  };
  set('entity_id', query.entity);
  set('event_type', query.type);
  set('event_type_prefix', query.typePrefix);
  set('exclude_event_type_prefix', query.excluded?.join(','));
  set('since', query.since === undefined ? undefined : iso(query.since));
  set('until', query.until === undefined ? undefined : iso(query.until));
  set('as_of', query.asOf === undefined ? undefined : iso(query.asOf));
  set('as_of_recorded', query.recordedUntil === undefined ? undefined : iso(query.recordedUntil));
  set('payload_filter', query.payloadFilter);
  set('limit', query.limit);
  set('offset', query.offset);
  set('order', query.order);
  return parameters.toString();
}

function randomQuery(random: Random, log: GeneratedLog): ModelQuery {
  const maybe = <T>(probability: number, value: T) =>
    random.chance(probability) ? value : undefined;
  const time = () => random.pick(log.events).timestamp;
  return {
    entity: maybe(0.3, random.pick([random.pick(log.events).entity, 'unknown'])),
    type: maybe(0.2, random.pick([...TYPES, 'order.'])),
    typePrefix: maybe(0.2, random.pick(['order.', 'u', 'zzz'])),
    excluded: maybe(0.2, random.pick([['order.p'], ['note', 'user']])),
    since: maybe(0.3, time()),
    until: maybe(0.3, time()),
    asOf: maybe(0.1, time()),
    recordedUntil: maybe(0.2, random.pick(log.events).recordedAt),
    payloadFilter: maybe(
      0.3,
      random.pick([
        '{"status":"open"}',
        '{"n":1}',
        '{"n":1.0,"status":"late"}',
        '{"n":"1"}',
        '{}',
        '{"big":9007199254740993}',
      ]),
    ),
    limit: maybe(0.6, random.pick([0, 1, 2, 10, 500])),
    offset: maybe(0.4, random.pick([0, 1, 7, 5000])),
    order: maybe(0.5, random.pick(['asc', 'desc', 'DESC'] as const)),
  };
}

describe('queries over a random log', () => {
  const seed = propertySeed('read routes property');
  const worlds: World[] = [];

  beforeAll(async () => {
    worlds.push(await world(randomLog({ seed, events: 600, pastShare: 0 })));
    worlds.push(await world(randomLog({ seed: seed + 1, events: 600, pastShare: 0.15 }), 25));
  });

  afterAll(async () => {
    for (const each of worlds) await each.close();
  });

  it('400 queries of events are answered as a list of all events would, with exact counts', async () => {
    const random = new Random(seed);
    for (let i = 0; i < 400; i++) {
      const { log, served } = random.pick(worlds);
      const tenant = random.pick([...TENANTS, 'nobody']);
      const query = randomQuery(random, log);
      const { status, body, headers } = await served.get(
        `/api/v1/events/query?${queryString(query)}&unknown=1`,
        tenant,
      );
      const { page, total, hasMore } = modelQuery(log.events, tenant, query);
      expect({ query, status, body }).toEqual({
        query,
        status: 200,
        body: {
          events: page.map(shown),
          count: page.length,
          total_count: total,
          has_more: hasMore,
          next_cursor: hasMore && page.length > 0 ? ANY_TEXT : undefined,
          position: log.head,
          ...(query.entity === undefined
            ? {}
            : {
                entity_version: log.events.filter(
                  (e) => e.tenant === tenant && e.entity === query.entity,
                ).length,
              }),
        },
      });
      expect(headers.get('x-allsource-position')).toBe(String(log.head));
    }
  });

  it('200 lists of entities, with and without filters, agree with a fold of all events', async () => {
    const random = new Random(seed + 2);
    for (let i = 0; i < 200; i++) {
      const { log, served } = random.pick(worlds);
      const tenant = random.pick([...TENANTS, 'nobody']);
      const query = randomQuery(random, log);
      const { typePrefix, payloadFilter, limit, offset, order } = query;
      const used = { typePrefix, payloadFilter, limit, offset, order };
      const { body } = await served.get(`/api/v1/entities?${queryString(used)}`, tenant);
      const expected = modelEntities(log.events, tenant, used);
      expect({ used, body }).toEqual({ used, body: { ...expected, position: log.head } });
    }
  });

  it('duplicates agree with a fold of all events', async () => {
    const random = new Random(seed + 3);
    for (let i = 0; i < 60; i++) {
      const { log, served } = random.pick(worlds);
      const tenant = random.pick(TENANTS);
      const typePrefix = random.pick(['order.', 'u', 'n', 'order.p', 'zzz']);
      const groupBy = random.pick([['status'], ['n'], ['n', 'status'], ['absent'], ['big']]);
      const limit = random.pick([undefined, 1, 3]);
      const parameters = new URLSearchParams({
        event_type_prefix: typePrefix,
        group_by: groupBy.join(' , '),
      });
      if (limit !== undefined) parameters.set('limit', String(limit));
      const { body } = await served.get(
        `/api/v1/entities/duplicates?${parameters.toString()}`,
        tenant,
      );
      const expected = modelDuplicates(log.events, tenant, { typePrefix, groupBy, limit });
      expect({ typePrefix, groupBy, body }).toEqual({
        typePrefix,
        groupBy,
        body: { ...expected, position: log.head },
      });
    }
  });

  it('states agree with a merge of all payloads, as of any instant', async () => {
    const random = new Random(seed + 4);
    for (let i = 0; i < 100; i++) {
      const { log, served } = random.pick(worlds);
      const { tenant, entity } = random.pick(log.events);
      const asOf = random.chance(0.5) ? random.pick(log.events).timestamp : undefined;
      const suffix = asOf === undefined ? '' : `?as_of=${iso(asOf)}`;
      const path = `/api/v1/entities/${encodeURIComponent(entity)}/state${suffix}`;
      const { status, body } = await served.get(path, tenant);
      const expected = modelState(log.events, { tenant, entity, asOf });
      const answer = status === 404 ? null : body;
      const wanted = expected === null ? null : { ...expected, position: log.head };
      expect({ path, answer }).toEqual({ path, answer: wanted });
    }
  });

  it('streams and event types agree with a fold of all events', async () => {
    for (const { log, served } of worlds) {
      for (const tenant of [...TENANTS, 'nobody']) {
        const streams = await served.get('/api/v1/streams?limit=5&offset=1', tenant);
        const { entities, total } = modelEntities(log.events, tenant, { limit: 5, offset: 1 });
        const rows = entities.map((e) => ({
          stream_id: e.entity_id,
          event_count: e.event_count,
          last_event_at: e.last_event_at,
        }));
        expect(streams.body).toMatchObject({
          streams: rows,
          data: rows,
          count: rows.length,
          total,
        });
        const types = await served.get('/api/event-types', tenant);
        const typeRows = modelEventTypes(log.events, tenant);
        expect(types.body).toMatchObject({
          event_types: typeRows,
          data: typeRows,
          total: typeRows.length,
        });
      }
    }
  });

  it('each event is found by its id for its own tenant, and is not there for another', async () => {
    const random = new Random(seed + 5);
    for (let i = 0; i < 80; i++) {
      const { log, served } = random.pick(worlds);
      const event = random.pick(log.events);
      const own = await served.get(`/api/v1/events/${event.id.toUpperCase()}`, event.tenant);
      expect(own.body).toEqual({ event: shown(event), found: true, data: shown(event) });
      const other = await served.get(`/api/v1/events/${event.id}`, 'nobody');
      const never = await served.get(
        '/api/v1/events/01890a5d-ac96-774b-bcce-b302099a8057',
        'nobody',
      );
      expect([other.status, never.status]).toEqual([404, 404]);
      expect(other.body.code).toBe(never.body.code);
      expect(Object.keys(other.body)).toEqual(Object.keys(never.body));
    }
  });

  it('the lists of the gateway show the same events in a data member', async () => {
    for (const { log, served } of worlds) {
      const acme = log.events.filter((event) => event.tenant === 'acme');
      const [first] = acme;
      const byQuery = (query: ModelQuery) => modelQuery(log.events, 'acme', query).page.map(shown);
      const list = await served.get('/api/events');
      expect(list.body).toMatchObject({
        data: byQuery({ limit: 100 }),
        count: 100,
        total_count: acme.length,
      });
      expect(list.body.events).toBeUndefined();
      const recent = await served.get('/api/v1/events/recent');
      expect(recent.body.data).toEqual(byQuery({ order: 'desc', limit: 20 }));
      const ofType = await served.get('/api/v1/events/type/order.paid');
      expect(ofType.body).toMatchObject({
        data: byQuery({ type: 'order.paid' }),
        event_type: 'order.paid',
      });
      const ofEntity = await served.get(
        `/api/events/entity/${encodeURIComponent('Grüße/ü')}?limit=3`,
      );
      expect(ofEntity.body).toMatchObject({
        data: byQuery({ entity: 'Grüße/ü', limit: 3 }),
        entity_id: 'Grüße/ü',
      });
      const since = iso(first?.timestamp ?? 0);
      const aliased = await served.get(`/api/v1/events?stream_id=o-1&start=${since}&end=${since}`);
      const expected = { entity: 'o-1', since: first?.timestamp, until: first?.timestamp };
      expect(aliased.body.data).toEqual(byQuery(expected));
    }
  });
});

describe('raw JSON', () => {
  it('goes through untouched: numbers, order of members, white space, unusual names', async () => {
    const log = new GeneratedLog();
    const payload =
      '{"b":1.0, "a":9007199254740993,"e":1e400,"__proto__":{"x":1},"u":"\\u00e9é🎉"}';
    const metadata = '{ "trace": 0.10 }';
    log.commit('acme', [{ type: 'a.b', entity: 'e', payload, metadata }]);
    log.commit('acme', [
      { type: 'a.b', entity: 'e', payload: '{"a":12345678901234567890.50,"constructor":null}' },
    ]);
    log.commit('acme', [{ type: 'a.b', entity: 'e', payload: '[1]' }]);
    const { served, close } = await world(log, 2);
    const { text } = await served.get('/api/v1/events/query?entity_id=e');
    expect(text).toContain(`"payload":${payload},`);
    expect(text).toContain(`"metadata":${metadata},`);
    const state = await served.get('/api/v1/entities/e/state');
    expect(state.text).toContain(
      '"current_state":{"b":1.0,"a":12345678901234567890.50,"e":1e400,"__proto__":{"x":1},"u":"\\u00e9é🎉","constructor":null}',
    );
    expect(state.body).toMatchObject({ event_count: 3, version: 3 });
    expect(state.text).toContain(`"payload":${payload}}`);
    await close();
  });
});

describe('parameters', () => {
  let served: Served;
  let close: () => Promise<void>;
  beforeAll(async () => {
    ({ served, close } = await world(randomLog({ seed: 1, events: 30, pastShare: 0 })));
  });
  afterAll(() => close());

  it.each([
    ['/api/v1/events/query?order=up', "invalid 'order' value 'up': expected 'asc' or 'desc'"],
    ['/api/v1/entities?order=up', "invalid 'order' value 'up': expected 'asc' or 'desc'"],
    ['/api/v1/events/query?limit=-1', "'limit' is '-1'"],
    ['/api/v1/events/query?offset=x', "'offset' is 'x'"],
    ['/api/v1/events/query?since=yesterday', "'since' is 'yesterday'"],
    ['/api/v1/events/query?payload_filter=%5B1%5D', "'payload_filter' is"],
    ['/api/v1/events/query?consistency=maybe', "'consistency' is 'maybe'"],
    ['/api/v1/events/query?min_position=-5', "'min_position' is '-5'"],
    ['/api/v1/entities/duplicates?group_by=a', "'event_type_prefix' is missing"],
    ['/api/v1/entities/duplicates?event_type_prefix=a', "'group_by' is missing"],
    ['/api/v1/entities/duplicates?event_type_prefix=a&group_by=,', "'group_by' names 0 fields"],
    ['/api/v1/entities/o-1/state?as_of=2026', "'as_of' is '2026'"],
    ['/api/v1/streams?limit=x', "'limit' is 'x'"],
    ['/api/v1/events/not-a-uuid', "Event id 'not-a-uuid' is not a UUID"],
  ])('%s is refused with what is allowed', async (path, sentence) => {
    const { status, body } = await served.get(path);
    expect(status).toBe(400);
    expect(body.error.message).toContain(sentence);
  });

  it('an entity without events is 404 as a state and empty as a query', async () => {
    expect((await served.get('/api/v1/entities/none/state')).body.code).toBe('entity_not_found');
    const query = await served.get('/api/v1/events/query?entity_id=none');
    expect(query.body).toMatchObject({
      events: [],
      count: 0,
      total_count: 0,
      has_more: false,
      entity_version: 0,
    });
  });
});

describe('the read gate', () => {
  it('waits for what core has made durable, says 503 with the lag, or reads what is there when asked to', async () => {
    const log = randomLog({ seed: 2, events: 40, pastShare: 0 });
    const { served, follower, history, close } = await world(log);
    const behind = log.head + 1;
    follower.head = position(behind);
    const refused = await served.get('/api/v1/events/query');
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({
      code: 'read_behind',
      applied_position: log.head,
      wanted_position: behind,
      lag: 1,
    });
    for (const path of [
      '/api/v1/streams',
      '/api/v1/entities',
      '/api/v1/entities/o-1/state',
      '/api/v1/events',
    ])
      expect((await served.get(path)).status).toBe(503);
    const eventual = await served.get('/api/v1/events/query?consistency=eventual&limit=1');
    expect(eventual.status).toBe(200);
    expect(eventual.body.position).toBe(log.head);
    expect((await served.get(`/api/v1/events/query?min_position=${log.head}`)).status).toBe(200);
    const waited = await served.get(
      `/api/v1/events/query?min_position=${behind}&consistency=eventual`,
    );
    expect(waited.status).toBe(503);
    expect(waited.body.error.message).toContain('leave out min_position and read what is there');
    expect(refused.body.error.message).toContain('Try again, or read what is there');
    const waiting = served.get('/api/v1/events/query?limit=0');
    log.commit('acme', [{ type: 'a.b', entity: 'new' }]);
    await follow(history, log);
    expect((await waiting).body.position).toBe(behind);
    await close();
  });
});

async function leaveInTheMiddle(port: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write('GET /api/v1/events/query HTTP/1.1\r\nhost: x\r\nx-test-tenant: acme\r\n\r\n');
    });
    socket.once('data', () => socket.destroy());
    socket.once('close', () => resolve());
  });
}

describe('large answers', () => {
  it('are written as the reader takes them, and whole', async () => {
    const log = new GeneratedLog();
    const payload = JSON.stringify({ text: 'ä'.repeat(3000) });
    for (let i = 0; i < 200; i++) {
      const drafts = Array.from({ length: 10 }, () => ({ type: 'a.b', entity: 'e', payload }));
      log.commit('acme', drafts);
    }
    const { served, close } = await world(log, 500);
    const { body } = await served.get('/api/v1/events/query');
    expect(body.count).toBe(2000);
    expect(body.events.map((event: { position: number }) => event.position)).toEqual(
      log.events.map((event) => event.position),
    );
    await leaveInTheMiddle(served.port);
    expect((await served.get('/api/v1/events/query?limit=1')).status).toBe(200);
    await close();
  });
});
