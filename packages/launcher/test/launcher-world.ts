import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LAUNCHER = join(import.meta.dirname, 'launch-process.ts');
const RUN_SERVICE = new URL('../../service-kit/src/lifecycle/run-service.ts', import.meta.url).href;
const WAIT_MS_MAX = 120_000;

/**
 * A stand-in service: the real process life (runService) around an HTTP server that answers its environment. Commands steer it:
 * POST /fail makes it end with words on standard error.
 */
const STAND_IN = `
import { createServer } from 'node:http';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { runService } from ${JSON.stringify(RUN_SERVICE)};
const [name, portSetting, journal] = __ARGS__;
await runService(name, async () => {
  if (name === 'core' && !process.env.ALLSOURCE_BOOTSTRAP_API_KEY) {
    const file = process.env.ALLSOURCE_DATA_DIR + '/api-key';
    if (!existsSync(file)) {
      writeFileSync(file, 'ask_first-start\\n', { mode: 0o600 });
      process.stdout.write('api key created: ' + file + '\\n');
    }
  }
  let fail;
  const failed = new Promise((resolve) => { fail = resolve; });
  const server = createServer((request, response) => {
    if (request.url === '/fail') { response.end(); fail('the disk is gone'); return; }
    if (request.url === '/hang') { process.removeAllListeners('SIGTERM'); process.on('SIGTERM', () => {}); }
    response.end(JSON.stringify({ pid: process.pid, environment: process.env }));
  });
  await new Promise((resolve) => server.listen(Number(process.env[portSetting]), '127.0.0.1', resolve));
  appendFileSync(journal, name + ' started\\n');
  return {
    url: 'http://127.0.0.1:' + server.address().port,
    failed,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      appendFileSync(journal, name + ' stopped\\n');
    },
  };
});
`;

const STAND_INS = [
  ['core', 'CORE_PORT'],
  ['control-plane', 'CONTROL_PLANE_PORT'],
  ['query', 'QUERY_PORT'],
] as const;

export type Urls = Readonly<Record<'core' | 'control-plane' | 'query', string>>;

/** A folder with stand-in services and an empty data folder; everything in it is removed by `dispose`. */
export class LauncherWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'allsource-launcher-'));
  readonly dataDir = join(this.folder, 'data');
  readonly #journal = join(this.folder, 'journal.txt');
  readonly #launches: LauncherProcess[] = [];

  constructor() {
    for (const [name, portSetting] of STAND_INS) {
      mkdirSync(join(this.folder, 'services', name, 'dist'), { recursive: true });
      const args = JSON.stringify([name, portSetting, this.#journal]);
      const file = join(this.folder, 'services', name, 'dist', 'main.js');
      writeFileSync(file, STAND_IN.replace('__ARGS__', args));
    }
    writeFileSync(join(this.folder, 'package.json'), '{"type":"module"}');
    writeFileSync(this.#journal, '');
  }

  /** Starts a launcher on free ports. */
  launch(environment: Record<string, string> = {}): LauncherProcess {
    const launcher = new LauncherProcess(this.folder, environment);
    this.#launches.push(launcher);
    return launcher;
  }

  /** What the services have done, in order. */
  journal(): string[] {
    return readFileSync(this.#journal, 'utf8').split('\n').filter(Boolean);
  }

  async dispose(): Promise<void> {
    for (const launcher of this.#launches) await launcher.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class LauncherProcess {
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal. */
  readonly ended: Promise<number | string>;
  #text = '';
  #hasEnded = false;

  constructor(folder: string, environment: Record<string, string>) {
    const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
    this.process = spawn(process.execPath, [LAUNCHER, join(folder, 'services')], {
      cwd: folder,
      env: {
        PATH,
        HOME,
        NODE_COMPILE_CACHE,
        CORE_PORT: '0',
        CONTROL_PLANE_PORT: '0',
        QUERY_PORT: '0',
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', (chunk) => {
        this.#text += String(chunk);
      });
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve(code ?? String(signal));
      });
    });
  }

  /** Everything it has printed, on both streams. */
  get text(): string {
    return this.#text;
  }

  /** Waits until the three services run and returns where. */
  async urls(): Promise<Urls> {
    await this.untilText('Ctrl-C stops all three.');
    const url = (label: string) => new RegExp(`${label} +(http\\S+)`).exec(this.#text)?.[1] ?? '';
    return {
      core: url('core'),
      'control-plane': url('control plane'),
      query: url('query service'),
    };
  }

  async untilText(wanted: string): Promise<void> {
    await until(() => this.#text.includes(wanted) || this.#hasEnded, `"${wanted}"`);
    if (!this.#text.includes(wanted))
      throw new Error(`the launcher ended without "${wanted}":\n${this.#text}`);
  }

  async kill(): Promise<void> {
    if (!this.#hasEnded) this.process.kill('SIGKILL');
    await this.ended;
  }
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 20) {
    if (waitedMs > WAIT_MS_MAX) throw new Error(`waited too long for ${what}`);
    await sleep(20);
  }
}

/** True while a process with this id runs. */
export function isRunning(pid: number): boolean {
  if (existsSync(`/proc/${pid}/stat`))
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
