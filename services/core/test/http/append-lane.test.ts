/** The lean lane of the append routes, over real sockets: it answers as Node's HTTP server would, and leaves to that whatever is not plain. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HEAD_PATH, INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import { RawConnection } from '@allsource/testkit';
import { HeadReader, readPlainHead } from '../../src/http/append-lane/plain-head.ts';
import { CoreWorld, KEY } from '../support/core-world.ts';

/** What the services show each other. */
const SERVICES = 'token-of-the-services-of-the-test';
const SINGLE = '/api/v1/events';
const BATCH = '/api/v1/events/batch';

let core: CoreWorld;
let entities = 0;

beforeAll(async () => {
  core = await CoreWorld.start({
    ALLSOURCE_INTERNAL_TOKEN: SERVICES,
    ALLSOURCE_BODY_BYTES_MAX: String(64 * 1024),
  });
});

afterAll(() => core.remove());

interface Sent {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

function freshEntity(): string {
  entities += 1;
  return `lane-${entities}`;
}

function event(entity: string, more: object = {}): string {
  return JSON.stringify({ event_type: 'lane.sent', entity_id: entity, payload: { a: 1 }, ...more });
}

function headLines({ path = SINGLE, headers = {} }: Sent): string[] {
  const all = {
    host: 'core',
    authorization: `Bearer ${KEY}`,
    'content-type': 'application/json',
    ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== '');
  return [`POST ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`)];
}

/** A body's UTF-8 bytes as a string of Latin-1, which is what a raw connection sends. */
function bytesOf({ body }: Sent): string {
  return Buffer.from(body, 'utf8').toString('latin1');
}

