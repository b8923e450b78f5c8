/**
 * The log of one service: everything it writes goes to `<data folder>/logs/<service>.log`, warnings and errors also to the terminal. The file
 * is kept below a limit: when it is full it becomes `<service>.log.1`, in place of the one before.
 */
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Terminal } from './terminal.ts';

const FILE_BYTES_MAX = 16 * 1024 * 1024;
const LAST_LINES_MAX = 12;
const PINO_WARN = 40;
const PINO_ERROR = 50;

export interface ServiceLogOptions {
  readonly service: string;
  readonly folder: string;
  readonly terminal: Terminal;
  readonly fileBytesMax?: number;
}

export class ServiceLog {
  readonly file: string;
  readonly #options: ServiceLogOptions;
  readonly #lastLines: string[] = [];
  #descriptor: number;
  #bytes: number;

  constructor(options: ServiceLogOptions) {
    mkdirSync(options.folder, { recursive: true });
    this.#options = options;
    this.file = join(options.folder, `${options.service}.log`);
    this.#descriptor = openSync(this.file, 'a', 0o600);
    this.#bytes = statSync(this.file).size;
  }

  /** The last lines that were written, oldest first. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  /** Takes one line of the service's standard error. */
  write(line: string): void {
    this.#append(line);
    const shown = readableLine(line);
    this.#lastLines.push(shown.text);
    if (this.#lastLines.length > LAST_LINES_MAX) this.#lastLines.shift();
    if (shown.isUrgent) this.#options.terminal.complain(`[${this.#options.service}] ${shown.text}`);
  }

  #append(line: string): void {
    if (this.#bytes > (this.#options.fileBytesMax ?? FILE_BYTES_MAX)) this.#rotate();
    this.#bytes += writeSync(this.#descriptor, `${line}\n`);
  }

  #rotate(): void {
    closeSync(this.#descriptor);
    renameSync(this.file, `${this.file}.1`);
    this.#descriptor = openSync(this.file, 'a', 0o600);
    this.#bytes = 0;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

interface ReadableLine {
  readonly text: string;
  readonly isUrgent: boolean;
}

/** A log line for a person. What is no log line (a crash report, a start that failed) is shown as it is. */
function readableLine(line: string): ReadableLine {
  const entry = parseEntry(line);
  if (entry === null) return { text: line, isUrgent: line.trim() !== '' };
  const word = entry.level >= PINO_ERROR ? 'error' : entry.level >= PINO_WARN ? 'warning' : 'info';
  const cause = entry.cause === null ? '' : `: ${entry.cause}`;
  return { text: `${word}: ${entry.message}${cause}`, isUrgent: entry.level >= PINO_WARN };
}

interface LogEntry {
  readonly level: number;
  readonly message: string;
  readonly cause: string | null;
}

function parseEntry(line: string): LogEntry | null {
  if (!line.startsWith('{')) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    // A line that only looks like an entry is shown as it is.
    return null;
  }
  const { level, msg, err } = parsed as { level?: unknown; msg?: unknown; err?: unknown };
  if (typeof level !== 'number') return null;
  const cause = typeof err === 'object' && err !== null && 'message' in err ? err.message : null;
  return {
    level,
    message: typeof msg === 'string' ? msg : line,
    cause: typeof cause === 'string' ? cause : null,
  };
}
