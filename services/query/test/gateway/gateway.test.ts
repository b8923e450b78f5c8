import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Parameters } from '@allsource/shared/protocol';
import { auditParameters, auditRoutes } from '@allsource/testkit';
import { WebSocket, WebSocketServer } from 'ws';
import { UNAVAILABLE_FEATURES } from '../../src/gateway/unavailable-routes.ts';
import {
  ACME,
  ACME_READER,
  ADMIN,
  type GatewayWorld,
  gatewayWorld,
  OTHER,
  untilReady,
} from './gateway-world.ts';
import { bodyOf } from './stand-in-core.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function world(settings?: Record<string, string>, ready?: boolean): Promise<GatewayWorld> {
  const made = await gatewayWorld(settings, ready);
  cleanups.push(() => made.close());
  return made;
}

const JSON_BODY = { 'content-type': 'application/json' };

describe('the routes of the gateway', () => {
  it('are all declared, and only public ones answer nobody', async () => {
    const { service, url } = await world();
    const faults = await auditRoutes({ app: service.app, routes: service.routes, baseUrl: url });
    expect(faults).toEqual([]);
    const open = service.routes.filter(({ needs }) => needs === 'public').map(({ path }) => path);
    expect(
      open.filter((path) => !/health|metrics|livez|readyz|auth|openapi|docs/.test(path)),
    ).toEqual([]);
  });

  it('read no parameter that their documents do not name', async () => {
    const { service, url } = await world();
    const audit = { reader: Parameters.prototype, routes: service.routes, baseUrl: url };
    const { faults, called } = await auditParameters({ ...audit, key: ADMIN });
    expect(faults).toEqual([]);
    expect(called).toBeGreaterThan(100);
  });

  it('that are not built say so to whoever may ask, on both paths', async () => {
    const { ask } = await world();
    for (const { routes, feature } of UNAVAILABLE_FEATURES) {
      const [method = '', path = ''] = (routes[0] ?? '').split(' ');
      for (const base of ['/api', '/api/v1']) {
        const answer = await ask(base + path.replaceAll(/:\w+/g, 'x'), { method, key: ACME });
        expect([answer.status, answer.body['code'], answer.body['feature']]).toEqual([
          501,
          'not_available',
          feature,
        ]);
      }
    }
    const controlPlane = await ask('/api/v1/audit/events', { key: ADMIN });
    expect([controlPlane.status, controlPlane.text]).toEqual([
      501,
      expect.stringContaining('CONTROL_PLANE_URL'),
    ]);
  });

  it('refuse what a role does not include before core is asked', async () => {
    const { ask, core } = await world();
    const refused = await ask('/api/v1/events', { method: 'POST', key: ACME_READER, body: '{}' });
    expect([refused.status, refused.body['error']]).toMatchObject([
      403,
      { code: 'forbidden', permission: 'write' },
    ]);
    expect((await ask('/api/v1/tenants', { key: ACME })).status).toBe(403);
    expect(core.arrivals).toEqual([]);
  });
});

