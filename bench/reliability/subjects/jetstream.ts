import { globSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseFreePort } from '@allsource/service-kit/http';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { output } from '../../environment.ts';
import { listensOn, ServerProcess } from '../../subjects/server-process.ts';
import type { ReliabilitySubject, RunningStore, StoredEvent } from '../subject.ts';

const STREAM = 'EVENTS';
const READS_AT_ONCE = 50;
const TIMEOUT_MS = 10_000;
const NOT_FOUND = 'no message found';

/** One server, one stream in files, publishes with a message id. `sync: always` needs a server of version 2.10 at least. */
export function jetStream(program: string, sync: 'default' | 'always'): ReliabilitySubject {
  return {
    name: `NATS JetStream, sync ${sync}`,
    version: output(program, ['--version']).replace('nats-server: ', ''),
    setup: sync === 'always' ? 'sync_interval: always' : 'as it comes: synced every 2 minutes',
    start: (folder) => startServer(program, folder, sync),
    eventFiles: (folder) =>
      globSync(join(folder, `jetstream/*/streams/${STREAM}/msgs/*.blk`)).toSorted(
        (a, b) => blockNumber(a) - blockNumber(b),
      ),
  };
}

/** Why a server cannot be asked to sync each publish; null when it can. */
export function syncAlwaysFault(program: string): string | null {
  const version = output(program, ['--version']).replace('nats-server: v', '');
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < 2 || (major === 2 && minor < 10);
  return isOld ? `nats-server ${version} has no sync_interval, which came with 2.10` : null;
}

function blockNumber(path: string): number {
  return Number(/(\d+)\.blk$/.exec(path)?.[1]);
}

async function startServer(
  program: string,
  folder: string,
  sync: 'default' | 'always',
): Promise<RunningStore> {
  const port = await chooseFreePort();
  const settings = sync === 'always' ? '  sync_interval: always\n' : '';
  const file = join(folder, 'nats.conf');
  writeFileSync(
    file,
    `host: 127.0.0.1\nport: ${port}\njetstream {\n  store_dir: "${folder}"\n${settings}}\n`,
  );
  const server = await ServerProcess.start({
    command: program,
    args: ['--config', file],
    isReady: () => listensOn(port),
  });
  try {
    const connection = await connect({ servers: `127.0.0.1:${port}`, reconnect: false });
    await makeStream(connection);
    return new RunningJetStream(server, connection);
  } catch (error) {
    await server.kill();
    throw error;
  }
}

async function makeStream(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection, { timeout: TIMEOUT_MS });
  try {
    await manager.streams.info(STREAM);
  } catch {
    // A stream that the server has forgotten is made again, as a client would; what was in it is lost and counted so.
    await manager.streams.add({ name: STREAM, subjects: ['events.>'] });
  }
}

class RunningJetStream implements RunningStore {
  readonly #server: ServerProcess;
  readonly #connection: NatsConnection;

  constructor(server: ServerProcess, connection: NatsConnection) {
    this.#server = server;
    this.#connection = connection;
  }

  get output(): string {
    return this.#server.output;
  }

  async append(key: string, text: string): Promise<void> {
    const stream = jetstream(this.#connection, { timeout: TIMEOUT_MS });
    await stream.publish(`events.${key}`, text, { msgID: key });
  }

  async readAll(): Promise<StoredEvent[]> {
    const manager = await jetstreamManager(this.#connection, { timeout: TIMEOUT_MS });
    const { state } = await manager.streams.info(STREAM);
    const events: StoredEvent[] = [];
    for (let first = state.first_seq; first <= state.last_seq; first += READS_AT_ONCE) {
      const count = Math.min(READS_AT_ONCE, state.last_seq - first + 1);
      const read = await Promise.all(
        Array.from({ length: count }, async (_, index) => {
          const message = await manager.streams
            .getMessage(STREAM, { seq: first + index })
            .catch(absentOrThrown);
          return message === null
            ? null
            : { key: message.subject.replace('events.', ''), text: message.string() };
        }),
      );
      events.push(...read.filter((event) => event !== null));
    }
    return events;
  }

  async kill(): Promise<void> {
    await this.#server.kill();
    await this.#connection.close();
  }

  async stop(): Promise<void> {
    await this.#connection.close();
    await this.#server.stop();
  }
}

// A consumer goes over a sequence that is not there without a word, so this is no error either.
function absentOrThrown(error: unknown): null {
  if (error instanceof Error && error.message.includes(NOT_FOUND)) return null;
  throw error;
}
