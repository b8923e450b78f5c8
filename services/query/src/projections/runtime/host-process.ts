import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { startProgram } from '@allsource/service-kit/processes';
import type { HostCommand, HostReport } from './host-protocol.ts';

const HEAP_MIB_MAX = 1_024;
/** How often a process must show that its thread is free now and then, and after how many misses it is killed. */
const PING_MS = 5_000;
const MISSES_MAX = 6;
/** How long a process may take to save and end. */
const STOP_WAIT_MS = 10_000;

/** Where workers are carried out. */
export interface Host {
  /** The id of its process. */
  readonly pid: number | undefined;
  send(command: HostCommand): void;
  /** Lets it save and end. */
  stop(): Promise<void>;
}

export interface HostOptions {
  readonly onReport: (report: Exclude<HostReport, { readonly kind: 'alive' }>) => void;
  /** Told once when the process has ended, with how. */
  readonly onEnded: (how: string) => void;
}

/** A process that carries out workers of projections (projection-host.program.ts), and its end. */
export class HostProcess implements Host {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #pings: NodeJS.Timeout;
  #misses = 0;

  constructor({ onReport, onEnded }: HostOptions) {
    this.#child = startProgram({
      starter: import.meta,
      name: 'projection-host',
      heapMibMax: HEAP_MIB_MAX,
      priority: constants.priority.PRIORITY_BELOW_NORMAL,
    });
    this.#child.on('message', (report: HostReport) => {
      if (report.kind === 'alive') this.#misses = 0;
      else onReport(report);
    });
    this.#ended = new Promise((resolve) => {
      const end = (how: string) => {
        clearInterval(this.#pings);
        onEnded(how);
        resolve();
      };
      this.#child.once('exit', (code, signal) => end(signal ?? `code ${code}`));
      // One that could not be started does not exit.
      this.#child.once('error', (error) => {
        if (this.#child.pid === undefined) end(error.message);
      });
    });
    this.#pings = setInterval(() => this.#ping(), PING_MS);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(command: HostCommand): void {
    // A process that has gone says so by its exit.
    if (this.#child.connected) this.#child.send(command, () => {});
  }

  /** Lets the process save and end; kills it where it is when that takes too long, which leaves what a crash leaves. */
  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_WAIT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #ping(): void {
    this.#misses += 1;
    if (this.#misses > MISSES_MAX) this.#child.kill('SIGKILL');
    else this.send({ kind: 'ping' });
  }
}