describe('a forwarded write', () => {
  it('reaches core as it was sent, without an internal token, and answers 201', async () => {
    const { ask, core } = await world();
    const sent = '{"event_type":"a.b","entity_id":"e","payload":{"n":1.0}}';
    let received = '';
    core.answer = async (request, response) => {
      received = await bodyOf(request);
      response.writeHead(200, { ...JSON_BODY, 'idempotent-replayed': 'true' });
      response.end('{"event_id":"x","data":{"n":1.0}}');
    };
    const answer = await ask('/api/events?x=%2F', {
      method: 'POST',
      key: ACME,
      body: sent,
      headers: {
        ...JSON_BODY,
        'idempotency-key': 'k1',
        'x-allsource-internal-token': 'forged',
        'x-request-id': 'trace-1',
      },
    });
    expect([answer.status, answer.text]).toEqual([201, '{"event_id":"x","data":{"n":1.0}}']);
    expect(answer.headers.get('idempotent-replayed')).toBe('true');
    expect(received).toBe(sent);
    expect(core.arrivals).toHaveLength(1);
    expect(core.arrivals[0]?.url).toBe('/api/v1/events?x=%2F');
    expect(core.arrivals[0]?.headers).toMatchObject({
      authorization: `Bearer ${ACME}`,
      'idempotency-key': 'k1',
      'x-request-id': 'trace-1',
    });
    expect(core.arrivals[0]?.headers['x-allsource-internal-token']).toBeUndefined();
  });

  it('of a batch asks for whole events only on the path of older clients', async () => {
    const { ask, core } = await world();
    const prefers: unknown[] = [];
    core.answer = (request, response) => {
      prefers.push(request.headers['prefer']);
      response.writeHead(200, JSON_BODY).end('{"total":0}');
    };
    for (const path of ['/api/v1/events/batch', '/api/events/batch'])
      expect((await ask(path, { method: 'POST', key: ACME, body: '{}' })).status).toBe(201);
    expect(prefers).toEqual([undefined, 'return=representation']);
  });

  it('that core refuses keeps its status, and its error becomes an object', async () => {
    const { ask, core } = await world();
    const post = () => ask('/api/v1/events', { method: 'POST', key: ACME, body: '{}' });
    core.answer = (_request, response) => {
      response.writeHead(409, { 'content-type': 'application/problem+json' });
      response.end('{"error":"version_conflict","expected_version":1,"current_version":3}');
    };
    const conflict = await post();
    expect(conflict).toMatchObject({
      status: 409,
      body: {
        code: 'version_conflict',
        expected_version: 1,
        current_version: 3,
        error: { code: 'version_conflict', expected_version: 1, current_version: 3 },
      },
    });
    core.answer = (_request, response) => {
      response.writeHead(400, { 'content-type': 'application/problem+json' });
      response.end(
        '{"error":"Invalid input: Too big","type":"urn:x","title":"T","status":400,"detail":"Too big","code":"payload_too_large","retryable":false,"limit":5}',
      );
    };
    expect(await post()).toMatchObject({
      status: 400,
      body: {
        error: { code: 'payload_too_large', message: 'Too big', limit: 5 },
        code: 'payload_too_large',
        limit: 5,
        instance: '/api/v1/events',
      },
    });
    core.answer = (_request, response) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).end('secret stack trace');
    };
    const broken = await post();
    expect(broken).toMatchObject({
      status: 500,
      body: { error: { code: 'upstream_unavailable' } },
    });
    expect(broken.text).not.toContain('secret');
  });

  it('is never sent twice when core breaks off, and says that its fate is unknown', async () => {
    const { ask, core } = await world();
    core.answer = async (request) => {
      await bodyOf(request);
      request.socket.destroy();
    };
    const answer = await ask('/api/v1/events', { method: 'POST', key: ACME, body: '{"a":1}' });
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'upstream_unavailable', outcome: 'unknown', upstream: 'core' },
    });
    expect(core.arrivals).toHaveLength(1);
  });

  it('that is too large, declared or not, is refused without core', async () => {
    const { url, core } = await world({ ALLSOURCE_BODY_BYTES_MAX: '100000' });
    core.answer = async (request) => void (await bodyOf(request).catch(() => ''));
    for (const framing of [{ 'content-length': 64_000_000 }, { 'transfer-encoding': 'chunked' }]) {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const sending = httpRequest(`${url}/api/v1/events`, {
          method: 'POST',
          headers: { 'x-api-key': ACME, ...framing },
        });
        sending.on('response', resolve).on('error', reject);
        sending.write(Buffer.alloc(100_001, 32));
        cleanups.push(() => void sending.destroy());
      });
      expect(answer.statusCode).toBe(413);
      expect(await bodyOf(answer)).toContain('"limit_bytes":100000');
    }
  });
});

