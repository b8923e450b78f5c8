/** The configuration of NATS that compose and Kubernetes use, in a real server: who may log in, and who may do what. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { natsAddress } from '@allsource/service-kit/config';
import { COMMITS_SUBJECT } from '@allsource/shared/protocol';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { freePorts } from '../support/free-ports.ts';
import { REPOSITORY } from '../support/running-store.ts';
import { reportNotTested } from '@allsource/testkit';
import { findOrInstallTool } from './tool.ts';

const CONFIG = join(REPOSITORY, 'deploy/k8s/base/nats.conf');
const server = findOrInstallTool('nats-server');
if (server === null) reportNotTested('deploy/k8s/base/nats.conf', 'There is no nats-server.');

(server === null ? describe.skip : describe)('deploy/k8s/base/nats.conf', () => {
  let running: ChildProcess;
  let port = 0;
  const connections: NatsConnection[] = [];

  const logIn = async (credentials: string): Promise<NatsConnection> => {
    const url = `nats://${credentials}@127.0.0.1:${port}`;
    const connection = await connect({ ...natsAddress(url), reconnect: false, timeout: 5_000 });
    connections.push(connection);
    return connection;
  };

  beforeAll(async () => {
    const [client = 0, monitor = 0] = await freePorts(2);
    port = client;
    const flags = ['--addr', '127.0.0.1', '--port', `${client}`, '--http_port', `${monitor}`];
    running = spawn(server ?? '', ['--config', CONFIG, ...flags], {
      env: { NATS_CORE_PASSWORD: 'p-core', NATS_QUERY_PASSWORD: 'p-query' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise<void>((resolve, reject) => {
      running.once('exit', (code) => reject(new Error(`nats-server ended with ${code}`)));
      running.stderr?.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('Server is ready')) resolve();
      });
    });
  });

  afterAll(async () => {
    for (const connection of connections) await connection.close();
    running.removeAllListeners('exit');
    running.kill('SIGKILL');
  });

  it('refuses who has no password or a wrong one', async () => {
    await expect(connect({ servers: `127.0.0.1:${port}`, reconnect: false })).rejects.toThrow(
      /authorization/i,
    );
    await expect(logIn('core:p-query')).rejects.toThrow(/authorization/i);
  });

  it('carries what core publishes to the query service', async () => {
    const query = await logIn('query:p-query');
    const subscription = query.subscribe(COMMITS_SUBJECT, { max: 1 });
    await query.flush();
    const core = await logIn('core:p-core');
    core.publish(COMMITS_SUBJECT, 'a frame');
    for await (const message of subscription) expect(message.string()).toBe('a frame');
  });

  it('lets the query service publish nothing and read nothing else, and core read nothing', async () => {
    const query = await logIn('query:p-query');
    const core = await logIn('core:p-core');
    const faults = await Promise.all([
      refusal(query, () => query.publish(COMMITS_SUBJECT, 'forged')),
      refusal(query, () => query.subscribe('allsource.events.>')),
      refusal(core, () => core.subscribe(COMMITS_SUBJECT)),
      refusal(core, () => core.publish('other.subject', 'x')),
    ]);
    for (const fault of faults) expect(fault).toMatch(/permission/i);
  });
});

/** What the server answers to a forbidden act: an error in the connection's status. */
async function refusal(connection: NatsConnection, act: () => unknown): Promise<string> {
  const statuses = connection.status();
  act();
  for await (const status of statuses) {
    if (status.type === 'error') return String(status.error);
  }
  return 'the connection was closed';
}
