import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Target } from '../load/job.ts';
import { answersOk, freePort, ServerProcess } from './server-process.ts';
import type { Subject } from './subject.ts';

export const API_KEY = 'bench-key-of-the-benchmark';
const ROOT = resolve(import.meta.dirname, '../..');

/** A core (and what was started with it) on a folder. It can be killed and started again on the same folder. */
export class RunningCore {
  readonly folder: string;
  readonly #port: number;
  readonly #nodeArgs: readonly string[];
  #process: ServerProcess | null = null;

  private constructor(folder: string, port: number, nodeArgs: readonly string[]) {
    this.folder = folder;
    this.#port = port;
    this.#nodeArgs = nodeArgs;
  }

  /** Starts core alone, as it stands in services/core/dist, with all its rules on. */
  static async start(folder: string, nodeArgs: readonly string[] = []): Promise<RunningCore> {
    const core = new RunningCore(folder, await freePort(), nodeArgs);
    await core.launch();
    return core;
  }

  get target(): Target {
    return { client: 'http', url: this.url, apiKey: API_KEY };
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get output(): string {
    return this.#process?.output ?? '';
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts it on its folder; returns when it is ready to serve. */
  async launch(): Promise<void> {
    this.#process = await ServerProcess.start({
      command: process.execPath,
      args: [...this.#nodeArgs, resolve(ROOT, 'services/core/dist/main.js')],
      environment: serviceEnvironment(this.folder, { CORE_PORT: String(this.#port) }),
      isReady: () => answersOk(`${this.url}/readyz`),
    });
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
  }
}

export interface RunningQuery {
  readonly target: Target;
  stop(): Promise<void>;
}

/** Starts the query service in front of a core. Returns when it listens, which is before it has caught up. */
export async function startQuery(core: RunningCore): Promise<RunningQuery> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await ServerProcess.start({
    command: process.execPath,
    args: [resolve(ROOT, 'services/query/dist/main.js')],
    environment: serviceEnvironment(core.folder, { QUERY_PORT: String(port), CORE_URL: core.url }),
    isReady: () => answersOk(`${url}/livez`),
  });
  return { target: { client: 'http', url, apiKey: API_KEY }, stop: () => server.stop() };
}

/** Core as a subject beside the peers. */
export function coreSubject(): Subject {
  const manifest = readFileSync(resolve(ROOT, 'services/core/package.json'), 'utf8');
  return {
    name: 'AllSource core',
    version: (JSON.parse(manifest) as { version: string }).version,
    ack: 'after fdatasync',
    isDurable: true,
    clientsMax: Number.POSITIVE_INFINITY,
    start: (folder) => RunningCore.start(folder),
  };
}

function serviceEnvironment(folder: string, more: Record<string, string>): Record<string, string> {
  return {
    ALLSOURCE_DATA_DIR: folder,
    ALLSOURCE_BOOTSTRAP_API_KEY: API_KEY,
    ALLSOURCE_LOG_LEVEL: 'warn',
    ...more,
  };
}
