import { createServer } from 'node:net';
import { expect, it } from '@jest/globals';
import { chooseFreePort } from '../../src/http/port-check.ts';

const EPHEMERAL_FIRST = 32_768;

it('a port of 0 becomes a free one that no outgoing connection is given', async () => {
  for (let i = 0; i < 20; i++) {
    const port = await chooseFreePort('127.0.0.1');
    expect(port).toBeGreaterThan(1_024);
    expect(port).toBeLessThan(EPHEMERAL_FIRST);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  }
});

it('an address that is not of this machine is told as it is', async () => {
  await expect(chooseFreePort('192.0.2.1')).rejects.toThrow('192.0.2.1');
});
