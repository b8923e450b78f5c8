/** What the gateway hands on to core: writes, streams and WebSockets, with a stand-in core behind it. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups, RawConnection } from '@allsource/testkit';
import { WebSocket, WebSocketServer } from 'ws';
import { ACME, type GatewayWorld, gatewayWorld } from './gateway-world.ts';
import { bodyOf } from './stand-in-core.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

async function world(settings?: Record<string, string>, ready?: boolean): Promise<GatewayWorld> {
  const made = await gatewayWorld(settings, ready);
  cleanups.add(() => made.close());
  return made;
}

const JSON_BODY = { 'content-type': 'application/json' };

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
        cleanups.add(() => void sending.destroy());
      });
      expect(answer.statusCode).toBe(413);
      expect(await bodyOf(answer)).toContain('"limit_bytes":100000');
    }
  });
});

function headOf(method: string, path: string, lines = ''): string {
  return `${method} ${path} HTTP/1.1\r\nhost: x\r\nx-api-key: ${ACME}\r\n${lines}`;
}

function append(lines = ''): string {
  return `${headOf('POST', '/api/v1/events', lines)}content-length: 2\r\n\r\n{}`;
}

async function openConnection(url: string): Promise<RawConnection> {
  const connection = await RawConnection.open(url);
  cleanups.add(() => connection.destroy());
  return connection;
}

describe('requests on one connection', () => {
  it('are served whether or not they ask for HTTP/2', async () => {
    const { url, core } = await world();
    const h2c = 'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n';
    const connection = await openConnection(url);
    for (let i = 0; i < 3; i++) {
      expect((await connection.ask(append(h2c))).status).toBe(201);
      const read = `${headOf('GET', '/api/v1/events/query?limit=1', h2c)}\r\n`;
      connection.send(read + append());
      expect(JSON.parse((await connection.answer()).body)).toMatchObject({ count: 0 });
      expect((await connection.answer()).status).toBe(201);
    }
    expect(core.arrivals).toHaveLength(6);
    for (const { headers } of core.arrivals) {
      expect(headers.upgrade).toBeUndefined();
      expect(headers['http2-settings']).toBeUndefined();
    }
  });

  it('have the answers of their reads before what is no HTTP behind them is refused', async () => {
    const { url } = await world();
    const connection = await openConnection(url);
    connection.send(`${`${headOf('GET', '/api/v1/events/query')}\r\n`.repeat(3)}nonsense\r\n\r\n`);
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await connection.answer()).status);
    expect(statuses).toEqual([200, 200, 200, 400]);
  });

  it.each([
    ['what is no HTTP', 'nonsense\r\n\r\n', 400],
    [
      'a WebSocket',
      `${headOf('GET', '/api/v1/events/stream')}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`,
      426,
    ],
  ])('have their answers before %s behind them has its own', async (...[, behind, status]) => {
    const { url, core } = await world();
    core.answer = async (request, response) => {
      await sleep(request.method === 'POST' ? 50 : 0);
      const body = request.method === 'POST' ? '{}' : '{"code":"upgrade_required"}';
      response.writeHead(request.method === 'POST' ? 200 : 426, JSON_BODY).end(body);
    };
    const connection = await openConnection(url);
    connection.send(append() + append() + behind);
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await connection.answer()).status);
    expect(statuses).toEqual([201, 201, status]);
    await connection.closed;
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
    cleanups.add(() => void client.destroy());
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
    cleanups.add(() => sockets.close());
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
        `HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\nwww-authenticate: Bearer\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    });
    const refusal = async (path: string) => {
      const client = new WebSocket(url.replace('http', 'ws') + path);
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        client.on('unexpected-response', (_request, response) => resolve(response));
        client.on('error', reject);
      });
      const { statusCode, statusMessage, headers } = answer;
      const { code } = JSON.parse(await bodyOf(answer)).error;
      return { status: `${statusCode} ${statusMessage}`, code, headers };
    };
    expect(await refusal('/api/v1/events/stream')).toMatchObject({
      status: '401 Unauthorized',
      code: 'unauthenticated',
      headers: { 'www-authenticate': 'Bearer', connection: 'close' },
    });
    expect(await refusal('/api/v1/anything')).toMatchObject({
      status: '404 Not Found',
      code: 'route_not_found',
    });
    await core.close();
    expect(await refusal('/api/v1/events/stream')).toMatchObject({
      status: '503 Service Unavailable',
      code: 'upstream_unavailable',
      headers: { 'retry-after': '1' },
    });
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
