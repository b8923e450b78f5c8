import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { REPOSITORY, type RunningStore } from './running-store.ts';

const COMMAND = join(REPOSITORY, 'packages/cli/bin/allsource.mjs');

/** The `allsource` command as a process. */
export class Command {
  readonly process: ChildProcess;
  stdout = '';
  stderr = '';
  readonly exitCode: Promise<number | null>;

  /** Runs the command against a store, as its user would: address and key come from the environment. */
  constructor(store: RunningStore, args: readonly string[]) {
    const environment = Object.fromEntries(
      Object.entries(store.environment()).filter(([name]) => name !== 'ALLSOURCE_DATA_DIR'),
    );
    this.process = spawn(process.execPath, [COMMAND, ...args], {
      cwd: store.folder,
      env: { ...environment, ALLSOURCE_URL: store.url, ALLSOURCE_API_KEY: store.apiKey },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.process.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString('utf8');
    });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString('utf8');
    });
    this.exitCode = new Promise((resolve) => this.process.once('close', resolve));
  }

  /** The lines of standard output, each parsed as JSON. */
  lines<T>(): T[] {
    return this.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as T]));
  }
}

/** Runs the command to its end. */
export async function run(store: RunningStore, args: readonly string[]): Promise<Command> {
  const command = new Command(store, args);
  await command.exitCode;
  return command;
}
