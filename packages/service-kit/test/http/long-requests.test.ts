/** Node's time limit for requests on a real server: an exempted request outlives it, and no other does; and what a broken request is answered. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from '@jest/globals';
import { RawConnection } from '@allsource/testkit';
import { allowLongRequest, allowLongRequests } from '../../src/http/long-requests.ts';
import { PendingAnswers } from '../../src/http/pending-answers.ts';

const TIMES = { headersTimeout: 40, requestTimeout: 80, connectionsCheckingInterval: 20 };
let server: Server | null = null;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

async function serve(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<number> {
  server = createServer({ ...TIMES, maxHeaderSize: 16_384 }, (request, response) => {
    onRequest(request, response);
    request.resume().once('end', () => response.end('all of it'));
  });
  allowLongRequests(server, { edge: 'core', answers: new PendingAnswers(server) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Sends half a request, waits for several times the limit, sends the rest unless the socket has ended, and returns the answer. */
async function sendSlowly(port: number, first: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  const ended = once(socket, 'close');
  socket.write(first);
  const waiting = new AbortController();
  const { signal } = waiting;
  await Promise.race([sleep(400, undefined, { signal }).catch(() => undefined), ended]);
  waiting.abort();
  if (socket.writable) socket.write('0123456789');
  while (!answer.includes('all of it') && !socket.destroyed) await sleep(5);
  socket.destroy();
  return answer;
}

const HALF = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n';

it('a request that was exempted may take longer than the limit', async () => {
  const port = await serve((request) => allowLongRequest(request));
  expect(await sendSlowly(port, HALF)).toContain('HTTP/1.1 200 OK');
});

it('another request is answered 408 at the limit, and one that is no HTTP 400', async () => {
  const port = await serve(() => {});
  expect(await sendSlowly(port, HALF)).toContain('HTTP/1.1 408 Request Timeout');
  expect(await sendSlowly(port, 'nonsense\r\n\r\n')).toContain('HTTP/1.1 400 Bad Request');
});

it.each([
  ['that is too slow', HALF, 'request_too_slow', 'whole in time'],
  ['that is no HTTP', 'nonsense\r\n\r\n', 'malformed_request', 'Invalid method encountered'],
  [
    'of negative length',
    HALF.replace('10', '-5'),
    'malformed_request',
    'Invalid character in Content-Length',
  ],
  [
    'with large headers',
    HALF.replace('x', 'x'.repeat(20_000)),
    'headers_too_large',
    'the limit of 16384 bytes',
  ],
])('a request %s is answered with a problem', async (...[, request, code, text]) => {
  const port = await serve(() => {});
  const [head = '', body = ''] = (await sendSlowly(port, request)).split('\r\n\r\n');
  expect(head.toLowerCase()).toContain('content-type: application/problem+json');
  expect(head.toLowerCase()).toContain(`content-length: ${Buffer.byteLength(body)}`);
  const answer = JSON.parse(body);
  expect(answer).toMatchObject({ code, status: Number(head.slice(9, 12)) });
  expect(answer.error).toContain(text);
});

it('a request that breaks when its answer has begun gets nothing in the middle of that answer', async () => {
  const port = await serve((request, response) => {
    allowLongRequest(request);
    response.write('the first line');
  });
  const answer = await sendSlowly(
    port,
    'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n',
  );
  expect(answer.match(/HTTP\/1.1/g)).toEqual(['HTTP/1.1']);
  expect(answer).not.toContain('malformed_request');
});

/** A server whose answers wait until they are let go, with their requests. */
async function serveHeld(): Promise<{
  readonly connection: RawConnection;
  readonly letGo: () => void;
}> {
  const held: (() => void)[] = [];
  server = createServer((request, response) => {
    const text = `answer to ${request.url}`;
    request.resume();
    held.push(() => response.setHeader('content-length', text.length).end(text));
  });
  allowLongRequests(server, { edge: 'core', answers: new PendingAnswers(server) });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = await RawConnection.open(`http://127.0.0.1:${port}`);
  return {
    connection,
    letGo: () => {
      for (const end of held.splice(0)) end();
    },
  };
}

const PIPELINED = '/a /b'.split(' ').map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);

it.each([
  ['what is no HTTP', ['nonsense\r\n\r\n', 'and more of it']],
  [
    'a body that breaks',
    [`${HALF.replace('content-length: 10', 'transfer-encoding: chunked')}zz\r\n`],
  ],
])('%s behind requests is answered when they are', async (...[, broken]) => {
  const { connection, letGo } = await serveHeld();
  connection.send(PIPELINED.join(''));
  for (const text of broken) {
    connection.send(text);
    await sleep(20);
  }
  letGo();
  const bodies = [await connection.answer(), await connection.answer()].map(({ body }) => body);
  expect(bodies).toEqual(['answer to /a', 'answer to /b']);
  await connection.closed;
});

it('what is no HTTP behind a request is refused behind its answer', async () => {
  const { connection, letGo } = await serveHeld();
  connection.send(`${PIPELINED[0]}nonsense\r\n\r\n`);
  await sleep(20);
  letGo();
  expect(await connection.answer()).toMatchObject({ status: 200, body: 'answer to /a' });
  expect(await connection.answer()).toMatchObject({ status: 400 });
  await connection.closed;
});
