/**
 * The store as its users run it: the launcher as a process, and with it the three services as processes. Tests start it on free ports and a temporary
 * folder, talk to it over HTTP and with the command, and stop or kill it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Answer, answerOf, requestBody } from '@allsource/testkit';
import { freePorts } from './free-ports.ts';

export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
export const DATA_FOLDER = join(REPOSITORY, '../shared/data');

const SERVICES = ['core', 'query', 'control-plane'] as const;
const READY = /AllSource is running/;

/** No test is about time: what a slow machine needs long for is no failure. */
export const PATIENCE = { ALLSOURCE_QUERY_MS_MAX: '600000' };

/** A folder, ports, and the processes on them. */
export class RunningStore {
  readonly folder = mkdtempSync(join(tmpdir(), 'allsource-e2e-'));
  readonly #environment: Record<string, string>;
  readonly ports: { readonly core: number; readonly controlPlane: number; readonly query: number };
  output = '';
  #launcher: ChildProcess | null = null;

  private constructor(ports: readonly number[], environment: Record<string, string>) {
    const [core = 0, controlPlane = 0, query = 0] = ports;
    this.ports = { core, controlPlane, query };
    this.#environment = environment;
  }

  /** Starts a store on a fresh folder and free ports. */
  static async start(environment: Record<string, string> = {}): Promise<RunningStore> {
    const store = new RunningStore(await freePorts(3), environment);
    await store.launch();
    return store;
  }

  get dataDir(): string {
    return join(this.folder, 'data');
  }

  get apiKey(): string {
    const given = this.#environment['ALLSOURCE_BOOTSTRAP_API_KEY'];
    return given ?? readFileSync(join(this.dataDir, 'api-key'), 'utf8').trim();
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports.query}`;
  }

  get coreUrl(): string {
    return `http://127.0.0.1:${this.ports.core}`;
  }

  get controlPlaneUrl(): string {
    return `http://127.0.0.1:${this.ports.controlPlane}`;
  }

  environment(): NodeJS.ProcessEnv {
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^ALLSOURCE_|^NODE_OPTIONS$|^NATS_URL$/.test(name),
      ),
    );
    return {
      ...inherited,
      ALLSOURCE_DATA_DIR: this.dataDir,
      CORE_PORT: String(this.ports.core),
      CONTROL_PLANE_PORT: String(this.ports.controlPlane),
      QUERY_PORT: String(this.ports.query),
      ...PATIENCE,
      ...this.#environment,
    };
  }

  /** Starts the launcher and waits until it says that the store runs. Throws with its output when it does not. */
  async launch(): Promise<void> {
    const launcher = spawn(process.execPath, [join(REPOSITORY, 'packages/launcher/src/main.ts')], {
      cwd: this.folder,
      env: this.environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#launcher = launcher;
    let output = '';
    const collect = (chunk: Buffer) => {
      output += chunk.toString('utf8');
      this.output += chunk.toString('utf8');
    };
    launcher.stdout.on('data', collect);
    launcher.stderr.on('data', collect);
    while (!READY.test(output)) {
      if (launcher.exitCode !== null || launcher.signalCode !== null)
        throw new TypeError(`the store did not start:\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Kills the launcher and the three services with SIGKILL, as a crash would. */
  async killAll(): Promise<number[]> {
    const pids = SERVICES.map((service) => this.pidOf(service));
    const launcher = this.#launcher;
    // It would end the others when it sees the first one go, before they are killed, if this process has to wait in between.
    launcher?.kill('SIGSTOP');
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    if (launcher !== null && launcher.exitCode === null) {
      launcher.kill('SIGKILL');
      await once(launcher, 'exit');
    }
    return pids;
  }

  /** The process of a service, from the file in the folder that it owns. */
  pidOf(service: (typeof SERVICES)[number]): number {
    const file = join(this.dataDir, service, 'owner.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid;
  }

  /** Stops the store with SIGTERM and returns the launcher's exit code. */
  async stop(): Promise<number | null> {
    const launcher = this.#launcher;
    if (launcher === null || launcher.exitCode !== null) return launcher?.exitCode ?? null;
    launcher.kill('SIGTERM');
    await once(launcher, 'exit');
    return launcher.exitCode;
  }

  /** Waits until the launcher ends by itself and returns its exit code. */
  async ended(): Promise<number | null> {
    const launcher = this.#launcher;
    if (launcher !== null && launcher.exitCode === null && launcher.signalCode === null)
      await once(launcher, 'exit');
    return launcher?.exitCode ?? null;
  }

  /** Stops what runs and removes the folder. */
  async remove(): Promise<void> {
    await this.stop();
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }

  /** Asks the gateway, or another service by its whole URL, with the admin key. */
  async ask(
    path: string,
    init: RequestInit & { readonly key?: string | null } = {},
  ): Promise<Answer> {
    const { key, headers, ...rest } = init;
    const secret = key === undefined ? this.apiKey : key;
    const response = await fetch(path.startsWith('http') ? path : this.url + path, {
      ...rest,
      headers: {
        ...(secret === null ? {} : { authorization: `Bearer ${secret}` }),
        ...(rest.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(headers as Record<string, string> | undefined),
      },
    });
    return await answerOf(response);
  }

  /** Sends a JSON body with POST. */
  post(
    path: string,
    body: unknown,
    init: RequestInit & { readonly key?: string | null } = {},
  ): Promise<Answer> {
    return this.ask(path, {
      method: 'POST',
      ...requestBody(body),
      ...init,
    });
  }
}
