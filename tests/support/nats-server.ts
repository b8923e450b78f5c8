/**
 * A real NATS server for tests that need one. In this order: the server that NATS_URL names (behind a proxy that can be cut, since
 * it is not ours to stop), a `nats-server` on the PATH or where Debian puts it, or, as root on Debian, one installed with apt-get. Where there is
 * none, the reason is printed loudly and the tests are skipped, which the test run counts as skipped.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chooseFreePort } from '@allsource/service-kit/http';
import { reportNotTested } from '@allsource/testkit';

const START_TIMEOUT_MS = 60_000;

/** A NATS server that can be taken away and brought back, empty, at the same address. */
export interface NatsServer {
  readonly url: string;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stops it and removes what it left. */
  close(): Promise<void>;
}

export interface NatsServerOptions {
  /** Largest message it takes, where the server is ours to configure. */
  readonly payloadBytesMax?: number;
}

export type NatsSource =
  | { readonly kind: 'external'; readonly url: string }
  | { readonly kind: 'binary'; readonly path: string }
  | { readonly kind: 'none'; readonly reason: string };

/** Finds out where a server can come from. Prints the reason when there is none. */
export function findNats(): NatsSource {
  const source = natsSource();
  if (source.kind === 'none') reportNotTested('what needs a NATS server', source.reason);
  return source;
}

/** Starts a server, or a way to one that runs. */
export async function startNats(
  source: Exclude<NatsSource, { kind: 'none' }>,
  { payloadBytesMax = 1_048_576 }: NatsServerOptions = {},
): Promise<NatsServer> {
  const server =
    source.kind === 'external'
      ? new ProxiedNats(source.url, await chooseFreePort())
      : new OwnNats(source.path, await chooseFreePort(), payloadBytesMax);
  await server.start();
  return server;
}

function natsSource(): NatsSource {
  const url = process.env['NATS_URL'];
  if (url !== undefined && url !== '') return { kind: 'external', url };
  const path = findBinary();
  if (path !== null) return { kind: 'binary', path };
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    const reason = 'NATS_URL is not set and there is no nats-server on the PATH.';
    return { kind: 'none', reason };
  }
  return installBinary();
}

function findBinary(): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, 'nats-server')).find(existsSync) ?? null;
}

function installBinary(): NatsSource {
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env: environment, stdio: 'ignore', timeout: 180_000 } as const;
  const install = ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', 'nats-server'];
  try {
    execFileSync('apt-get', ['update'], options);
    execFileSync('apt-get', install, options);
  } catch (error) {
    return { kind: 'none', reason: `apt-get install nats-server failed: ${String(error)}.` };
  }
  const path = findBinary();
  return path === null
    ? { kind: 'none', reason: 'apt-get installed nats-server, but it is not to be found.' }
    : { kind: 'binary', path };
}

class OwnNats implements NatsServer {
  readonly url: string;
  readonly #path: string;
  readonly #port: number;
  readonly #folder: string;
  #process: ChildProcess | null = null;

  constructor(path: string, port: number, payloadBytesMax: number) {
    this.url = `nats://127.0.0.1:${port}`;
    this.#path = path;
    this.#port = port;
    this.#folder = mkdtempSync(join(tmpdir(), 'allsource-nats-'));
    const config = `host: 127.0.0.1\nport: ${port}\nmax_payload: ${payloadBytesMax}\n`;
    writeFileSync(join(this.#folder, 'nats.conf'), config);
  }

  async start(): Promise<void> {
    const flags = ['--config', join(this.#folder, 'nats.conf')];
    const child = spawn(this.#path, flags, { stdio: 'ignore' });
    this.#process = child;
    process.once('exit', () => child.kill('SIGKILL'));
    await untilReachable(this.#port);
  }

  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => {
      child.once('exit', resolve);
    });
    child.kill('SIGKILL');
    await exited;
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

class ProxiedNats implements NatsServer {
  readonly url: string;
  readonly #target: URL;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #proxy: Server | null = null;

  constructor(target: string, port: number) {
    this.#target = new URL(target);
    this.#port = port;
    const own = new URL(target);
    own.host = `127.0.0.1:${port}`;
    this.url = own.href;
  }

  async start(): Promise<void> {
    const proxy = createServer((inside) => this.#connect(inside));
    this.#proxy = proxy;
    await new Promise<void>((resolve) => {
      proxy.listen(this.#port, '127.0.0.1', resolve);
    });
  }

  async stop(): Promise<void> {
    const proxy = this.#proxy;
    this.#proxy = null;
    if (proxy === null) return;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => {
      proxy.close(resolve);
    });
  }

  close(): Promise<void> {
    return this.stop();
  }

  #connect(inside: Socket): void {
    const outside = connect(Number(this.#target.port || 4222), this.#target.hostname);
    for (const [from, to] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}

async function untilReachable(port: number): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await isReachable(port))) {
    if (performance.now() > deadline) throw new Error(`nats-server does not listen on ${port}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

function isReachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
