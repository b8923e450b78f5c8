/** The twenty traps of existing clients, each on the two ports that they know. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import type { RunningStore } from '../support/running-store.ts';
import { startConformanceStore, TEST_KEY, unique } from './addressings.ts';
import { RustCoreClient } from './sdk/rust-core-client.ts';
import { RustQueryClient } from './sdk/rust-query-client.ts';

let store: RunningStore;
const sockets: WebSocket[] = [];

beforeAll(async () => {
  store = await startConformanceStore();
}, 60_000);

afterAll(async () => {
  for (const socket of sockets) socket.terminate();
  await store?.remove();
}, 60_000);

/** A WebSocket as a client of any language opens it; its text frames, parsed, in the order of their arrival. */
class Stream {
  readonly frames: unknown[] = [];
  readonly #socket: WebSocket;
  #wake: () => void = () => {};

  constructor(url: string, authorization: string) {
    this.#socket = new WebSocket(url.replace('http', 'ws'), {
      headers: { authorization },
      perMessageDeflate: false,
    });
    sockets.push(this.#socket);
    this.#socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) this.frames.push(JSON.parse(data.toString('utf8')));
      this.#wake();
    });
  }

  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once('open', () => resolve());
      this.#socket.once('error', reject);
    });
  }

  send(frame: unknown): void {
    this.#socket.send(JSON.stringify(frame));
  }

  /** The first frames, once there are as many. */
  async taken(count: number): Promise<readonly Record<string, unknown>[]> {
    while (this.frames.length < count)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.frames.slice(0, count) as Record<string, unknown>[];
  }

  close(): void {
    this.#socket.terminate();
  }
}

/** An event type of a test's own. */
function typeOf(name: string): string {
  return `trap.${name.replaceAll('-', '_')}`;
}

const PORTS = [
  ['core', () => store.coreUrl],
  ['the gateway', () => store.url],
] as const;

