import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { ReliabilitySubject, RunningStore, StoredEvent } from '../subject.ts';

/** SQLite, which emmett-sqlite keeps its events in: a table, a unique key, one transaction an event. It runs in a process that can be killed. */
export function sqlite(): ReliabilitySubject {
  const manifest = createRequire(import.meta.url)('better-sqlite3/package.json') as {
    version: string;
  };
  return {
    name: 'SQLite',
    version: `better-sqlite3 ${manifest.version}`,
    setup: 'journal_mode=WAL, synchronous=FULL',
    start: (folder) => RunningSqlite.start(folder),
    eventFiles: (folder) =>
      ['events.db', 'events.db-wal'].map((name) => join(folder, name)).filter(existsSync),
  };
}

interface Answer {
  readonly id: number;
  readonly error: string | null;
  readonly events?: StoredEvent[];
}

class RunningSqlite implements RunningStore {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<Answer>>();
  #nextId = 1;
  output = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: Answer) => {
      this.#waiting.get(answer.id)?.resolve(answer);
      this.#waiting.delete(answer.id);
    });
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process has ended'));
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
  }

  static async start(folder: string): Promise<RunningSqlite> {
    const program = resolve(import.meta.dirname, '../sqlite-process.ts');
    const child = fork(program, [join(folder, 'events.db')], { silent: true, execArgv: [] });
    const store = new RunningSqlite(child);
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    try {
      await store.#ask({ verb: 'ping' });
      return store;
    } catch (error) {
      await store.kill();
      throw error;
    }
  }

  async #ask(message: Record<string, string>): Promise<Answer> {
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<Answer>();
    this.#waiting.set(id, waiting);
    this.#child.send({ id, ...message });
    const answer = await waiting.promise;
    if (answer.error !== null) throw new Error(answer.error);
    return answer;
  }

  async append(key: string, text: string): Promise<void> {
    await this.#ask({ verb: 'append', key, text });
  }

  async readAll(): Promise<StoredEvent[]> {
    const { events = [] } = await this.#ask({ verb: 'read' });
    // A damaged page may give back a row of any types.
    return events.map(({ key, text }) => ({ key: String(key), text: String(text) }));
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#ask({ verb: 'close' }).catch(() => undefined);
    await this.#end('SIGKILL');
  }

  async #end(signal: 'SIGKILL'): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, 'exit');
  }
}
