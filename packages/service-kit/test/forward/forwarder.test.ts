/** How long a service behind is waited for: while its answer is due, and not while the client's body is. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Cleanups, RawConnection } from '@allsource/testkit';
import { Forwarder, gatewayErrorBody, Upstream } from '../../src/forward/index.ts';
import { createApp } from '../../src/http/index.ts';
import { HttpMetrics } from '../../src/observability/index.ts';

const SILENCE_MS = 60;
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };
const HEAD = 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n';
const cleanups = new Cleanups();
let connection: RawConnection;
/** Answers in the place of the service behind. */
let behind: RequestListener;

beforeEach(async () => {
  const urlBehind = await serve(createServer((request, response) => behind(request, response)));
  const upstream = new Upstream('core', urlBehind, SILENCE_MS);
  cleanups.add(() => upstream.close());
  const forwarder = new Forwarder({
    name: 'gateway',
    translateError: gatewayErrorBody,
    bodyBytesMax: 1_000_000_000,
    live: null,
    logger: SILENT,
    onOutcome: () => undefined,
  });
  const app = createApp({
    edge: 'gateway',
    routes: [
      {
        method: 'POST',
        path: '/a',
        needs: 'public',
        summary: '',
        handle: (call) => forwarder.forward(call, { upstream }),
      },
    ],
    guard: () => null,
    resolveTenant: ({ tenantId }) => tenantId,
    logger: SILENT,
    metrics: new HttpMetrics('test'),
  });
  connection = await RawConnection.open(await serve(createServer(app)));
  cleanups.add(() => connection.destroy());
});

afterEach(() => cleanups.run());

async function serve(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.add(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Waits for the body, or gives it up. */
const patient: RequestListener = (request, response) => {
  const timer = setTimeout(() => response.writeHead(408).end('{"code":"stream_silent"}'), 500);
  request.resume().once('end', () => response.end('served'));
  request.once('close', () => clearTimeout(timer));
};

it.each([
  ['nothing', ''],
  ['half', '01234'],
])(
  'a client that has sent %s of its body has as long as the service behind gives it',
  async (...[, half]) => {
    behind = patient;
    connection.send(HEAD + half);
    const { status, body } = await connection.answer();
    expect([status, JSON.parse(body).code]).toEqual([408, 'stream_silent']);
  },
);

it('a client that pauses and goes on is served', async () => {
  behind = patient;
  connection.send(`${HEAD}01234`);
  await sleep(4 * SILENCE_MS);
  connection.send('56789');
  expect(await connection.answer()).toMatchObject({ status: 200, body: 'served' });
});

it.each([
  ['has the whole body', (request: IncomingMessage) => void request.resume(), '56789'],
  ['takes nothing more of the body', () => undefined, 'x'.repeat(50_000_000)],
])('a service behind that %s is waited for as long as ever', async (...[, take, rest]) => {
  behind = take;
  connection.send(`${HEAD.replace('10', String(5 + rest.length))}01234`);
  await sleep(2 * SILENCE_MS);
  connection.send(rest);
  const { status, body } = await connection.answer();
  expect([status, JSON.parse(body).code]).toEqual([503, 'upstream_unavailable']);
});