function plain(sent: Sent): string {
  const body = bytesOf(sent);
  return `${[...headLines(sent), `content-length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`;
}

/** The same request with a chunked body, which only Node's server takes. */
function chunked(sent: Sent): string {
  const bytes = bytesOf(sent);
  const body = `${bytes === '' ? '' : `${bytes.length.toString(16)}\r\n${bytes}\r\n`}0\r\n\r\n`;
  return `${[...headLines(sent), 'transfer-encoding: chunked'].join('\r\n')}\r\n\r\n${body}`;
}

/** The question of a service for the head; `lines` stand behind the others. */
function headQuestion(token: string, lines = ''): string {
  return `GET ${HEAD_PATH} HTTP/1.1\r\nHost: core\r\n${INTERNAL_TOKEN_HEADER}: ${token}\r\n${lines}\r\n`;
}

async function withConnection<T>(work: (connection: RawConnection) => Promise<T>): Promise<T> {
  const connection = await RawConnection.open(core.url);
  try {
    return await work(connection);
  } finally {
    connection.destroy();
  }
}

const exchange = (text: string) =>
  withConnection((connection) => {
    connection.send(text);
    return connection.answer();
  });

/** An answer without what differs from request to request. */
function comparable({ status, head, body }: Awaited<ReturnType<RawConnection['answer']>>) {
  const headers = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.toLowerCase())
    .filter((line) => !/^(date|content-length|x-request-id):/.test(line))
    .toSorted();
  const text = body
    .replaceAll(/"(event_id|id|timestamp|traceId|recorded_at)":"[^"]*"/g, '"$1":"-"')
    .replaceAll(/"(version|position)":\d+/g, '"$1":0')
    .replaceAll(/lane-\d+/g, 'lane');
  return { status, headers, text };
}

describe('the append lane', () => {
  it('answers as the HTTP server answers the same request with a chunked body', async () => {
    const many = {
      events: [1, 2, 3].map((n) => ({ event_type: 'a', entity_id: `lane-b${n}`, payload: n })),
    };
    const requests: (() => Sent)[] = [
      () => ({ body: event(freshEntity()) }),
      () => ({ body: event(freshEntity(), { expected_version: 0 }) }),
      () => ({ body: event('lane-conflict', { expected_version: 7 }) }),
      () => ({ body: '{"event_type":"\\u0061","entity_id":"lane-1","payload":{"ä":"ö"}}' }),
      () => ({ path: BATCH, body: JSON.stringify(many) }),
      () => ({
        path: BATCH,
        body: JSON.stringify(many),
        headers: { prefer: 'return=representation' },
      }),
      () => ({ path: BATCH, body: '{"events":[]}' }),
      () => ({ path: `${BATCH}?tenant_id=nobody`, body: JSON.stringify(many) }),
      () => ({ path: `${SINGLE}?tenant_id=default`, body: event(freshEntity()) }),
      () => ({ body: '' }),
      () => ({ body: '{"event_type":' }),
      () => ({ body: '[]' }),
      () => ({ body: event('') }),
      () => ({ body: event(freshEntity()), headers: { authorization: '' } }),
      () => ({ body: event(freshEntity()), headers: { authorization: 'Bearer wrong' } }),
      () => ({ body: event(freshEntity()), headers: { authorization: '', 'x-api-key': KEY } }),
      () => ({ body: event(freshEntity()), headers: { 'content-type': 'text/plain' } }),
      () => ({ body: event(freshEntity()), headers: { 'content-encoding': 'gzip' } }),
      () => ({ body: event(freshEntity()), headers: { 'idempotency-key': 'x'.repeat(300) } }),
      () => ({ path: '/api/v1/nothing', body: '{}' }),
    ];
    for (const make of requests) {
      const byLane = await exchange(plain(make()));
      const byServer = await exchange(chunked(make()));
      expect(comparable(byLane)).toEqual(comparable(byServer));
    }
  });

  it('gives the first answer again for a known key, on either way', async () => {
    const sent = { body: event(freshEntity()), headers: { 'idempotency-key': 'lane-key' } };
    const first = await exchange(plain(sent));
    const again = await exchange(plain(sent));
    const other = await exchange(chunked(sent));
    expect(first.head).not.toMatch(/idempotent-replayed/i);
    for (const replay of [again, other]) {
      expect(replay.head).toMatch(/idempotent-replayed: true/i);
      expect(replay.body).toBe(first.body);
    }
  });

  it('serves requests sent ahead one after the other, in order', async () => {
    const entity = freshEntity();
    await withConnection(async (connection) => {
      connection.send(Array.from({ length: 20 }, () => plain({ body: event(entity) })).join(''));
      for (let version = 1; version <= 20; version++)
        expect(JSON.parse((await connection.answer()).body)).toMatchObject({ version });
    });
  });

  it.each([1, 7, 64, 300])('takes a request that comes in pieces of %i bytes', async (bytes) => {
    const body = event(freshEntity(), { payload: { text: 'x'.repeat(bytes * 20) } });
    const text = plain({ body });
    await withConnection(async (connection) => {
      await connection.sendInPieces(text, Math.max(bytes, Math.ceil(text.length / 60)));
      expect((await connection.answer()).status).toBe(200);
      connection.send(plain({ body: event(freshEntity()) }));
      expect((await connection.answer()).status).toBe(200);
    });
  });

  it('takes a body that comes behind its head, in pieces', async () => {
    const body = event(freshEntity(), { payload: 'y'.repeat(20_000) });
    const text = plain({ body });
    const bodyAt = text.indexOf('\r\n\r\n') + 4;
    await withConnection(async (connection) => {
      connection.send(text.slice(0, bodyAt));
      await connection.sendInPieces(text.slice(bodyAt), 1500);
      expect((await connection.answer()).status).toBe(200);
    });
  });

  it('hands a connection over to the HTTP server for other routes, which keeps it', async () => {
    await withConnection(async (connection) => {
      connection.send(plain({ body: event(freshEntity()) }));
      expect((await connection.answer()).status).toBe(200);
      connection.send('GET /livez HTTP/1.1\r\nhost: core\r\n\r\n');
      expect((await connection.answer()).status).toBe(200);
      connection.send(plain({ body: event(freshEntity()) }));
      expect((await connection.answer()).status).toBe(200);
      connection.send('GET /livez HTTP/1.1\r\nhost: core\r\nconnection: close\r\n\r\n');
      expect((await connection.answer()).status).toBe(200);
      await connection.closed;
    });
  });

  it('hands over what was sent ahead of another route too', async () => {
    await withConnection(async (connection) => {
      const append = plain({ body: event(freshEntity()) });
      connection.send(`${append}GET /livez HTTP/1.1\r\nhost: core\r\n\r\n${append}`);
      const statuses = [];
      for (let n = 0; n < 3; n++) statuses.push((await connection.answer()).status);
      expect(statuses).toEqual([200, 200, 200]);
    });
  });

  it('takes appends that ask for HTTP/2, and what is sent ahead behind them', () =>
    withConnection(async (connection) => {
      const entity = freshEntity();
      const headers = {
        connection: 'Upgrade, HTTP2-Settings',
        upgrade: 'h2c',
        'http2-settings': 'AA',
      };
      for (let i = 0; i < 3; i++) {
        connection.send(plain({ body: event(entity), headers }) + plain({ body: event(entity) }));
        connection.send(chunked({ body: event(entity), headers }));
        for (let n = 1; n <= 3; n++) {
          const answer = await connection.answer();
          expect(answer.status).toBe(200);
          expect(JSON.parse(answer.body).version).toBe(3 * i + n);
        }
      }
    }));

  it('answers a service that asks for the head again and again, beside appends', async () => {
    const question = headQuestion(SERVICES);
    await withConnection(async (connection) => {
      for (let n = 0; n < 3; n++) {
        connection.send(question);
        const before = JSON.parse((await connection.answer()).body) as { head: number };
        connection.send(plain({ body: event(freshEntity()) }));
        expect((await connection.answer()).status).toBe(200);
        connection.send(question);
        expect(JSON.parse((await connection.answer()).body)).toMatchObject({
          head: before.head + 1,
        });
      }
    });
    const byServer = await exchange(headQuestion(SERVICES, 'connection: close\r\n'));
    const byLane = await exchange(question);
    expect(byLane.body).toBe(byServer.body);
    expect(byLane.head).toMatch(/content-type: application\/json; charset=utf-8\r\n/i);
  });

  it('gives the head to nobody else, however near a question comes to that of a service', async () => {
    expect((await exchange(headQuestion(SERVICES))).status).toBe(200);
    for (const text of [
      headQuestion('guessed'),
      headQuestion(`${SERVICES.slice(0, -1)}x`),
      headQuestion('', `authorization: Bearer ${KEY}\r\n`),
    ]) {
      const { status, body } = await exchange(text);
      expect([status, JSON.parse(body)]).toMatchObject([401, { code: 'unauthenticated' }]);
    }
  });

  it('lets Node ask for the body of a request that expects to be asked', async () => {
    const body = event(freshEntity());
    const lines = [
      ...headLines({ body }),
      `content-length: ${body.length}`,
      'expect: 100-continue',
    ];
    await withConnection(async (connection) => {
      connection.send(`${lines.join('\r\n')}\r\n\r\n`);
      expect((await connection.answer()).status).toBe(100);
      connection.send(body);
      expect((await connection.answer()).status).toBe(200);
    });
  });

  it('refuses a body over the limit with 413 and stores nothing of it', async () => {
    const entity = freshEntity();
    const answer = await exchange(plain({ body: event(entity, { payload: 'z'.repeat(70_000) }) }));
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'body_too_large', limit_bytes: 65_536 });
    const next = await exchange(plain({ body: event(entity, { expected_version: 0 }) }));
    expect(next.status).toBe(200);
  });

  it('answers a client that sends nothing more, and then closes', async () => {
    await withConnection(async (connection) => {
      connection.send(plain({ body: event(freshEntity()) }));
      connection.halfClose();
      expect((await connection.answer()).status).toBe(200);
      await connection.closed;
    });
  });

  it('appends nothing of a request whose body is cut off', async () => {
    const entity = freshEntity();
    const text = plain({ body: event(entity) });
    await withConnection(async (connection) => {
      connection.send(text.slice(0, -5));
      connection.halfClose();
      await connection.closed;
    });
    const next = await exchange(plain({ body: event(entity, { expected_version: 0 }) }));
    expect(next.status).toBe(200);
  });

  it('stores an append whose client leaves before its answer', async () => {
    const entity = freshEntity();
    const connection = await RawConnection.open(core.url);
    connection.send(plain({ body: event(entity) }));
    connection.halfClose();
    await connection.answer();
    connection.destroy();
    const next = await exchange(plain({ body: event(entity, { expected_version: 1 }) }));
    expect(next.status).toBe(200);
  });

  it('lets a stopping core close the connections of the lane', async () => {
    const other = await CoreWorld.start();
    const connection = await RawConnection.open(other.url);
    connection.send(plain({ body: event('stopping') }));
    expect((await connection.answer()).status).toBe(200);
    await other.remove();
    await connection.closed;
  });
});

function headOf(...lines: string[]) {
  return readPlainHead(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
}

/** A request with a key, as one chunk. */
function chunk(key: string, body: string): Buffer {
  const head = [
    `POST ${SINGLE} HTTP/1.1`,
    'Host: core',
    `Idempotency-Key: ${key}`,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}

describe('a plain head', () => {
  const LINE = `POST ${SINGLE} HTTP/1.1`;
  const HOST = 'Host: core';
  const LENGTH = 'Content-Length: 2';

  it('is read with its route, query, headers and the place of its body', () => {
    const read = headOf(
      `POST ${BATCH}?tenant_id=a HTTP/1.1`,
      HOST,
      LENGTH,
      'X-Api-Key:  k ',
      'Accept:',
    );
    expect(read).toMatchObject({ path: BATCH, query: 'tenant_id=a', bodyBytes: 2 });
    expect(read?.headers).toMatchObject({ host: 'core', 'x-api-key': 'k', accept: '' });
  });

  it.each([
    ['no length', [LINE, HOST]],
    ['two lengths', [LINE, HOST, LENGTH, LENGTH]],
    ['two lengths in one line', [LINE, HOST, 'Content-Length: 2, 2']],
    ['a signed length', [LINE, HOST, 'Content-Length: +2']],
    ['a hexadecimal length', [LINE, HOST, 'Content-Length: 0x2']],
    ['a length too long for a number', [LINE, HOST, `Content-Length: ${'1'.repeat(20)}`]],
    ['a transfer encoding', [LINE, HOST, LENGTH, 'Transfer-Encoding: chunked']],
    ['a transfer encoding in capitals', [LINE, HOST, LENGTH, 'TRANSFER-ENCODING: identity']],
    ['a content encoding', [LINE, HOST, LENGTH, 'Content-Encoding: gzip']],
    ['an upgrade', [LINE, HOST, LENGTH, 'Upgrade: websocket']],
    ['an expectation', [LINE, HOST, LENGTH, 'Expect: 100-continue']],
    ['a connection to be closed', [LINE, HOST, LENGTH, 'Connection: close']],
    ['a space before the colon', [LINE, HOST, LENGTH, 'Transfer-Encoding : chunked']],
    ['a folded line', [LINE, HOST, LENGTH, 'X-A: b', ' Transfer-Encoding: chunked']],
    ['a bare line feed', [LINE, HOST, LENGTH, 'X-A: b\nTransfer-Encoding: chunked']],
    ['a bare carriage return', [LINE, HOST, LENGTH, 'X-A: b\rTransfer-Encoding: chunked']],
    ['a zero byte', [LINE, HOST, LENGTH, 'X-A: \0']],
    ['a byte beyond ASCII', [LINE, HOST, LENGTH, 'X-A: \u00e9']],
    ['a header twice', [LINE, HOST, LENGTH, 'X-A: 1', 'x-a: 2']],
    ['a header without a name', [LINE, HOST, LENGTH, ': 1']],
    ['a header without a colon', [LINE, HOST, LENGTH, 'oops']],
    ['no host', [LINE, LENGTH]],
    ['two hosts', [LINE, HOST, 'host: other', LENGTH]],
    ['another version', [`POST ${SINGLE} HTTP/1.0`, HOST, LENGTH]],
    ['another method', [`PUT ${SINGLE} HTTP/1.1`, HOST, LENGTH]],
    ['another route', ['POST /api/v1/other HTTP/1.1', HOST, LENGTH]],
    ['an absolute target', [`POST http://core${SINGLE} HTTP/1.1`, HOST, LENGTH]],
    ['two spaces', [`POST  ${SINGLE} HTTP/1.1`, HOST, LENGTH]],
    ['an escaped path', ['POST /api/v1/%65vents HTTP/1.1', HOST, LENGTH]],
  ])('is not one with %s', (_, lines) => {
    expect(headOf(...lines)).toBeNull();
  });

  it('is read once when it comes again, and anew when a byte of it differs', () => {
    const heads = new HeadReader();
    const chunks = [
      chunk('a', '{}'),
      chunk('a', '[]'),
      chunk('b', '[]'),
      chunk('a', '[1]'),
      chunk('long'.repeat(500), '[1]'),
      chunk('a', '[1]').subarray(0, 20),
      chunk('a', '[1]'),
    ];
    const read = chunks.map((each) => heads.read(each));
    expect(read).toEqual(chunks.map(readPlainHead));
    expect(read[1]).toBe(read[0]);
    expect(read[6]).toBe(read[3]);
  });

  it('does not take names of JavaScript for headers', () => {
    const read = headOf(LINE, HOST, LENGTH, 'constructor: a', '__proto__: b');
    expect(read).toBeNull(); // An underscore is not of the plain form.
    expect(headOf(LINE, HOST, LENGTH, 'constructor: a')?.headers).toMatchObject({
      constructor: 'a',
    });
  });
});
