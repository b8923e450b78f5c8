/** What clients do wrong is theirs: core's own log, which people are woken by, has no error of it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { CoreProcess } from '../support/core-process.ts';

const core = new CoreProcess({ environment: { ALLSOURCE_LOG_LEVEL: 'error' } });

afterEach(() => core.remove());

/** Sends an append whose chunks break off in the middle, in the way that the ending says, and waits until the connection is closed. */
async function sendBroken(path: string, ending: string): Promise<void> {
  const { hostname, port } = new URL(core.url);
  const socket = connect(Number(port), hostname);
  const { authorization } = core.credentials;
  socket.on('error', () => {});
  socket.resume();
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: core\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"eve${ending}`,
  );
  if (ending === '') socket.end();
  await once(socket, 'close');
}

it('bodies that break off leave no error in the log of core', async () => {
  await core.start();
  for (const path of ['/api/v1/events', '/api/v1/events/batch'])
    for (const ending of ['', 'zz\r\n\r\n']) await sendBroken(path, ending);
  expect((await core.ask({ path: '/livez' })).status).toBe(200);
  expect(core.output).not.toContain('"level":50');
});
