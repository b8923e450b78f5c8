/** The line on which core is asked for its head: it takes the plain answer and leaves all else to the usual way. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { HeadLine } from '../../src/feed/head-line.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhead';
let server: Server | null = null;
let line: HeadLine | null = null;
const sockets: Socket[] = [];

afterEach(() => {
  line?.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
});

/** A line to a server that answers the nth question of all connections with the nth text; a null closes the connection. */
async function lineTo(answers: (string | null)[]): Promise<HeadLine> {
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      expect(chunk.toString()).toMatch(
        /^GET \/internal\/v1\/head HTTP\/1\.1\r\n[^]*: token-of-the-test\r\n\r\n$/,
      );
      const answer = answers.shift();
      if (typeof answer === 'string') socket.write(answer);
      else socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  line = HeadLine.to({ coreUrl: `http://127.0.0.1:${port}`, internalToken: 'token-of-the-test' });
  if (line === null) throw new TypeError('no line');
  return line;
}

describe('the head line', () => {
  it('asks again and again on one connection', async () => {
    const head = await lineTo([OK, OK, OK]);
    expect([await head.ask(), await head.ask(), await head.ask()]).toEqual([
      'head',
      'head',
      'head',
    ]);
    expect(sockets).toHaveLength(1);
  });

  it.each([
    ['another status', 'HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nhead'],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nhead'],
    ['no length', 'HTTP/1.1 200 OK\r\n\r\nhead'],
    ['more than it said', `${OK}more`],
    ['a broken connection', null],
    ['something endless', 'x'.repeat(2_000_000)],
  ])('answers null to %s and asks the next time on a new connection', async (_name, text) => {
    const head = await lineTo([text, OK]);
    expect(await head.ask()).toBeNull();
    expect(await head.ask()).toBe('head');
    expect(sockets).toHaveLength(2);
  });

  it('never takes an answer that came without a question for the answer to the next', async () => {
    const head = await lineTo([OK, OK.replace('head', 'newer')]);
    await head.ask();
    sockets[0]?.write(OK);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect([await head.ask(), sockets.length]).not.toEqual(['head', 1]);
  });

  it('is over when it is closed, and there is none over TLS or below a path', async () => {
    const head = await lineTo([OK]);
    head.close();
    expect(await head.ask()).toBeNull();
    expect(sockets).toHaveLength(0);
    const internalToken = 'token';
    expect(HeadLine.to({ coreUrl: 'https://core', internalToken })).toBeNull();
    expect(HeadLine.to({ coreUrl: 'http://core/below', internalToken })).toBeNull();
    expect(HeadLine.to({ coreUrl: 'http://core', internalToken: 'to\r\nken' })).toBeNull();
  });
});
