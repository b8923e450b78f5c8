import { Agent, createServer, get, type ServerResponse } from 'node:http';
import { expect, it } from '@jest/globals';
import { closeServer, listen } from '../../src/http/listen.ts';

const NEVER_MS = 3_600_000;

it('a server that closes answers what runs, and does not wait for clients that keep their connections', async () => {
  const { promise: running, resolve: begin } = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, response) => begin(response));
  server.keepAliveTimeout = NEVER_MS;
  const port = await listen(server, { host: '127.0.0.1', port: 0, portSetting: 'CORE_PORT' });
  const agent = new Agent({ keepAlive: true });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode));
    }).once('error', reject);
  });
  const response = await running;
  // Without the sweep this waits for an hour.
  const closed = closeServer(server, NEVER_MS);
  response.end('done');
  expect(await answered).toBe(200);
  await closed;
  agent.destroy();
});
