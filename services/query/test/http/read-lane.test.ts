/** The read lane over real sockets: it answers as Node's HTTP server does, and leaves to that whatever is not plain; kept answers are never old. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RawAnswer, RawConnection } from '@allsource/testkit';
import { PlainRequests } from '../../src/http/read-lane/plain-request.ts';
import { ACME, ADMIN, type GatewayWorld, gatewayWorld, OTHER } from '../gateway/gateway-world.ts';
import { propertySeed, Random } from '../support/random.ts';

const QUERY = '/api/v1/events/query';

let world: GatewayWorld;

beforeAll(async () => {
  world = await gatewayWorld();
  for (let i = 0; i < 30; i++)
    world.core.append('acme', [
      {
        type: i % 3 === 0 ? 'order.paid' : 'order.placed',
        entity: `order-${i % 4}`,
        payload: `{"n":${i},"t":"ä"}`,
      },
    ]);
  world.core.append('other', [{ type: 'secret', entity: 'order-1', payload: '{"of":"other"}' }]);
});
afterAll(() => world.close());

interface Sent {
  readonly key?: string | null;
  readonly headers?: string;
}

function plain(target: string, { key = ACME, headers = '' }: Sent = {}): string {
  const authorization = key === null ? '' : `Authorization: Bearer ${key}\r\n`;
  return `GET ${target} HTTP/1.1\r\nHost: gateway\r\n${authorization}${headers}\r\n`;
}

/** The same request with a header that only Node's server takes. */
function forNode(target: string, sent: Sent = {}): string {
  return plain(target, { ...sent, headers: `${sent.headers ?? ''}TE: trailers\r\n` });
}

async function withConnection<T>(work: (connection: RawConnection) => Promise<T>): Promise<T> {
  const connection = await RawConnection.open(world.url);
  try {
    return await work(connection);
  } finally {
    connection.socket.destroy();
  }
}

/** What must be the same on both ways. */
function comparable({ status, headers, body }: RawAnswer): object {
  const told = Object.fromEntries(
    [...headers]
      .filter(([name]) => !['date', 'x-request-id', 'keep-alive', 'content-length'].includes(name))
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
  const text = body.replaceAll(/"traceId":"[^"]*"/g, '""').replaceAll(/"elapsed_ms":[\d.]+/g, '""');
  return { status, told, text };
}

/** The name of the queries that are counted here, which is no other test's: a read that was given up is counted when it is noticed. */
const COUNTED = '/api/events/query';

/** Queries of that name counted so far. */
const count = async () => {
  const { text } = await world.ask('/metrics');
  return Number(
    /allsource_queries_total\{query_type="\/api\/events\/query"\} (\d+)/.exec(text)?.[1] ?? 0,
  );
};

/** How often a kept answer was sent so far. */
const hits = async () => {
  const { text } = await world.ask('/api/v1/analytics/cache/stats', { key: ADMIN });
  return Number(/"query_answers"[^}]*"hits":(\d+)/.exec(text)?.[1]);
};

