/** Core in front of a stand-in for the query service: which reads it hands on, how, and what its clients see of it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { problem, problemToWire } from '@allsource/shared/errors';
import { INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { Cleanups, type Answer, answerOf } from '@allsource/testkit';
import { CoreWorld, KEY } from '../support/core-world.ts';

/** What core hands on: one request for each route, with everything that has to survive in the path. */
const HANDED_ON = [
  '/api/v1/events/query?event_type=a.b&limit=2',
  '/api/v1/events?stream_id=e',
  '/api/v1/events/recent?limit=1',
  '/api/v1/events/entity/a%2Fb%20c',
  '/api/v1/events/type/a.b',
  '/api/v1/streams',
  '/api/v1/event-types?offset=1',
  '/api/v1/entities?order=asc',
  '/api/v1/entities/duplicates?event_type_prefix=a.&group_by=n',
  '/api/v1/entities/a%2Fb/state?as_of=2026-01-31T12:00:00%2B01:00',
  '/api/v1/entities/duplicates/snapshot',
  '/api/v1/projections',
  '/api/v1/projections/event_counters',
  '/api/v1/projections/a%2Fb/parked?limit=1',
  '/api/v1/projection-templates',
  '/api/v1/projections/entity_snapshots/a%2Fb/state',
  '/api/v1/projections/event_counters/state?limit=1',
  '/api/v1/analytics/frequency?window=day',
  '/api/v1/analytics/summary',
  '/api/v1/analytics/correlation',
  '/api/v1/analytics/cache/stats',
  '/api/v1/pipelines',
  '/api/v1/pipelines/stats',
  '/api/v1/pipelines/p/results?key=a%2Fb',
  '/api/v1/snapshots?entity_id=e',
  '/api/v1/snapshots/e/latest',
];

type Answerer = (request: IncomingMessage, response: ServerResponse) => void;
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

/** A stand-in for the query service; returns its URL. */
async function standIn(answer: Answerer): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.add(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function startCore(
  over: Record<string, string> = {},
  onUrl: (url: string) => void = () => {},
) {
  const core = await CoreWorld.start(over);
  cleanups.add(() => core.remove());
  onUrl(core.url);
  return async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await fetch(core.url + path, {
      ...init,
      headers: { authorization: `Bearer ${KEY}`, ...(init.headers as Record<string, string>) },
    });
    return await answerOf(response);
  };
}

const ok: Answerer = (_request, response) =>
  void response.writeHead(200, { 'content-type': 'application/json' }).end('{"n":1.0}');

