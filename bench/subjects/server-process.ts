import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const OUTPUT_CHARACTERS_MAX = 20_000;

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Record<string, string>;
  /** The user to run as; the harness's own when absent. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly isReady: () => Promise<boolean>;
}

// A harness that is interrupted leaves no server behind.
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A server that the harness started, and stops. */
export class ServerProcess {
  readonly #child: ChildProcess;
  /** The end of what it printed: for error messages. */
  output = '';

  private constructor({ command, args, environment, user }: ServerCommand) {
    this.#child = spawn(command, [...args], {
      env: { ...inheritedEnvironment(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    const keep = (chunk: Buffer) => {
      this.output = (this.output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX);
    };
    this.#child.stdout?.on('data', keep);
    this.#child.stderr?.on('data', keep);
    this.#child.on('error', (error) => keep(Buffer.from(String(error))));
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
  }

  /** Starts a server and waits until it is ready. Throws with what it printed when it is not. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const server = new ServerProcess(command);
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!(await command.isReady())) {
      if (server.#hasEnded || performance.now() > deadline) {
        await server.kill();
        throw new Error(`${command.command} did not start: ${server.output.slice(-1000)}`);
      }
      await sleep(2);
    }
    return server;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Stops it in the usual way (SIGINT where SIGTERM would wait for clients), and by force when that takes too long. */
  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<void> {
    if (this.#hasEnded) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    if (this.#hasEnded) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  get #hasEnded(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }
}

/** Whether something listens on a loopback port. */
export function listensOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (listens: boolean) => {
      socket.destroy();
      resolve(listens);
    };
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

/** Whether a URL answers with a success. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}

// The settings of whoever runs the benchmark must not reach the servers that are measured.
function inheritedEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(ALLSOURCE_|NODE_OPTIONS$|NATS_URL$|PG)/.test(name),
    ),
  );
}
