/** What Node would refuse with an empty body is refused with a problem, in the form of the edge; nothing of it reaches a route. */
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type RawAnswer, RawConnection } from '@allsource/testkit';
import type { ErrorEdge } from '@allsource/shared/errors';
import { createHttpServer } from '../../src/http/create-http-server.ts';

let server: Server;
let served: string[];

beforeEach(() => {
  served = [];
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

async function ask(request: string, edge: ErrorEdge = 'core'): Promise<RawAnswer> {
  server = createHttpServer({ edge }, (incoming: IncomingMessage, response: ServerResponse) => {
    served.push(`${incoming.method} ${incoming.url}`);
    response.setHeader('content-length', 'served'.length);
    incoming.resume().once('end', () => response.end('served'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = await RawConnection.open(`http://127.0.0.1:${port}`);
  connection.send(request);
  const answer = await connection.answer();
  connection.socket.destroy();
  return answer;
}

it.each([
  ['without a Host', 'GET /a HTTP/1.1\r\n\r\n', 400, 'malformed_request', 'no header host'],
  [
    'without a Host, and with a body',
    'POST /a HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}',
    400,
    'malformed_request',
    'no header host',
  ],
  [
    'that expects more than to go on',
    'POST /a HTTP/1.1\r\nhost: x\r\nexpect: a-miracle\r\ncontent-length: 2\r\n\r\n{}',
    417,
    'expectation_failed',
    '"a-miracle"',
  ],
])('a request %s is refused with a problem', async (...[, request, status, code, text]) => {
  const answer = await ask(request);
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('connection')).toBe('close');
  const body = JSON.parse(answer.body);
  expect(body).toMatchObject({ status, code });
  expect(body.error).toContain(text);
  expect(served).toEqual([]);
});

it('at the gateway the error is an object', async () => {
  const { body } = await ask('GET /a HTTP/1.1\r\n\r\n', 'gateway');
  expect(JSON.parse(body).error).toMatchObject({ code: 'malformed_request' });
});

it.each([
  ['of HTTP/1.0, which needs no Host', 'GET /a HTTP/1.0\r\n\r\n'],
  ['with an empty Host', 'GET /a HTTP/1.1\r\nhost:\r\n\r\n'],
])('a request %s is served', async (...[, request]) => {
  expect(await ask(request)).toMatchObject({ status: 200, body: 'served' });
  expect(served).toEqual(['GET /a']);
});