describe.each(PORTS)('on %s', (_, urlOf) => {
  const append = (entity_id: string, event_type = 'trap.sprung', payload: unknown = {}) =>
    store.post(`${urlOf()}/api/v1/events`, { event_type, entity_id, payload });
  const get = (path: string) => store.ask(urlOf() + path);
  const streamOf = (consumerId: string, authorization = `Bearer ${TEST_KEY}`) =>
    new Stream(`${urlOf()}/api/v1/events/stream?consumer_id=${consumerId}`, authorization);

  it('1: a query answers `events` and no `data` beside it', async () => {
    await append(unique('e'));
    const { body } = await get('/api/v1/events/query');
    expect([Array.isArray(body.events), 'data' in body]).toEqual([true, false]);
  });

  it('2: whatever succeeds has a JSON body', async () => {
    const name = unique('json');
    for (const [method, path, body] of [
      ['POST', '/api/v1/events', { event_type: 'a.b', entity_id: name, payload: null }],
      ['POST', '/api/v1/events/batch', { events: [] }],
      ['POST', '/api/v1/consumers', { consumer_id: name }],
      ['POST', `/api/v1/consumers/${name}/ack`, { position: 1 }],
      ['PUT', `/api/v1/projections/${name}/e/state`, { state: null }],
      ['POST', `/api/v1/projections/${name}/e/state`, { state: 1 }],
      ['POST', `/api/v1/projections/${name}/bulk/save`, { states: [] }],
      ['POST', `/api/v1/projections/${name}/bulk`, { entity_ids: ['e', 'f'] }],
    ] as const) {
      const answer = await store.ask(urlOf() + path, { method, body: JSON.stringify(body) });
      expect([path, Math.floor(answer.status / 100), typeof answer.body]).toEqual([
        path,
        2,
        'object',
      ]);
    }
    const batch = await store.post(`${urlOf()}/api/v1/events/batch`, { events: [] });
    expect(batch.body).toEqual({ total: 0, ingested: 0, count: 0, events: [], data: [] });
  });

  it('3: a replay of nothing is complete, and says so', async () => {
    const name = unique('zero');
    await store.post(`${urlOf()}/api/v1/consumers`, {
      consumer_id: name,
      event_type_filters: [typeOf(name)],
    });
    const stream = streamOf(name);
    expect(await stream.taken(1)).toEqual([{ type: 'replay_complete', replayed: 0 }]);
    stream.close();
  });

  it('4: a live event is the event and nothing around it, one to a frame', async () => {
    const name = unique('live');
    const type = typeOf(name);
    await store.post(`${urlOf()}/api/v1/consumers`, {
      consumer_id: name,
      event_type_filters: [type],
    });
    const stream = streamOf(name);
    await stream.opened();
    // The worker subscribes right after the handshake, while the replay is running.
    stream.send({ type: 'subscribe', filters: [type] });
    stream.send({ type: 'of the future' });
    await stream.taken(1);
    await store.post(`${urlOf()}/api/v1/events/batch`, {
      events: [1, 2].map((n) => ({ event_type: type, entity_id: name, payload: { n } })),
    });
    const [mark, ...live] = await stream.taken(3);
    expect(mark).toEqual({ type: 'replay_complete', replayed: 0 });
    expect(live.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }]);
    for (const frame of live) {
      expect(frame).toMatchObject({ id: expect.any(String), event_type: type, entity_id: name });
      expect(frame).not.toHaveProperty('type');
    }
    stream.close();
  });

  it('5: an empty bearer opens the stream of a consumer that is registered', async () => {
    const name = unique('bearer');
    await store.post(`${urlOf()}/api/v1/consumers`, {
      consumer_id: name,
      event_type_filters: [typeOf(name)],
    });
    await append('e', typeOf(name));
    const stream = streamOf(name, 'Bearer ');
    expect(await stream.taken(2)).toMatchObject([
      { type: 'replay', event: { event_type: typeOf(name) } },
      { type: 'replay_complete', replayed: 1 },
    ]);
    stream.close();
  });

  it('6: a key without the prefix of keys is looked up as it is', async () => {
    const who = await get('/api/v1/auth/me');
    expect(who.body).toMatchObject({ tenant_id: 'default', role: 'admin' });
  });

  it('7: a conflict names both versions as integers, in the form of the port', async () => {
    const entity = unique('cas');
    await append(entity);
    const body = { event_type: 'a.b', entity_id: entity, payload: {}, expected_version: 0 };
    const answer = await store.post(`${urlOf()}/api/v1/events`, body);
    expect(answer).toMatchObject({
      status: 409,
      body: { expected_version: 0, current_version: 1 },
    });
    const isFlat = answer.body.error === 'version_conflict';
    expect([isFlat, Object.keys(answer.body).length === 3]).toEqual(
      Array(2).fill(urlOf() === store.coreUrl),
    );
    expect(answer.headers.get('conflict-index')).toBe('0');
    const absent = { ...body, expected_version: null };
    expect((await store.post(`${urlOf()}/api/v1/events`, absent)).body.version).toBe(2);
  });

  it('8: the version of an event is the same in the ack, the query, the stream and the poll', async () => {
    const name = unique('versions');
    const type = typeOf(name);
    const acked = [await append(name, type), await append(name, type), await append(name, type)];
    expect(acked.map(({ body }) => body.version)).toEqual([1, 2, 3]);
    const { body } = await get(`/api/v1/events/query?entity_id=${name}`);
    expect(body.events.map(versionOf)).toEqual([1, 2, 3]);
    expect(body.entity_version).toBe(3);
    await store.post(`${urlOf()}/api/v1/consumers`, {
      consumer_id: name,
      event_type_filters: [type],
    });
    const polled = (await get(`/api/v1/consumers/${name}/events`)).body.events;
    expect(polled.map(versionOf)).toEqual([1, 2, 3]);
    const stream = streamOf(name);
    const frames = await stream.taken(3);
    expect(frames.map(({ event }) => versionOf(event))).toEqual([1, 2, 3]);
    expect(frames.map(({ position }) => position)).toEqual(
      polled.map(({ position }: { position: number }) => position),
    );
    stream.close();
  });

  it('9: positions grow from 1, and none beyond the last is acknowledged', async () => {
    const name = unique('positions');
    await append(name, typeOf(name));
    const { body } = await store.ask(`${urlOf()}/api/v1/consumers/${name}/events?limit=1000`);
    const positions = body.events.map(({ position }: { position: number }) => position);
    expect(positions[0]).toBeGreaterThanOrEqual(1);
    expect(positions).toEqual([...new Set<number>(positions)].toSorted((a, b) => a - b));
    const ack = (position: unknown) =>
      store.post(`${urlOf()}/api/v1/consumers/${name}/ack`, { position });
    expect((await ack(1_000_000_000)).status).toBe(400);
    const last = positions.at(-1);
    expect((await ack(last)).body).toMatchObject({
      status: 'ok',
      consumer_id: name,
      position: last,
    });
    expect((await ack(1)).status).toBe(200);
    expect((await get(`/api/v1/consumers/${name}`)).body.cursor_position).toBe(last);
  });

  it('10: a consumer that nobody knows is there all the same', async () => {
    const name = unique('unknown');
    const answer = await get(`/api/v1/consumers/${name}`);
    expect([answer.status, answer.body.cursor_position]).toEqual([200, null]);
  });

  it('11: entities come newest first and events oldest first, unless asked otherwise', async () => {
    const name = unique('orders');
    const prefix = `${typeOf(name)}.`;
    for (const entity of ['b', 'a']) await append(`${name}-${entity}`, `${prefix}x`);
    const entities = (await get(`/api/v1/entities?event_type_prefix=${prefix}`)).body.entities;
    expect(entities.map(({ entity_id }: { entity_id: string }) => entity_id)).toEqual([
      `${name}-a`,
      `${name}-b`,
    ]);
    const { events } = (await get(`/api/v1/events/query?event_type_prefix=${prefix}`)).body;
    expect(events.map(({ entity_id }: { entity_id: string }) => entity_id)).toEqual([
      `${name}-b`,
      `${name}-a`,
    ]);
    const upper = await get(`/api/v1/events/query?event_type_prefix=${prefix}&order=DESC&limit=1`);
    expect(upper.body.events[0].entity_id).toBe(`${name}-a`);
  });

  it('12: offset, count, total and has_more add up at every boundary', async () => {
    const name = unique('windows');
    for (let n = 0; n < 5; n++) await append(name);
    for (const [offset, limit, count, hasMore] of [
      [0, 2, 2, true],
      [2, 3, 3, false],
      [3, 3, 2, false],
      [4, 1, 1, false],
      [5, 1, 0, false],
      [9, 9, 0, false],
      [0, 0, 0, true],
    ] as const) {
      const path = `/api/v1/events/query?entity_id=${name}&offset=${offset}&limit=${limit}`;
      const { body } = await get(path);
      expect([
        offset,
        limit,
        body.count,
        body.events.length,
        body.total_count,
        body.has_more,
      ]).toEqual([offset, limit, count, count, 5, hasMore]);
    }
  });

  it('13: an append is understood at the first try, so that nobody sends it twice', async () => {
    const client = new RustCoreClient({ url: urlOf(), apiKey: TEST_KEY });
    const entityId = unique('once');
    await client.ingestEvent({ eventType: 'a.b', entityId, payload: {} });
    await client.ingestBatch([{ eventType: 'a.b', entityId, payload: {} }]);
    expect(client.tries).toHaveLength(2);
    expect((await get(`/api/v1/events/query?entity_id=${entityId}`)).body.count).toBe(2);
  });

  it('14: what was acknowledged is in the next answer, on this port and on the other', async () => {
    const client = new RustCoreClient({ url: urlOf(), apiKey: TEST_KEY });
    const readers = [store.coreUrl, store.url].map(
      (url) => new RustQueryClient({ url, apiKey: TEST_KEY }),
    );
    const entityId = unique('ryw');
    const type = typeOf(entityId);
    for (let n = 1; n <= 20; n++) {
      await client.ingestEvent({ eventType: type, entityId, payload: { n } });
      const counts = await Promise.all(
        readers.flatMap((reader) => [
          reader.getEntityEvents(entityId).then(({ count }) => count),
          reader.queryEvents({ event_type: type }).then(({ count }) => count),
          reader
            .listEntities({ event_type_prefix: type })
            .then(({ entities }) => entities[0]?.eventCount),
        ]),
      );
      expect(counts).toEqual([n, n, n, n, n, n]);
    }
  });

  it('15: paths without a version give whole events, alone and in batches', async () => {
    const entity_id = unique('whole');
    const event = { event_type: 'whole.event', entity_id, payload: { n: 1 } };
    const one = await store.post(`${urlOf()}/api/events`, event);
    expect(one.body.data).toMatchObject({ id: expect.any(String), ...event, version: 1 });
    const more = await store.post(`${urlOf()}/api/events/batch`, { events: [event, event] });
    expect(more.body.data).toMatchObject([
      { id: expect.any(String), ...event, version: 2 },
      { id: expect.any(String), ...event, version: 3 },
    ]);
    const listed = await get(`/api/events?entity_id=${entity_id}`);
    expect([listed.body.count, listed.body.data[0]]).toMatchObject([3, event]);
  });

  it('16: a fixed path comes before one with a parameter in its place', async () => {
    const name = unique('routes');
    await append(name, 'routes.seen', { who: 1 });
    const answers = await Promise.all(
      [
        '/api/v1/events/query?limit=1',
        '/api/v1/events/recent?limit=1',
        `/api/v1/events/entity/${name}`,
        '/api/v1/events/type/routes.seen',
        '/api/v1/entities/duplicates?event_type_prefix=routes.&group_by=who',
        `/api/v1/projections/${name}/state`,
      ].map(get),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    expect(answers[4]?.body).toHaveProperty('duplicates');
    expect(answers[5]?.body).toHaveProperty('has_more');
    const upgrade = await get('/api/v1/events/stream');
    expect(upgrade.status).toBe(426);
    const checked = await store.post(`${urlOf()}/api/v1/schemas/validate`, {});
    expect([400, 422]).toContain(checked.status);
    // An entity may be called as a route is.
    for (const entity of ['bulk', 'state', 'save']) {
      const path = `${urlOf()}/api/v1/projections/${name}/${entity}/state`;
      await store.ask(path, { method: 'PUT', body: JSON.stringify({ state: { entity } }) });
      expect((await store.ask(path)).body).toMatchObject({ entity_id: entity, state: { entity } });
    }
  });

  it('17: what stands percent-encoded in a path or a query is decoded once', async () => {
    for (const entity of [
      `node:contact/${unique('1')}`,
      `a b+c%2F${unique('%')}`,
      'ünï/cödé?#&=',
    ]) {
      const id = encodeURIComponent(entity);
      await append(entity);
      expect((await get(`/api/v1/entities/${id}/state`)).body.entity_id).toBe(entity);
      expect((await get(`/api/v1/events/entity/${id}`)).body.data[0].entity_id).toBe(entity);
      expect((await get(`/api/v1/events/query?entity_id=${id}`)).body.count).toBeGreaterThan(0);
      const form = new URLSearchParams({ entity_id: entity });
      expect((await get(`/api/v1/events/query?${form.toString()}`)).body.count).toBeGreaterThan(0);
      const path = `${urlOf()}/api/v1/projections/${encodeURIComponent('p/q r')}/${id}/state`;
      await store.ask(path, { method: 'PUT', body: '{"state":1}' });
      expect((await store.ask(path)).body).toEqual({
        projection: 'p/q r',
        entity_id: entity,
        state: 1,
        found: true,
      });
      expect((await get(`/api/v1/consumers/${id}`)).body.consumer_id).toBe(entity);
    }
  });

  it('18: parameters and members that nobody knows change nothing', async () => {
    const entity_id = unique('unknown');
    const event = { event_type: 'a.b', entity_id, payload: {}, nobody: [1], event_id: 'mine' };
    const acked = await store.post(`${urlOf()}/api/v1/events?nobody=1`, event);
    expect(acked.body.version).toBe(1);
    const answer = await get(`/api/v1/events/query?entity_id=${entity_id}&sort=x&integrity=strict`);
    expect([answer.status, answer.body.count]).toEqual([200, 1]);
    expect(answer.body.events[0]).not.toHaveProperty('nobody');
    for (const path of ['entities', 'projections', 'streams', 'event-types', 'stats'])
      expect((await get(`/api/v1/${path}?nobody=1`)).status).toBe(200);
  });

  it('19: a query without a limit has none', async () => {
    const entity_id = unique('many');
    const event = { event_type: 'many.events', entity_id, payload: {} };
    await store.post(`${urlOf()}/api/v1/events/batch`, {
      events: Array.from({ length: 1_500 }, () => event),
    });
    const { body } = await get(`/api/v1/events/query?entity_id=${entity_id}`);
    expect([body.count, body.events.length, body.has_more]).toEqual([1_500, 1_500, false]);
  });

  it('20: to register a consumer again keeps its cursor and takes its new filters', async () => {
    const consumer_id = unique('again');
    await append(consumer_id);
    const register = (filters: string[]) =>
      store.post(`${urlOf()}/api/v1/consumers`, { consumer_id, event_type_filters: filters });
    expect((await register(['a.*'])).status).toBe(200);
    await store.post(`${urlOf()}/api/v1/consumers/${consumer_id}/ack`, { position: 1 });
    expect((await register(['b.*'])).body).toEqual({
      consumer_id,
      event_type_filters: ['b.*'],
      cursor_position: 1,
    });
  });
});

describe('after a restart', () => {
  it('positions, versions and cursors are what they were', async () => {
    const name = unique('durable');
    const type = typeOf(name);
    const consumer = `${store.url}/api/v1/consumers/${name}`;
    const event = { event_type: type, entity_id: name, payload: {} };
    await store.post('/api/v1/consumers', { consumer_id: name, event_type_filters: [type] });
    for (let n = 0; n < 3; n++) await store.post('/api/v1/events', event);
    const before = await store.ask(`${consumer}/events`);
    await store.post(`${consumer}/ack`, { position: before.body.events[1].position });
    await store.stop();
    await store.launch();
    const cursor = (await store.ask(consumer)).body.cursor_position;
    expect(cursor).toBe(before.body.events[1].position);
    const after = await store.ask(`${consumer}/events`);
    expect(after.body.events).toEqual(before.body.events.slice(2));
    expect((await store.post('/api/v1/events', event)).body.version).toBe(4);
  }, 60_000);
});

function versionOf(event: unknown): unknown {
  return (event as { version: unknown }).version;
}
