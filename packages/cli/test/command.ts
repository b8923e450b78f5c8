import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TEST_KEY } from './stand-in-store.ts';

const MAIN = join(import.meta.dirname, '../src/main.ts');
const WAIT_MS_MAX = 120_000;

export interface CommandOptions {
  readonly url: string;
  readonly folder: string;
  readonly input?: string | Buffer;
  readonly environment?: Record<string, string>;
}

/** The `allsource` command as a real process. */
export class RunningCommand {
  readonly process: ChildProcess;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], options: CommandOptions) {
    const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
    this.process = spawn(process.execPath, [MAIN, ...args], {
      cwd: options.folder,
      env: {
        PATH,
        HOME,
        NODE_COMPILE_CACHE,
        ALLSOURCE_URL: options.url,
        ALLSOURCE_API_KEY: TEST_KEY,
        ...options.environment,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.process.stdout?.on('data', (chunk) => {
      this.stdout += String(chunk);
    });
    this.process.stderr?.on('data', (chunk) => {
      this.stderr += String(chunk);
    });
    if (options.input !== undefined) this.process.stdin?.end(options.input);
    this.ended = new Promise((resolve) =>
      this.process.once('close', (code, signal) => resolve(code ?? String(signal))),
    );
  }

  /** The lines of standard output, parsed as JSON. */
  records(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

/** Runs a command to its end. */
export async function runCommand(
  args: readonly string[],
  options: CommandOptions,
): Promise<RunningCommand & { readonly code: number | string }> {
  const command = new RunningCommand(args, options);
  const code = await command.ended;
  return Object.assign(command, { code });
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 10) {
    if (waitedMs > WAIT_MS_MAX) throw new Error(`waited too long for ${what}`);
    await sleep(10);
  }
}
