/** Requests that ask for another protocol are served as if they had not, whatever stands behind them; WebSockets are given to who takes them, never before an answer that is due. */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type RawAnswer, RawConnection } from '@allsource/testkit';
import { createHttpServer, type WebSocketListener } from '../../src/http/index.ts';

const H2C = 'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n';
const WEB_SOCKET = 'connection: Upgrade\r\nupgrade: WebSocket\r\n';

let server: Server;
let connection: RawConnection;
let served: (string | undefined)[];

afterEach(async () => {
  connection.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Answers what it was asked; a request for /held when the test says so. */
async function open(onWebSocket?: WebSocketListener): Promise<void> {
  served = [];
  const options = onWebSocket === undefined ? {} : { onWebSocket };
  server = createHttpServer({ edge: 'core', ...options }, (request, response) => {
    void answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  connection = await RawConnection.open(`http://127.0.0.1:${port}`);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  served.push(request.url);
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  if (request.url === '/held') await once(server, 'go');
  const { upgrade } = request.headers;
  const text = `${request.method} ${request.url} ${upgrade ?? ''}${Buffer.concat(chunks).toString()}`;
  response.setHeader('content-length', text.length).end(text);
}

/** Shows that it has the connection, and what came behind the handshake. */
const takeOver: WebSocketListener = (_request, socket, head) => {
  const text = `taken ${head.toString()}`;
  socket.end(`HTTP/1.1 299 Taken\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
};

function get(path: string, lines = ''): string {
  return `GET ${path} HTTP/1.1\r\nhost: x\r\n${lines}\r\n`;
}

function post(path: string, body: string, lines = ''): string {
  return `POST ${path} HTTP/1.1\r\nhost: x\r\n${lines}content-length: ${body.length}\r\n\r\n${body}`;
}

function postChunked(path: string, body: string, lines = ''): string {
  return `POST ${path} HTTP/1.1\r\nhost: x\r\n${lines}transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
}

async function bodies(count: number): Promise<string[]> {
  const answers: RawAnswer[] = [];
  while (answers.length < count) answers.push(await connection.answer());
  return answers.map(({ body }) => body.trim());
}

const BEHIND = post('/b', 'abc') + get('/c');
const BODIES_BEHIND = ['POST /b abc', 'GET /c'];

describe.each([
  ['h2c', H2C, undefined],
  ['h2c, where there are WebSockets', H2C, takeOver],
  ['TLS', 'connection: upgrade\r\nupgrade: TLS/1.0\r\n', takeOver],
  ['a WebSocket, where there are none', WEB_SOCKET, undefined],
])('a request that asks for %s', (...[, asking, onWebSocket]) => {
  it.each([
    ['without a body', get('/a', asking), 'GET /a'],
    ['with a body', post('/a', 'xyz', asking), 'POST /a xyz'],
    ['with a body in chunks', postChunked('/a', 'xyz', asking), 'POST /a xyz'],
  ])('%s is served, with what stands behind it', async (...[, request, body]) => {
    await open(onWebSocket);
    connection.send(request + BEHIND);
    expect(await bodies(3)).toEqual([body, ...BODIES_BEHIND]);
    await connection.sendInPieces(request + BEHIND, 50);
    expect(await bodies(3)).toEqual([body, ...BODIES_BEHIND]);
  });
});

it('requests that ask with each leave nothing on the socket that they share', async () => {
  await open();
  const listeners: number[] = [];
  server.on('request', ({ socket }) => {
    listeners.push(socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0));
  });
  for (let i = 0; i < 20; i++) {
    connection.send(post('/a', 'abc', H2C));
    expect((await connection.answer()).headers.get('connection')).toBe('keep-alive');
  }
  expect(listeners[19]).toBe(listeners[1]);
});

it('what else the header Connection says still counts', async () => {
  await open();
  connection.send(get('/a', H2C.replace('Upgrade', 'close, Upgrade')));
  expect((await connection.answer()).headers.get('connection')).toBe('close');
  await connection.closed;
});

it('of two thousand headers the last still says how long the body is', async () => {
  await open();
  const many = H2C + 'a:\r\n'.repeat(2000);
  connection.send(post('/a', 'abc', many) + BEHIND);
  expect(await bodies(3)).toEqual(['POST /a abc', ...BODIES_BEHIND]);
});

it('a WebSocket is given away with what came behind its handshake', async () => {
  await open(takeOver);
  connection.send(`${get('/a', WEB_SOCKET)}frame`);
  expect(await connection.answer()).toMatchObject({ status: 299, body: 'taken frame' });
});

it.each([
  ['a WebSocket', WEB_SOCKET],
  ['h2c', H2C],
])(
  'one that asks for %s behind an answer that is due comes after it, and is the last',
  async (...[, asking]) => {
    await open(takeOver);
    connection.send(get('/held') + get('/a', asking) + BEHIND);
    await sleep(20);
    connection.send(get('/d'));
    await sleep(20);
    server.emit('go');
    expect(await connection.answer()).toMatchObject({ status: 200, body: 'GET /held ' });
    const last = await connection.answer();
    expect([last.status, last.body.slice(0, 6)]).toEqual([200, 'GET /a']);
    expect(last.headers.get('connection')).toBe('close');
    await connection.closed;
    expect(served).toEqual(['/held', '/a']);
  },
);

it('CONNECT is refused with a problem', async () => {
  await open();
  connection.send('CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n');
  const { status, body } = await connection.answer();
  expect([status, JSON.parse(body).code]).toEqual([405, 'method_not_allowed']);
  await connection.closed;
});