describe('a read in the lane', () => {
  it.each([
    [QUERY],
    [`${QUERY}?entity_id=order-1`],
    [`${QUERY}?entity_id=order-1`],
    [`${QUERY}?entity_id=order-1&limit=2&order=desc`],
    [`/api/events/query?entity_id=order-1&limit=1`],
    [`${QUERY}?entity_id=%6Frder-1`],
    [`${QUERY}?event_type_prefix=order.p&limit=3&explain=true`],
    [`${QUERY}?payload_filter={%22n%22:7}`],
    [`${QUERY}?entity_id=nobody`],
    [`${QUERY}?limit=x`],
    [`${QUERY}?since=yesterday&entity_id=order-1`],
    [`${QUERY}?cursor=abc`],
    [`${QUERY}?cursor=`],
    [`${QUERY}?entity_id=%ff`],
    [`${QUERY}?entity_id=%zz`],
    [`${QUERY}?tenant_id=%`, { key: ADMIN }],
    [`${QUERY}?limit=1&x=%ff`, { key: 'unknown-key' }],
    ['/api/v1/events/018f0000-0000-7000-8000-000000000001?x=%ff'],
    [`${QUERY}?from_position=x`],
    [`${QUERY}?until_position=7`],
    [`${QUERY}?entity_id=`],
    [`${QUERY}?since=`],
    [`${QUERY}?consistency=eventual&limit=1`],
    [`${QUERY}?min_position=3&limit=1`],
    ['/api/v1/events/018f0000-0000-7000-8000-000000000001'],
    ['/api/v1/events/not-a-uuid'],
    [`${QUERY}?tenant_id=other`],
    [`${QUERY}?%74enant_id=other`],
    [`${QUERY}?tenant_id=nobody`, { key: ADMIN }],
    [`${QUERY}?tenant_id=other&limit=1`, { key: ADMIN }],
    [`${QUERY}?limit=1`, { key: 'unknown-key' }],
    [`${QUERY}?limit=1`, { key: null }],
    [`${QUERY}?limit=1`, { key: null, headers: `X-API-Key: ${ACME}\r\n` }],
    [`${QUERY}?limit=1`, { headers: `X-Request-Id: ${'x'.repeat(128)}\r\n` }],
    [`${QUERY}/?limit=1`],
    ['/api/v1/EVENTS/query?limit=1'],
    ['/api/v1/events/recent?limit=1'],
  ] as [string, Sent?][])('%s is answered as Node answers it', async (target, sent = {}) => {
    const ours = plain(target, sent);
    const nodes = forNode(target, sent);
    const fresh = comparable(await withConnection((connection) => connection.ask(ours)));
    // From the second time on an answer may be kept.
    for (const text of [nodes, ours, nodes, ours])
      expect(comparable(await withConnection((connection) => connection.ask(text)))).toEqual(fresh);
  });

  it('finds an event by its id', async () => {
    const { events } = JSON.parse(
      (await withConnection((c) => c.ask(plain(`${QUERY}?limit=1`)))).body,
    );
    const one = await withConnection((c) => c.ask(plain(`/api/v1/events/${events[0].id}`)));
    expect(JSON.parse(one.body).event).toEqual(events[0]);
    const foreign = await withConnection((c) =>
      c.ask(plain(`/api/v1/events/${events[0].id}`, { key: OTHER })),
    );
    expect(foreign.status).toBe(404);
  });

  it('is served in turn on one connection, also when it was sent ahead, and after it anything else is', async () => {
    await withConnection(async (connection) => {
      connection.send(
        plain(`${QUERY}?entity_id=order-0&limit=1`) +
          plain(`${QUERY}?entity_id=order-1&limit=1`) +
          plain('/livez'),
      );
      const bodies = [await connection.answer(), await connection.answer()].map(
        ({ body }) => JSON.parse(body).events[0].entity_id,
      );
      expect(bodies).toEqual(['order-0', 'order-1']);
      expect((await connection.answer()).status).toBe(200);
      expect((await connection.ask(plain(`${QUERY}?limit=1`))).status).toBe(200);
    });
  });

  it('may come in pieces', async () => {
    await withConnection(async (connection) => {
      for (const piece of plain(`${QUERY}?limit=1`).match(/.{1,40}/gs) ?? []) {
        connection.send(piece);
        await sleep(2);
      }
      expect((await connection.answer()).status).toBe(200);
    });
  });

  it('takes over a request id and makes one where there is none', async () => {
    const given = await withConnection((c) =>
      c.ask(plain(`${QUERY}?limit=1`, { headers: 'X-Request-Id: mine-1\r\n' })),
    );
    expect(given.headers.get('x-request-id')).toBe('mine-1');
    const made = await withConnection((c) => c.ask(plain(`${QUERY}?limit=1`)));
    expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is answered to a client that sends nothing more, and the connection ends', async () => {
    await withConnection(async (connection) => {
      connection.socket.end(plain(`${QUERY}?limit=1`), 'latin1');
      expect((await connection.answer()).status).toBe(200);
      await connection.closed;
    });
  });

  it('sends a long answer in chunks, as fast as the client reads, and stops when it leaves', async () => {
    const payload = `{"text":"${'x'.repeat(2000)}"}`;
    const events = Array.from({ length: 500 }, () => ({ type: 'long', entity: 'long-1', payload }));
    world.core.append('acme', events);
    await withConnection(async (connection) => {
      connection.send(plain(`${QUERY}?entity_id=long-1`));
      connection.socket.pause();
      await sleep(50);
      connection.socket.resume();
      const answer = await connection.answer();
      expect(answer.isChunked).toBe(true);
      expect(JSON.parse(answer.body)).toMatchObject({
        count: 500,
        total_count: 500,
        has_more: false,
      });
      expect((await connection.ask(plain(`${QUERY}?limit=1`))).status).toBe(200);
    });
    await withConnection(async (connection) => {
      connection.send(plain(`${QUERY}?entity_id=long-1`));
      await sleep(5);
    });
    expect((await world.ask('/readyz')).status).toBe(200);
  });

  it('counts in the metrics and for the tenant', async () => {
    const before = await count();
    await withConnection(async (c) => [
      await c.ask(plain(`${COUNTED}?limit=1`)),
      await c.ask(plain(`${COUNTED}?limit=2`)),
    ]);
    expect(await count()).toBe(before + 2);
  });
});

