/** The peers, each started on a fresh folder with its own usual settings; what differs from the defaults stands here and in the report. */
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { chooseFreePort } from '@allsource/service-kit/http';
import { connect } from '@nats-io/transport-node';
import { jetstreamManager } from '@nats-io/jetstream';
import { findProgram, output } from '../environment.ts';
import { compileProbe } from './ingest-probe/compile-probe.ts';
import { postgresStores } from './postgres-stores.ts';
import type { ClientKind } from '../load/job.ts';
import { listensOn, ServerProcess } from './server-process.ts';
import type { MissingSubject, RunningSubject, Subject } from './subject.ts';

/** Every peer that the harness knows, here or not. */
export function findPeers(): (Subject | MissingSubject)[] {
  return [
    ingestProbe(),
    plainProbe(),
    ...postgresStores(),
    emmettSqlite(),
    sqlite(),
    redis(),
    nats(),
  ];
}

/** The name of the bar that core is measured against. */
export const INGEST_PROBE = 'ingest probe';

/** A kernel in WebAssembly and nothing else: what this machine allows. */
export function ingestProbe(): Subject {
  const program = resolve(import.meta.dirname, 'ingest-probe/server.ts');
  return probe(INGEST_PROBE, async () => [program, await compileProbe()]);
}

function plainProbe(): Subject {
  const program = resolve(import.meta.dirname, 'probe-server.ts');
  return probe('plain Node probe', () => Promise.resolve([program]));
}

/** A program of ours that is called with a port, a folder and what else it needs. */
function probe(name: string, program: () => Promise<string[]>): Subject {
  return {
    name,
    version: process.version,
    ack: 'after fdatasync',
    isDurable: true,
    clientsMax: Number.POSITIVE_INFINITY,
    hasConditions: false,
    async start(folder) {
      const port = await chooseFreePort();
      const [script = '', ...more] = await program();
      const server = await ServerProcess.start({
        command: process.execPath,
        args: [script, String(port), folder, ...more],
        isReady: () => listensOn(port),
      });
      return running(server, { client: 'http', url: `http://127.0.0.1:${port}` });
    },
  };
}

function emmettSqlite(): MissingSubject {
  return {
    name: 'emmett-sqlite',
    missing:
      'its driver sqlite3 has to be compiled, and nothing is compiled when this project is installed',
  };
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
    hasConditions: false,
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
    hasConditions: false,
    async start(folder) {
      const port = await chooseFreePort();
      // A rewrite of its file would run while others are measured.
      const rewrite = ['--auto-aof-rewrite-percentage', '0'];
      const persistence = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
      const server = await ServerProcess.start({
        command: program,
        args: [
          '--port',
          String(port),
          '--bind',
          '127.0.0.1',
          '--dir',
          folder,
          ...persistence,
          ...rewrite,
        ],
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
    hasConditions: false,
    async start(folder) {
      const port = await chooseFreePort();
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
  how: { readonly client: ClientKind; readonly url: string },
): RunningSubject {
  return { target: { ...how, apiKey: 'none' }, stop: () => server.stop() };
}