describe('a read that the query service owns', () => {
  it.each(HANDED_ON)('GET %s is handed on as it came, and its answer too', async (path) => {
    const arrivals: IncomingMessage[] = [];
    const url = await standIn((request, response) => {
      arrivals.push(request);
      response.setHeader('x-allsource-position', '7');
      ok(request, response);
    });
    const ask = await startCore({ QUERY_URL: url });
    const answer = await ask(path, {
      headers: { 'x-request-id': 'r-1', [INTERNAL_TOKEN_HEADER]: 'guessed' },
    });
    expect([answer.status, answer.text]).toEqual([200, '{"n":1.0}']);
    expect(answer.headers.get('x-allsource-position')).toBe('7');
    expect(arrivals).toHaveLength(1);
    expect([arrivals[0]?.method, arrivals[0]?.url]).toEqual(['GET', path]);
    expect(arrivals[0]?.headers).toMatchObject({
      authorization: `Bearer ${KEY}`,
      'x-request-id': 'r-1',
      'x-allsource-forwarded-by': 'core',
    });
    expect(arrivals[0]?.headers[INTERNAL_TOKEN_HEADER]).toBeUndefined();
  });

  it('is not handed on for somebody without a key', async () => {
    let arrivals = 0;
    const url = await standIn((request, response) => {
      arrivals += 1;
      ok(request, response);
    });
    const ask = await startCore({ QUERY_URL: url });
    for (const path of HANDED_ON) {
      expect((await ask(path, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    }
    expect(arrivals).toBe(0);
  });

  it('says whom to ask where core knows no query service', async () => {
    const ask = await startCore();
    for (const path of HANDED_ON) {
      const { status, body } = await ask(path);
      expect([path, status, body]).toEqual([
        path,
        501,
        expect.objectContaining({ code: 'not_available', setting: 'QUERY_URL' }),
      ]);
      expect(body.error).toMatch(/port 3902.*QUERY_URL/);
    }
  });

  it('does not hide what core owns', async () => {
    const url = await standIn((_request, response) => void response.writeHead(500).end());
    const ask = await startCore({ QUERY_URL: url });
    const event = { event_type: 'a.b', entity_id: 'e', payload: {} };
    const made = await ask('/api/v1/events', {
      method: 'POST',
      body: JSON.stringify(event),
      headers: { 'content-type': 'application/json' },
    });
    for (const path of [
      `/api/v1/events/${made.body.event_id}`,
      '/api/v1/events/query?entity_id=e',
      '/api/v1/projections/mine/e/state',
      '/api/v1/projections/mine/state',
      '/api/v1/consumers/c',
      '/api/v1/stats',
    ])
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
    const wrong = await ask('/api/v1/events', { method: 'PUT' });
    expect([wrong.status, wrong.body.allowed]).toEqual([405, ['GET', 'POST']]);
  });
});

describe('states under the name of a projection of the store', () => {
  it("are core's where a client has saved them, and the query service's otherwise", async () => {
    const url = await standIn(ok);
    const ask = await startCore({ QUERY_URL: url });
    const json = { 'content-type': 'application/json' };
    const bulk = { method: 'POST', body: '{"entity_ids":["e"]}', headers: json };
    const base = '/api/v1/projections/event_counters';
    expect((await ask(`${base}/bulk`, bulk)).text).toBe('{"n":1.0}');
    await ask(`${base}/e/state`, { method: 'PUT', body: '{"state":2.0}', headers: json });
    expect((await ask(`${base}/e/state`)).text).toContain('"state":2.0');
    expect((await ask(`${base}/state`)).text).toContain('"state":2.0');
    expect((await ask(`${base}/bulk`, bulk)).text).toContain('"state":2.0');
    expect((await ask(`${base}/other/state`)).text).toBe('{"n":1.0}');
  });
});

/** What core answers for an error of the query service. */
async function translated(status: number, type: string, text: string): Promise<Answer> {
  const url = await standIn(
    (_request, response) => void response.writeHead(status, { 'content-type': type }).end(text),
  );
  const ask = await startCore({ QUERY_URL: url });
  return await ask('/api/v1/entities', { headers: { 'x-request-id': 'r-2' } });
}

describe('an error of the query service', () => {
  it('has the form of an error of core, with all its members', async () => {
    const failure = problem('invalid_parameter', "'limit' is wrong.", { parameter: 'limit' });
    const context = { instance: '/api/v1/entities', traceId: 'r-2' };
    const text = JSON.stringify(problemToWire(failure, 'gateway', context));
    const { status, body, headers } = await translated(400, 'application/problem+json', text);
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toEqual(problemToWire(failure, 'core', context));
    expect(body.error).toBe("Invalid input: 'limit' is wrong.");
  });

  it("is told in core's words when it cannot be read", async () => {
    for (const [type, text] of [
      ['text/plain', 'oh no'],
      ['application/json', '[1]'],
    ] as const) {
      const { status, body } = await translated(502, type, text);
      expect([status, body.code, body.upstream_status]).toEqual([502, 'upstream_unavailable', 502]);
      expect(typeof body.error).toBe('string');
    }
  });

  it('is told when it does not answer at all', async () => {
    const url = await standIn((request) => void request.socket.destroy());
    const ask = await startCore({ QUERY_URL: url });
    const { status, body } = await ask('/api/v1/entities');
    expect([status, body.code, body.upstream]).toEqual([503, 'upstream_unavailable', 'query']);
  });
});

async function mirrored(
  url: string,
  headers: Record<string, string>,
  response: ServerResponse,
): Promise<void> {
  const answer = await fetch(url, { headers });
  const type = answer.headers.get('content-type') ?? '';
  response.writeHead(answer.status, { 'content-type': type }).end(await answer.text());
}

it('a request is never handed on twice, not even where QUERY_URL leads back to core', async () => {
  let coreUrl = '';
  const arrivals: string[] = [];
  const mirror = await standIn((request, response) => {
    arrivals.push(request.url ?? '');
    const headers = request.headers as Record<string, string>;
    void mirrored(coreUrl + request.url, headers, response);
  });
  const ask = await startCore({ QUERY_URL: mirror }, (url) => {
    coreUrl = url;
  });
  const { status, body } = await ask('/api/v1/entities');
  expect([status, body.code, body.forwarded_by]).toEqual([508, 'forwarding_loop', 'core']);
  expect(arrivals).toEqual(['/api/v1/entities']);
});