describe('a kept answer', () => {
  it('is never older than the last append that was acknowledged, whatever is asked in between', async () => {
    const random = new Random(propertySeed('kept answers'));
    const counts = new Map<string, number>();
    await withConnection(async (connection) => {
      for (let step = 0; step < 300; step++) {
        const entity = `kept-${random.below(3)}`;
        const tenant = random.pick(['acme', 'other']);
        const name = `${tenant}/${entity}`;
        if (random.chance(0.3)) {
          world.core.append(tenant, [{ type: 'note', entity, payload: `{"step":${step}}` }]);
          counts.set(name, (counts.get(name) ?? 0) + 1);
          continue;
        }
        const key = tenant === 'acme' ? ACME : OTHER;
        const answer = await connection.ask(
          plain(`${QUERY}?entity_id=${entity}&limit=${random.pick([1, 1000])}`, { key }),
        );
        const {
          total_count: total,
          entity_version: version,
          position,
          events,
        } = JSON.parse(answer.body);
        const expected = counts.get(name) ?? 0;
        expect([step, total, version]).toEqual([step, expected, expected]);
        expect(position).toBe(Number(answer.headers.get('x-allsource-position')));
        expect(events.every((event: { tenant_id: string }) => event.tenant_id === tenant)).toBe(
          true,
        );
      }
    });
  });

  it('is one that was asked for a second time', async () => {
    const before = await hits();
    const target = plain(`${QUERY}?entity_id=order-3&limit=7`);
    const seen = [];
    for (let time = 1; time <= 4; time++) {
      await withConnection((connection) => connection.ask(target));
      seen.push((await hits()) - before);
    }
    expect(seen).toEqual([0, 0, 1, 2]);
  });

  it('says the position of the moment, not the one at which it was made', async () => {
    const target = plain(`${QUERY}?entity_id=order-2`);
    const asked = async () => JSON.parse((await withConnection((c) => c.ask(target))).body);
    const first = await asked();
    expect(await asked()).toEqual(first);
    for (const later of [1, 2]) {
      world.core.append('acme', [{ type: 'note', entity: 'elsewhere', payload: '{}' }]);
      const again = await asked();
      expect(again.position).toBe(first.position + later);
      expect(again.events).toEqual(first.events);
    }
  });

  it('goes to nobody whose key is revoked meanwhile', async () => {
    const key = 'a-key-that-is-revoked-later';
    world.core.addKey(key, { tenant: 'acme', role: 'readonly' });
    await withConnection(async (connection) => {
      const target = `${QUERY}?entity_id=order-1`;
      for (const time of ['made', 'made and kept', 'kept'])
        expect([time, (await connection.ask(plain(target, { key }))).status]).toEqual([time, 200]);
      const revoked = JSON.stringify({ id: world.core.lastKeyId });
      world.core.append(
        '_system',
        [{ type: '_system.api_key.revoked', entity: 'api_key:x', payload: revoked }],
        true,
      );
      while ((await withConnection((c) => c.ask(plain('/api/v1/stats', { key })))).status !== 401)
        await sleep(5);
      expect((await connection.ask(plain(target, { key }))).status).toBe(401);
    });
  });
});

const read = (text: string) => new PlainRequests().read(Buffer.from(text, 'latin1'));

describe('a plain request', () => {
  const target = `${QUERY}?limit=1`;

  it('is read with its target, its headers and where it ends', () => {
    const request = read(`${plain(target)}GET /next`);
    expect(request?.target).toBe(target);
    expect(request?.headers.authorization).toBe(`Bearer ${ACME}`);
    expect(request?.endsAt).toBe(plain(target).length);
  });

  it('may have other headers than the one before it', () => {
    const requests = new PlainRequests();
    const keyOf = (key: string) =>
      requests.read(Buffer.from(plain(target, { key })))?.headers.authorization;
    expect([keyOf('one'), keyOf('one'), keyOf('two'), keyOf('six')]).toEqual([
      'Bearer one',
      'Bearer one',
      'Bearer two',
      'Bearer six',
    ]);
  });

  it.each([
    ['a body', plain(target, { headers: 'Content-Length: 2\r\n' })],
    ['a length of nothing', plain(target, { headers: 'Content-Length: 0\r\n' })],
    ['a transfer encoding', plain(target, { headers: 'Transfer-Encoding: chunked\r\n' })],
    ['an upgrade', plain(target, { headers: 'Upgrade: websocket\r\n' })],
    ['a connection to be closed', plain(target, { headers: 'Connection: close\r\n' })],
    ['a header twice', plain(target, { headers: 'Host: other\r\n' })],
    ['a folded line', plain(target, { headers: 'X-A: b\r\n c\r\n' })],
    ['a space before the colon', plain(target, { headers: 'X-A : b\r\n' })],
    ['a bare line feed', plain(target, { headers: 'X-A: b\nX-B: c\r\n' })],
    ['a byte beyond ASCII', plain(target, { headers: 'X-A: \u00e4\r\n' })],
    ['another method', plain(target).replace('GET', 'POST')],
    ['another version', plain(target).replace('HTTP/1.1', 'HTTP/1.0')],
    ['an absolute target', plain(`http://gateway${target}`)],
    ['two spaces', plain(` ${target}`)],
    ['no host', plain(target).replace('Host: gateway\r\n', '')],
    ['half a head', plain(target).slice(0, -2)],
  ])('is not one with %s', (_name, text) => {
    expect(read(text)).toBeNull();
  });
});
