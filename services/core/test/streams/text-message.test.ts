import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { textMessage } from '../../src/feed/text-message.ts';

const LENGTHS = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];

/** The texts that a WebSocket client reads out of some bytes behind the handshake. */
async function received(bytes: Buffer, count: number): Promise<string[]> {
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, connection, head) =>
    sockets.handleUpgrade(request, connection, head, () => connection.write(bytes)),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    return await new Promise((resolve, reject) => {
      const texts: string[] = [];
      client.on('error', reject);
      client.on('message', (data, isBinary) => {
        texts.push(isBinary ? 'binary' : (data as Buffer).toString());
        if (texts.length === count) resolve(texts);
      });
    });
  } finally {
    client.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('text messages', () => {
  it('of any length are taken by a WebSocket', async () => {
    const texts = [...LENGTHS.map((length) => 'x'.repeat(length)), 'é€😀'];
    const taken = await received(Buffer.concat(texts.map(textMessage)), texts.length);
    expect(taken.map(({ length }) => length)).toEqual(texts.map(({ length }) => length));
    expect(taken.at(-1)).toBe('é€😀');
  });
});
