/**
 * One service as a child process. It runs in a process group of its own, so that the terminal's Ctrl-C reaches only the launcher, which stops the services in
 * order. It is tied to the launcher by an IPC channel: a service whose launcher is gone (also after kill -9) sees the channel close and stops by
 * itself (runService in service-kit).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { platform } from 'node:os';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { serviceNodeArguments } from '@allsource/service-kit/processes';
import type { ServiceName } from './launch-plan.ts';
import type { ServiceLog } from './service-log.ts';

const READY_LINE = / ready at (https?:\/\/\S+)$/;

export interface ServiceProcessOptions {
  readonly name: ServiceName;
  readonly mainFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly log: ServiceLog;
}

/** How a process ended. */
export interface ProcessEnd {
  readonly service: ServiceName;
  /** For people, such as "exit code 1" or "signal SIGKILL". */
  readonly how: string;
}

export class ServiceProcess {
  readonly name: ServiceName;
  readonly log: ServiceLog;
  /** Resolves with the URL of the line that says that the service is ready. Stays open when the process ends before. */
  readonly ready: Promise<string>;
  /** Resolves when the process has ended and its last line is in the log. */
  readonly ended: Promise<ProcessEnd>;
  /** What it said on standard output before it was ready. */
  readonly sayings: string[] = [];
  readonly #child: ChildProcess;
  #hasEnded = false;

  constructor(options: ServiceProcessOptions) {
    this.name = options.name;
    this.log = options.log;
    this.#child = spawn(process.execPath, [...serviceNodeArguments(), options.mainFile], {
      env: options.environment,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // On Windows a detached process would get a console window of its own.
      detached: platform() !== 'win32',
    });
    this.ready = this.#awaitReady();
    readLines(this.#child.stderr, (line) => this.log.write(line));
    this.ended = this.#awaitEnd();
  }

  #awaitReady(): Promise<string> {
    return new Promise((resolve) => {
      let isReady = false;
      readLines(this.#child.stdout, (line) => {
        const url = READY_LINE.exec(line)?.[1];
        if (isReady) this.log.write(line);
        else if (url === undefined) this.sayings.push(line);
        else {
          isReady = true;
          resolve(url);
        }
      });
    });
  }

  #awaitEnd(): Promise<ProcessEnd> {
    return new Promise((resolve) => {
      const end = (how: string) => {
        this.#hasEnded = true;
        resolve({ service: this.name, how });
      };
      this.#child.once('error', (error) => end(`it could not be started: ${error.message}`));
      this.#child.once('close', (code, signal) =>
        end(signal === null ? `exit code ${code}` : `signal ${signal}`),
      );
    });
  }

  /** Asks the service to stop, and kills it when it has not ended after `graceMs`. Returns true when it ended by itself. */
  async stop(graceMs: number): Promise<boolean> {
    if (this.#hasEnded) return true;
    let isKilled = false;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => {
      isKilled = true;
      this.kill();
    }, graceMs);
    await this.ended;
    clearTimeout(timer);
    return !isKilled;
  }

  /** Ends the process at once. */
  kill(): void {
    if (!this.#hasEnded) this.#child.kill('SIGKILL');
  }
}

function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream === null) return;
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', onLine);
}
