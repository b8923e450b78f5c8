/** The peers, each started on a fresh folder with its own usual settings; what differs from the defaults stands here and in the report. */
import { execFileSync } from 'node:child_process';
import { chownSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { Client } from 'pg';
import { findProgram, output } from '../environment.ts';
import { freePort, listensOn, ServerProcess } from './server-process.ts';
import type { MissingSubject, RunningSubject, Subject } from './subject.ts';

/** Every peer that the harness knows, here or not. */
export function findPeers(): (Subject | MissingSubject)[] {
  return [probe(), postgres(), sqlite(), redis(), nats()];
}

function probe(): Subject {
  return {
    name: 'plain Node probe',
    version: process.version,
    ack: 'after fdatasync',
    isDurable: true,
    clientsMax: Number.POSITIVE_INFINITY,
    async start(folder) {
      const port = await freePort();
      const server = await ServerProcess.start({
        command: process.execPath,
        args: [resolve(import.meta.dirname, 'probe-server.ts'), String(port), folder],
        isReady: () => listensOn(port),
      });
      const url = `http://127.0.0.1:${port}`;
      return running(server, { client: 'http', url });
    },
  };
}

const POSTGRES_SETTINGS = {
  fsync: 'on',
  synchronous_commit: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  // Checkpoints are kept out of the measured time, in its favour.
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
};
const POSTGRES_TABLE = `CREATE TABLE events (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_type text NOT NULL, entity_id text NOT NULL,
  payload jsonb NOT NULL, metadata jsonb, recorded_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX events_by_entity ON events (entity_id, position)`;

function postgres(): Subject | MissingSubject {
  const name = 'PostgreSQL';
  const initdb = findProgram('initdb', ['/usr/lib/postgresql/*/bin']);
  if (initdb === null) return { name, missing: 'no initdb in /usr/lib/postgresql or on the PATH' };
  const user = unprivilegedUser();
  if (user === null) return { name, missing: 'it does not run as root, and has no user postgres' };
  const programs = dirname(initdb);
  return {
    name,
    version: output(join(programs, 'postgres'), ['--version']),
    ack: 'after fdatasync (synchronous_commit=on)',
    isDurable: true,
    clientsMax: Number.POSITIVE_INFINITY,
    async start(folder) {
      if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
      const flags = ['-D', folder, '-U', 'bench', '--auth=trust', '--no-sync', '-E', 'UTF8'];
      execFileSync(initdb, [...flags, '--locale=C'], { ...user, stdio: 'pipe', cwd: '/' });
      const port = await freePort();
      const settings = Object.entries({ ...POSTGRES_SETTINGS, port: String(port) });
      const server = await ServerProcess.start({
        command: join(programs, 'postgres'),
        args: ['-D', folder, ...settings.flatMap(([key, value]) => ['-c', `${key}=${value}`])],
        ...(user.uid === undefined ? {} : { user }),
        isReady: () => listensOn(port),
      });
      const url = `postgres://bench@127.0.0.1:${port}/postgres`;
      await whenConnected(url, (client) => client.query(POSTGRES_TABLE));
      return running(server, { client: 'postgres', url, signal: 'SIGINT' });
    },
  };
}

/** PostgreSQL refuses to run as root. An empty object: the harness's own user will do. */
function unprivilegedUser(): { uid: number; gid: number } | { uid?: never; gid?: never } | null {
  if (process.getuid?.() !== 0) return {};
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return entry === null ? null : { uid: Number(entry[1]), gid: Number(entry[2]) };
}

/** It listens a moment before it lets anybody in. */
async function whenConnected(
  connectionString: string,
  work: (client: Client) => Promise<unknown>,
): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const client = new Client({ connectionString });
    try {
      await client.connect();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      continue;
    }
    await work(client);
    await client.end();
    return;
  }
}

function sqlite(): Subject {
  const manifest = createRequire(import.meta.url)('better-sqlite3/package.json') as {
    version: string;
  };
  return {
    name: 'SQLite in-process',
    version: `better-sqlite3 ${manifest.version}`,
    ack: 'after fsync (WAL, synchronous=FULL)',
    isDurable: true,
    clientsMax: 1,
    start: (folder) =>
      Promise.resolve({
        target: { client: 'sqlite', url: join(folder, 'events.db'), apiKey: '' },
        stop: () => Promise.resolve(),
      }),
  };
}

function redis(): Subject | MissingSubject {
  const name = 'Redis streams';
  const program = findProgram('redis-server');
  if (program === null) return { name, missing: 'no redis-server on the PATH' };
  return {
    name,
    version: output(program, ['--version']).replace(/ sha=.*/, ''),
    ack: 'after fdatasync (appendfsync always)',
    isDurable: true,
    clientsMax: Number.POSITIVE_INFINITY,
    async start(folder) {
      const port = await freePort();
      const persistence = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
      const server = await ServerProcess.start({
        command: program,
        args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...persistence],
        isReady: () => listensOn(port),
      });
      return running(server, { client: 'redis', url: `redis://127.0.0.1:${port}` });
    },
  };
}

function nats(): Subject | MissingSubject {
  const name = 'NATS JetStream';
  const program = findProgram('nats-server');
  if (program === null) return { name, missing: 'no nats-server on the PATH' };
  return {
    name,
    version: output(program, ['--version']),
    ack: 'NOT DURABLE: before any sync (default, every 2 minutes)',
    isDurable: false,
    clientsMax: Number.POSITIVE_INFINITY,
    async start(folder) {
      const port = await freePort();
      const server = await ServerProcess.start({
        command: program,
        args: ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', folder],
        isReady: () => listensOn(port),
      });
      const url = `nats://127.0.0.1:${port}`;
      const connection = await connect({ servers: url });
      const manager = await jetstreamManager(connection);
      await manager.streams.add({ name: 'events', subjects: ['events.>'] });
      await connection.close();
      return running(server, { client: 'nats', url });
    },
  };
}

function running(
  server: ServerProcess,
  how: {
    client: RunningSubject['target']['client'];
    url: string;
    signal?: 'SIGTERM' | 'SIGINT';
  },
): RunningSubject {
  return {
    target: { client: how.client, url: how.url, apiKey: 'none' },
    stop: () => server.stop(how.signal),
  };
}
