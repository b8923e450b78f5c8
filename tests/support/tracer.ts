/**
 * Makes system calls of a running process fail, with strace: it attaches to every thread, and lets the N-th call of the given name in a thread return an error in place of
 * being made. Detaches without a trace when it is closed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ATTACHED = /Process \d+ attached/;

export interface Injection {
  readonly pid: number;
  readonly call: string;
  readonly error: string;
  /** Which call of each thread fails, counted from the moment of attaching. */
  readonly when: number;
}

/** Why strace cannot inject on this machine; null when it can. */
export function tracerFault(): string | null {
  const flags = ['-f', '-qq', '-o', '/dev/null', '-e', 'inject=getppid:error=EIO:when=1', 'true'];
  const { error, status, stderr } = spawnSync('strace', flags, { encoding: 'utf8' });
  if (error !== undefined) return `strace cannot be started (${error.message}).`;
  return status === 0 ? null : `strace cannot inject here: ${stderr.trim()}`;
}

export class Tracer {
  readonly #child: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), 'allsource-trace-'));

  private constructor({ pid, call, error, when }: Injection) {
    const inject = `inject=${call}:error=${error}:when=${when}`;
    const flags = ['-f', '-y', '-o', this.#file, '-e', `trace=${call}`, '-e', inject];
    this.#child = spawn('strace', [...flags, '-p', String(pid)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  get #file(): string {
    return join(this.#folder, 'trace');
  }

  /** Attaches to a process. Throws with what strace says when that fails. */
  static async attach(injection: Injection): Promise<Tracer> {
    const tracer = new Tracer(injection);
    await new Promise<void>((resolve, reject) => {
      let said = '';
      tracer.#child.stderr?.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8');
        if (ATTACHED.test(said)) resolve();
      });
      tracer.#child.once('error', reject);
      tracer.#child.once('close', () => reject(new TypeError(`strace has ended: ${said}`)));
    });
    return tracer;
  }

  /** Detaches and returns the traced calls, one line each; an injected one says (INJECTED). */
  async detach(): Promise<string[]> {
    await this.#end();
    const lines = readFileSync(this.#file, 'utf8').split('\n');
    return wholeCalls(lines.filter((line) => line !== ''));
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }

  /** Detaches and removes the trace. May be called twice. */
  async close(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Joins what strace writes in two lines when another thread came between. */
function wholeCalls(lines: readonly string[]): string[] {
  const begun = new Map<string, string>();
  return lines.flatMap((line) => {
    const thread = /^\d+/.exec(line)?.[0] ?? '';
    const start = /^(.*) <unfinished \.\.\.>$/.exec(line)?.[1];
    if (start !== undefined) {
      begun.set(thread, start);
      return [];
    }
    const rest = /<\.\.\. \w+ resumed>(.*)$/.exec(line)?.[1];
    return [rest === undefined ? line : (begun.get(thread) ?? thread) + rest];
  });
}
