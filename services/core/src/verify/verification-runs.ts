/**
 * Verifications of the log that this core has open, each a process of its own (`inspect.program.ts`) at the lowest priority, so that neither its reads
 * nor its memory weigh on appends. It verifies up to the watermark of the moment it was asked for; frames up to there never change again. One
 * runs at a time. It ends with its reader, and with core.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';

const PROGRAM = 'inspect.program.js';

export interface VerificationRunsOptions {
  /** Core's folder; null when the log is not in files. */
  readonly folder: string | null;
  /** The last durable position. */
  readonly head: () => Position;
}

/** A verification under way. */
export interface VerificationRun {
  /** Its lines (`shared/protocol/inspection.ts`). */
  readonly lines: Readable;
  /** Resolves when its process has ended and another may be started. */
  readonly ended: Promise<void>;
  /** Ends it. May be called twice. */
  stop(): void;
}

export class VerificationRuns {
  readonly #options: VerificationRunsOptions;
  #running: ChildProcess | null = null;

  constructor(options: VerificationRunsOptions) {
    this.#options = options;
  }

  /** Starts a verification. Throws `operation_running` while another one runs, and `not_available` where there are no files. */
  start(): VerificationRun {
    const { folder, head } = this.#options;
    if (folder === null)
      throw problem(
        'not_available',
        'The log of this store is in memory: there are no files to verify.',
      );
    if (this.#running !== null)
      throw problem(
        'operation_running',
        'A verification runs already; ask again when it has ended.',
      );
    const child = spawn(process.execPath, [programFile(), 'verify', folder, String(head())], {
      env: {},
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#running = child;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const end = () => {
      this.#running = null;
      resolve();
    };
    child.once('close', end);
    // Without a process there is an end without lines, which the reader takes for what it is.
    child.once('error', end);
    return { lines: child.stdout, ended, stop: () => void child.kill('SIGKILL') };
  }

  /** Ends the one that runs. */
  close(): void {
    this.#running?.kill('SIGKILL');
  }
}

/** The build puts the program beside the bundle, and a core that runs from its sources takes it from there. */
function programFile(): string {
  const places = [import.meta.dirname, join(import.meta.dirname, '../../dist')];
  const file = places.map((folder) => join(folder, PROGRAM)).find(existsSync);
  if (file !== undefined) return file;
  throw problem('not_available', `The program ${PROGRAM} is not built (npm run build).`);
}
