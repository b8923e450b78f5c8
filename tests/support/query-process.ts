/**
 * The query service alone as a process on a folder of its own, beside a core that it follows, for tests that kill it and harm its files. It is the
 * bundle that `npm start` runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CoreProcess, serviceEnvironment } from './core-process.ts';
import { pause } from './fault-run.ts';
import { PATIENCE, REPOSITORY } from './running-store.ts';

const MAIN = join(REPOSITORY, 'services/query/dist/main.js');
const READY = /query ready at (http:\S+)/;
const ANSWER_TIMEOUT_MS = 60_000;
const OUTPUT_CHARACTERS_MAX = 100_000;

export class QueryProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'allsource-query-'));
  readonly #core: CoreProcess;
  readonly #environment: Readonly<Record<string, string>>;
  /** The end of what the process has said. */
  output = '';
  #url: string | null = null;
  #child: ChildProcess | null = null;

  constructor(core: CoreProcess, environment: Readonly<Record<string, string>> = {}) {
    this.#core = core;
    this.#environment = environment;
  }

  /** Where the blocks and indexes of the event history lie. */
  get historyFolder(): string {
    return join(this.folder, 'query', 'history');
  }

  /** Starts the process without waiting for anything. */
  spawn(): void {
    this.output = '';
    this.#url = null;
    const child = spawn(process.execPath, [MAIN], {
      cwd: this.folder,
      env: {
        ...serviceEnvironment(this.folder),
        CORE_URL: this.#core.url,
        QUERY_PORT: '0',
        ...PATIENCE,
        ...this.#environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.output = (this.output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX);
        this.#url ??= READY.exec(this.output)?.[1] ?? null;
      });
  }

  /** False when the process has ended by itself. */
  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** True as soon as it answers, which is when it begins to follow. */
  get isListening(): boolean {
    return this.#url !== null;
  }

  /** The number of the process; 0 while there is none. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Where it answers; null until it does. */
  get url(): string | null {
    return this.#url;
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /**
   * The body of an answer. What is refused for now (503) is asked again, and so is an answer that was cut: damage that shows when the head of the
   * answer is out can be told in no other way. Anything else than 200 fails.
   */
  async answer(path: string): Promise<string> {
    const giveUpAt = performance.now() + ANSWER_TIMEOUT_MS;
    for (;;) {
      const answer = await this.#answerOnce(path);
      if (answer.status === 200) return answer.text;
      const mayPass = answer.status === 503 || answer.status === null;
      if (!mayPass || !this.isRunning || performance.now() > giveUpAt)
        throw new TypeError(`${path} answers ${answer.status}: ${answer.text}\n${this.output}`);
      await pause(20);
    }
  }

  /** Status null: it does not listen yet, or the answer was cut. */
  async #answerOnce(
    path: string,
  ): Promise<{ readonly status: number | null; readonly text: string }> {
    const url = this.#url;
    if (url === null) return { status: null, text: 'it does not listen' };
    try {
      const response = await fetch(url + path, { headers: this.#core.credentials });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      return { status: null, text: String(error) };
    }
  }
}
