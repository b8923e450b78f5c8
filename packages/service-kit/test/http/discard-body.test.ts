import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from '@jest/globals';
import { RawConnection } from '@allsource/testkit';
import { discardBody } from '../../src/http/index.ts';

it('refused bodies of one connection leave nothing on its socket', async () => {
  const listeners: number[] = [];
  const server = createServer((request, response) => {
    listeners.push(request.socket.listenerCount('close'));
    discardBody(request);
    request.once('end', () => response.writeHead(400).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connection = await RawConnection.open(`http://127.0.0.1:${port}`);
  for (let i = 0; i < 5; i++) {
    connection.send('POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\n');
    // The body comes when the request is refused already.
    while (listeners.length === i) await new Promise((resolve) => setImmediate(resolve));
    connection.send('body');
    expect((await connection.answer()).status).toBe(400);
  }
  connection.destroy();
  server.close();
  expect(new Set(listeners).size).toBe(1);
});
