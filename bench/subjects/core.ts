import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chooseFreePort } from '@allsource/service-kit/http';
import { serviceNodeArguments } from '@allsource/service-kit/processes';
import type { Target } from '../load/job.ts';
import { answersOk, ServerProcess } from './server-process.ts';
import type { MissingSubject, Subject } from './subject.ts';

export const CORE = 'AllSource core';
export const API_KEY = 'bench-key-of-the-benchmark';
export const INTERNAL_TOKEN = 'internal-token-of-the-benchmark';
/** Where Linux takes the wish of ALLSOURCE_KEEP_AWAKE. */
const AWAKE_DEVICE = '/dev/cpu_dma_latency';
const ROOT = resolve(import.meta.dirname, '../..');

export interface CoreOptions {
  readonly nodeArgs?: readonly string[];
  /** Settings that differ from the defaults. */
  readonly environment?: Record<string, string>;
}

/** A core (and what was started with it) on a folder. It can be killed and started again on the same folder. */
export class RunningCore {
  readonly folder: string;
  readonly #port: number;
  readonly #options: CoreOptions;
  #process: ServerProcess | null = null;

  private constructor(folder: string, port: number, options: CoreOptions) {
    this.folder = folder;
    this.#port = port;
    this.#options = options;
  }

  /** Starts core alone, as it stands in services/core/dist, with all its rules on. */
  static async start(folder: string, options: CoreOptions = {}): Promise<RunningCore> {
    const core = new RunningCore(folder, await chooseFreePort(), options);
    await core.launch();
    return core;
  }

  get target(): Target {
    return { client: 'http', url: this.url, apiKey: API_KEY };
  }

  /** Its folder of what is stored: the log and what belongs to it. */
  get storedFolder(): string {
    return join(this.folder, 'core');
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
      args: [
        ...serviceNodeArguments(),
        ...(this.#options.nodeArgs ?? []),
        resolve(ROOT, 'services/core/dist/main.js'),
      ],
      environment: serviceEnvironment(this.folder, {
        ...this.#options.environment,
        CORE_PORT: String(this.#port),
      }),
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
  readonly pid: number;
  stop(): Promise<void>;
}

export interface QueryOptions {
  /** Core's, unless another is named. */
  readonly folder?: string;
  readonly environment?: Record<string, string>;
}

/** Starts the query service in front of a core. Returns when it listens, which is before it has caught up. */
export async function startQuery(
  core: RunningCore,
  options: QueryOptions = {},
): Promise<RunningQuery> {
  const port = await chooseFreePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await ServerProcess.start({
    command: process.execPath,
    args: [...serviceNodeArguments(), resolve(ROOT, 'services/query/dist/main.js')],
    environment: serviceEnvironment(options.folder ?? core.folder, {
      ...options.environment,
      QUERY_PORT: String(port),
      CORE_URL: core.url,
    }),
    isReady: () => answersOk(`${url}/livez`),
  });
  const target = { client: 'http', url, apiKey: API_KEY } as const;
  return { target, pid: server.pid, stop: () => server.stop() };
}

/** Core as a subject beside the peers. */
export function coreSubject(): Subject {
  const manifest = readFileSync(resolve(ROOT, 'services/core/package.json'), 'utf8');
  return {
    name: CORE,
    version: (JSON.parse(manifest) as { version: string }).version,
    ack: 'after fdatasync',
    isDurable: true,
    clientsMax: Number.POSITIVE_INFINITY,
    hasConditions: true,
    start: (folder) => RunningCore.start(folder),
  };
}

/** Core told to let the processors of the machine sleep, as they do for everybody else here: for the case of a lone client, where it matters. */
export function sleepingCoreSubject(): Subject | MissingSubject {
  const name = `${CORE}, not kept awake`;
  if (!existsSync(AWAKE_DEVICE))
    return { name, missing: `there is no ${AWAKE_DEVICE}: core itself cannot keep them awake` };
  return {
    ...coreSubject(),
    name,
    cases: ['P1'],
    start: (folder) =>
      RunningCore.start(folder, { environment: { ALLSOURCE_KEEP_AWAKE: 'false' } }),
  };
}

function serviceEnvironment(folder: string, more: Record<string, string>): Record<string, string> {
  return {
    ALLSOURCE_DATA_DIR: folder,
    ALLSOURCE_BOOTSTRAP_API_KEY: API_KEY,
    ALLSOURCE_INTERNAL_TOKEN: INTERNAL_TOKEN,
    ALLSOURCE_LOG_LEVEL: 'warn',
    ...more,
  };
}
