import { closeSync, openSync, writeSync } from 'node:fs';
import { CliError } from '../exit-code.ts';
import type { Line } from './line-splitter.ts';

/** Refused lines that are shown; the report file has them all. */
const SHOWN_MAX = 20;
/** Characters of a refused line that the report repeats. */
const TEXT_MAX = 64 * 1024;

/** A line that is not in the store, and why. */
export interface Refusal {
  readonly line: number;
  readonly code: string;
  readonly reason: string;
}

/** Counts what becomes of every line. Every line that was read is in exactly one count. */
export class ImportReport {
  linesRead = 0;
  /** Bytes of the lines that were read, with their line feeds. */
  bytesRead = 0;
  blankLines = 0;
  /** Events that this run has stored. */
  appended = 0;
  /** Events that an earlier run had stored. */
  alreadyThere = 0;
  refused = 0;
  /** Lines of batches that an earlier run stored in another form. */
  storedDifferently = 0;
  readonly #shown: Refusal[] = [];
  readonly #descriptor: number | null;

  /** `file` gets one JSON line for each refused line; null for none. */
  constructor(file: string | null) {
    this.#descriptor = file === null ? null : openReport(file);
  }

  /** The first refused lines. */
  get shownRefusals(): readonly Refusal[] {
    return this.#shown;
  }

  refuse(line: Line, code: string, reason: string): void {
    this.refused++;
    const refusal = { line: line.number, code, reason };
    if (this.#shown.length < SHOWN_MAX) this.#shown.push(refusal);
    if (this.#descriptor === null) return;
    const text = Buffer.from(line.bytes).toString('utf8').slice(0, TEXT_MAX);
    writeSync(this.#descriptor, `${JSON.stringify({ ...refusal, text })}\n`);
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}

function openReport(file: string): number {
  try {
    return openSync(file, 'w');
  } catch (error) {
    throw new CliError(
      `The report file '${file}' cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
}