describe('a forwarded stream', () => {
  it('flows as it is written, and its end reaches core when the client leaves', async () => {
    const { url, core } = await world();
    const gone = Promise.withResolvers<void>();
    const next = Promise.withResolvers<void>();
    core.answer = async (_request, response) => {
      response.once('close', () => gone.resolve());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: 1\n\n');
      await next.promise;
      response.write('data: 2\n\n');
    };
    const abort = new AbortController();
    const answer = await fetch(`${url}/api/v1/events/sse`, {
      headers: { authorization: `Bearer ${ACME}` },
      signal: abort.signal,
    });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe('data: 1\n\n');
    next.resolve();
    expect((await reader?.read())?.value).toBe('data: 2\n\n');
    abort.abort();
    await gone.promise;
  });

  it('holds core back when the client does not read', async () => {
    const { url, core } = await world();
    let written = 0;
    core.answer = async (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      while (response.write(Buffer.alloc(64 * 1024)) && !response.destroyed) {
        written += 64 * 1024;
        await sleep(0);
      }
      // From here on the socket is full; a gateway that buffered would drain it.
      await Promise.race([new Promise((resolve) => response.once('drain', resolve)), sleep(200)]);
    };
    const { port } = new URL(url);
    const client = connect(Number(port), '127.0.0.1');
    cleanups.push(() => void client.destroy());
    client.pause();
    client.write(`GET /api/v1/events/sse HTTP/1.1\r\nhost: x\r\nx-api-key: ${ACME}\r\n\r\n`);
    while (core.arrivals.length === 0) await sleep(5);
    let before = -1;
    while (before !== written) {
      before = written;
      await sleep(100);
    }
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('a WebSocket', () => {
  it('is carried to core and back, with its own credential or with none', async () => {
    const { url, core } = await world();
    const sockets = new WebSocketServer({ noServer: true });
    cleanups.push(() => sockets.close());
    const handshakes: IncomingMessage[] = [];
    core.server.on('upgrade', (request, socket, head) => {
      handshakes.push(request);
      sockets.handleUpgrade(request, socket, head, (server) => {
        server.send('{"hello":1}');
        server.on('message', (data: Buffer) => server.send(data.toString('utf8').toUpperCase()));
      });
    });
    const client = new WebSocket(
      `${url.replace('http', 'ws')}/api/v1/events/stream?consumer_id=a%2Fb`,
      {
        headers: { authorization: 'Bearer ', 'x-allsource-internal-token': 'forged' },
      },
    );
    const messages: string[] = [];
    const done = Promise.withResolvers<void>();
    client.on('message', (data: Buffer) => {
      messages.push(data.toString('utf8'));
      if (messages.length === 2) done.resolve();
    });
    client.on('open', () => client.send('echo'));
    await done.promise;
    expect(messages).toEqual(['{"hello":1}', 'ECHO']);
    expect(handshakes[0]?.url).toBe('/api/v1/events/stream?consumer_id=a%2Fb');
    expect(handshakes[0]?.headers['x-allsource-internal-token']).toBeUndefined();
    const closed = Promise.withResolvers<number>();
    client.on('close', (code) => closed.resolve(code));
    for (const server of sockets.clients) server.close(1008);
    expect(await closed.promise).toBe(1008);
  });

  it('that core refuses, or that leads nowhere, is refused with the reason', async () => {
    const { url, core } = await world();
    core.server.on('upgrade', (_request, socket) => {
      const body = '{"error":"This key is not valid","code":"unauthenticated"}';
      socket.end(
        `HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
    const refusal = async (path: string) => {
      const client = new WebSocket(url.replace('http', 'ws') + path);
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        client.on('unexpected-response', (_request, response) => resolve(response));
        client.on('error', reject);
      });
      return [answer.statusCode, JSON.parse(await bodyOf(answer)).error.code];
    };
    expect(await refusal('/api/v1/events/stream')).toEqual([401, 'unauthenticated']);
    expect(await refusal('/api/v1/anything')).toEqual([404, 'route_not_found']);
  });

  it('ends when the service stops', async () => {
    const { url, core, service } = await gatewayWorld();
    const sockets = new WebSocketServer({ noServer: true });
    core.server.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, () => {});
    });
    const client = new WebSocket(`${url.replace('http', 'ws')}/api/v1/events/stream`);
    await new Promise((resolve) => client.once('open', resolve));
    const closed = new Promise((resolve) => client.once('close', resolve));
    await service.close();
    await expect(closed).resolves.toBe(1006);
    sockets.close();
    await core.close();
  });
});

describe('keys', () => {
  it('work here as soon as core has them, and unknown ones are refused', async () => {
    const { ask, core } = await world();
    expect((await ask('/api/v1/stats', { key: 'a-new-key' })).status).toBe(401);
    for (let i = 0; i < 5; i++) {
      core.addKey(`a-new-key-${i}`, { tenant: `new-${i}`, role: 'readonly' });
      expect((await ask('/api/v1/stats', { key: `a-new-key-${i}` })).status).toBe(200);
      expect((await ask(`/api/v1/stats?tenant_id=new-${i}`, { key: ADMIN })).status).toBe(200);
    }
    const hidden = await ask('/api/v1/stats?tenant_id=other', { key: ACME });
    const absent = await ask('/api/v1/stats?tenant_id=nowhere', { key: ACME });
    expect([hidden.status, absent.status]).toEqual([403, 403]);
  });
});

describe('a gateway without core', () => {
  it('starts, says what it waits for, refuses nobody as unknown, and recovers', async () => {
    const lost = await gatewayWorld();
    const port = new URL(lost.core.url).port;
    await lost.core.close();
    const made = await gatewayWorld({ CORE_URL: `http://127.0.0.1:${port}` }, false);
    cleanups.push(() => made.close());
    const waiting = await made.ask('/readyz');
    expect([waiting.status, waiting.body['status']]).toEqual([503, 'not_ready']);
    expect((await made.ask('/livez')).status).toBe(200);
    expect((await made.ask('/health')).body['status']).toBe('unhealthy');
    expect((await made.ask('/api/v1/stats', { key: ACME })).status).toBe(503);
    await made.core.close();
    await made.core.listen(Number(port));
    await untilReady(made);
    expect((await made.ask('/api/v1/stats', { key: ACME })).status).toBe(200);
    expect((await made.ask('/api/v1/health')).body['status']).toBe('healthy');
    await lost.service.close();
  });

  it('answers reads and writes with 503 while core is away, eventual reads excepted', async () => {
    const { ask, core, service } = await gatewayWorld();
    core.append('acme', [{ type: 'a.b', entity: 'e' }]);
    expect((await ask('/api/v1/stats', { key: ACME })).body['total_events']).toBe(1);
    await core.close();
    const write = await ask('/api/v1/events', { method: 'POST', key: ACME, body: '{}' });
    expect(write).toMatchObject({ status: 503, body: { outcome: 'not_done' } });
    expect((await ask('/api/v1/stats', { key: ACME })).status).toBe(503);
    const eventual = await ask('/api/v1/stats?consistency=eventual', { key: ACME });
    expect(eventual.body['total_events']).toBe(1);
    await service.close();
  });
});

describe('a request that core has forwarded', () => {
  const marked = { 'x-allsource-forwarded-by': 'core' };

  it('is answered from the read stores, and never forwarded back to core', async () => {
    const { ask, core, service } = await world();
    core.append('acme', [{ type: 'a.b', entity: 'e' }]);
    const own = await ask('/api/v1/entities', { key: ACME, headers: marked });
    expect([own.status, own.body['total']]).toEqual([200, 1]);
    const paths = service.routes
      .filter(({ method, path }) => method === 'GET' && path.startsWith('/api/v1/'))
      .map(({ path }) => path.replaceAll(/:\w+/g, 'x').replace('{/*below}', ''));
    for (const path of paths) await ask(path, { key: ADMIN, headers: marked });
    expect(core.arrivals).toEqual([]);
    const state = await ask('/api/v1/projections/mine/e/state', { key: ACME, headers: marked });
    expect(state).toMatchObject({ status: 508, body: { error: { code: 'forwarding_loop' } } });
    const again = await ask('/api/v1/projections/mine/e/state', { key: ACME });
    expect(again.status).toBe(200);
    expect(core.arrivals.map(({ headers }) => headers['x-allsource-forwarded-by'])).toEqual([
      'gateway',
    ]);
  });
});

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
    cleanups.push(() => second.close());
    const after = await second.ask('/api/v1/events/query', { key: ACME });
    expect(after.text).toBe(before.text);
    expect((await second.ask('/api/v1/stats', { key: ACME })).body['total_events']).toBe(30);
    // The projections stand at the end, the history at the end of its last whole block; neither begins anew.
    expect(first.core.feedsFrom).toHaveLength(2);
    expect(Math.min(...first.core.feedsFrom)).toBeGreaterThan(24);
  });
});
