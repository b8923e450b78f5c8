/** A PostgreSQL server on a fresh folder. The stores that live on PostgreSQL share one, each with a database of its own; it stops with the last of them. */
import { execFileSync } from 'node:child_process';
import { chownSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { chooseFreePort } from '@allsource/service-kit/http';
import { Client } from 'pg';
import { findProgram, output } from '../environment.ts';
import { listensOn, ServerProcess } from './server-process.ts';

const START_TIMEOUT_MS = 30_000;
const SETTINGS = {
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

type User = { uid: number; gid: number } | { uid?: never; gid?: never };

/** The programs of PostgreSQL on this machine, or why there are none to use. */
export function findPostgres(): PostgresServer | { readonly missing: string } {
  const initdb = findProgram('initdb', ['/usr/lib/postgresql/*/bin']);
  if (initdb === null) return { missing: 'no initdb in /usr/lib/postgresql or on the PATH' };
  const user = unprivilegedUser();
  if (user === null) return { missing: 'it does not run as root, and has no user postgres' };
  return new PostgresServer(dirname(initdb), user);
}

export class PostgresServer {
  readonly version: string;
  readonly #programs: string;
  readonly #user: User;
  #started: Promise<{ server: ServerProcess; url: string }> | null = null;
  #users = 0;

  constructor(programs: string, user: User) {
    this.#programs = programs;
    this.#user = user;
    this.version = output(join(programs, 'postgres'), ['--version']);
  }

  /** Makes a database, and starts the server on `folder` when it does not run. Returns the database's address. */
  async database(name: string, folder: string): Promise<string> {
    this.#started ??= this.#start(folder);
    const { url } = await this.#started;
    await onDatabase(`${url}/postgres`, (client) => client.query(`CREATE DATABASE ${name}`));
    this.#users += 1;
    return `${url}/${name}`;
  }

  /** Says that one database is of no more use. */
  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0 || this.#started === null) return;
    const { server } = await this.#started;
    this.#started = null;
    // SIGTERM would wait for its clients.
    await server.stop('SIGINT');
  }

  async #start(folder: string): Promise<{ server: ServerProcess; url: string }> {
    const user = this.#user;
    if (user.uid !== undefined) chownSync(folder, user.uid, user.gid);
    const flags = ['-D', folder, '-U', 'bench', '--auth=trust', '--no-sync', '-E', 'UTF8'];
    const initdb = join(this.#programs, 'initdb');
    execFileSync(initdb, [...flags, '--locale=C'], { ...user, stdio: 'pipe', cwd: '/' });
    const port = await chooseFreePort();
    const settings = Object.entries({ ...SETTINGS, port: String(port) });
    const server = await ServerProcess.start({
      command: join(this.#programs, 'postgres'),
      args: ['-D', folder, ...settings.flatMap(([key, value]) => ['-c', `${key}=${value}`])],
      ...(user.uid === undefined ? {} : { user }),
      isReady: () => listensOn(port),
    });
    return { server, url: `postgres://bench@127.0.0.1:${port}` };
  }
}

/** Works on a database over a connection of its own. The server listens a moment before it lets anybody in: that moment is waited for. */
export async function onDatabase<T>(
  connectionString: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  for (;;) {
    const client = new Client({ connectionString });
    try {
      await client.connect();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      continue;
    }
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
}

/** PostgreSQL refuses to run as root. An empty object: the harness's own user will do. */
function unprivilegedUser(): User | null {
  if (process.getuid?.() !== 0) return {};
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'));
  return entry === null ? null : { uid: Number(entry[1]), gid: Number(entry[2]) };
}
