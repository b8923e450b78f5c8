/**
 * Cuts the lines of a file into batches. The cut depends on nothing but the lines and the two limits: not on which lines are bad, not on what the server
 * said before. So a second run of the same import makes the same batches, and the server recognizes them (see import-identity.ts).
 *
 * An event that expects a version stands in a batch of its own: core's answer to a conflict does not say which event of a batch it means. A
 * change of the named tenant starts a batch, because a batch belongs to one tenant.
 */
import { checkLine, type LineCheck } from './check-line.ts';
import type { Line } from './line-splitter.ts';

export interface CheckedLine {
  readonly line: Line;
  readonly check: LineCheck;
}

/** Consecutive lines of the file, the good ones and the bad ones. */
export interface LineBatch {
  readonly lines: readonly CheckedLine[];
  readonly firstLine: number;
  readonly lastLine: number;
  /** The tenant that its events name; null when they name none. */
  readonly tenant: string | null;
}

export interface BatchLimits {
  readonly linesMax: number;
  readonly bytesMax: number;
}

export class BatchCutter {
  readonly #limits: BatchLimits;
  #lines: CheckedLine[] = [];
  #bytes = 0;
  #tenant: string | null = null;
  #hasEvent = false;
  #isSealed = false;

  constructor(limits: BatchLimits) {
    this.#limits = limits;
  }

  /** Takes the next line; returns the batch that ends before it, or null. */
  push(line: Line): LineBatch | null {
    const check = checkLine(line);
    const finished = this.#mustCut(line, check) ? this.end() : null;
    this.#lines.push({ line, check });
    this.#bytes += line.bytes.length;
    if (check.kind === 'event') {
      this.#tenant = check.tenant;
      this.#hasEvent = true;
      this.#isSealed = check.isConditional;
    }
    return finished;
  }

  /** Returns the lines that are left as the last batch, or null when there are none. */
  end(): LineBatch | null {
    const first = this.#lines[0];
    const last = this.#lines.at(-1);
    if (first === undefined || last === undefined) return null;
    const batch = {
      lines: this.#lines,
      firstLine: first.line.number,
      lastLine: last.line.number,
      tenant: this.#tenant,
    };
    this.#lines = [];
    this.#bytes = 0;
    this.#tenant = null;
    this.#hasEvent = false;
    this.#isSealed = false;
    return batch;
  }

  #mustCut(line: Line, check: LineCheck): boolean {
    const { linesMax, bytesMax } = this.#limits;
    if (this.#lines.length >= linesMax || this.#isSealed) return true;
    if (this.#bytes + line.bytes.length > bytesMax) return true;
    if (check.kind !== 'event' || !this.#hasEvent) return false;
    return check.isConditional || check.tenant !== this.#tenant;
  }
}
