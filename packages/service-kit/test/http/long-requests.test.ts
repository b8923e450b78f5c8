/** Node's time limit for requests on a real server: an exempted request outlives it, and no other does. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from '@jest/globals';
import { allowLongRequest, allowLongRequests } from '../../src/http/long-requests.ts';

const LIMITS = { headersTimeout: 40, requestTimeout: 80, connectionsCheckingInterval: 20 };
let server: Server | null = null;

afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
});

async function serve(onRequest: (request: IncomingMessage) => void): Promise<number> {
  server = createServer(LIMITS, (request, response) => {
    onRequest(request);
    request.resume().once('end', () => response.end('all of it'));
  });
  allowLongRequests(server);
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
