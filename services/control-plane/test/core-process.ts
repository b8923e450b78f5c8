import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const CORE_MAIN = join(import.meta.dirname, '../../core/src/main.ts');
const READY = /^core ready at (\S+)$/;

/** Core as a process of its own: services meet only over the network. */
export class CoreProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(child: ChildProcess, ended: Promise<void>, url: string) {
    this.#child = child;
    this.#ended = ended;
    this.url = url;
  }

  static async start(settings: {
    readonly dataDir: string;
    readonly apiKey: string;
    readonly port?: number;
  }): Promise<CoreProcess> {
    const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
    const child = spawn(process.execPath, [CORE_MAIN], {
      env: {
        PATH,
        HOME,
        NODE_COMPILE_CACHE,
        CORE_PORT: String(settings.port ?? 0),
        ALLSOURCE_DATA_DIR: settings.dataDir,
        ALLSOURCE_BOOTSTRAP_API_KEY: settings.apiKey,
        ALLSOURCE_LOG_LEVEL: 'warn',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let words = '';
    child.stderr?.on('data', (chunk) => {
      words += String(chunk);
    });
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const url = await Promise.race([
      readyUrl(child),
      ended.then(() => {
        throw new Error(`core has ended: ${words}`);
      }),
    ]);
    return new CoreProcess(child, ended, url);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}

function readyUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = READY.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
}
