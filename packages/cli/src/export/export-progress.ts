import type { RetryNotice } from '@allsource/client/tools';
import type { Console } from '../terminal/console.ts';
import { StatusLine } from '../terminal/status-line.ts';
import { formatBytes, formatCount, formatDuration } from '../terminal/table.ts';

const BAR_WIDTH = 24;

/** Shows how an export goes on: a bar that is drawn over on a terminal, a line every few seconds elsewhere. */
export class ExportProgress {
  events = 0;
  /** How many there will be; null when nobody knows. */
  total: number | null = null;
  readonly #console: Console;
  readonly #nowMs: () => number;
  readonly #startedAtMs: number;
  readonly #line: StatusLine;

  constructor(console: Console, nowMs: () => number) {
    this.#console = console;
    this.#nowMs = nowMs;
    this.#startedAtMs = nowMs();
    this.#line = new StatusLine(console, nowMs);
  }

  get elapsedMs(): number {
    return this.#nowMs() - this.#startedAtMs;
  }

  /** Counts events that were written to a file of so many bytes. */
  add(events: number, bytesWritten: number): void {
    this.events += events;
    this.#line.show(() => this.#text(bytesWritten));
  }

  /** Says that the store does not answer and that the export waits for it. */
  waiting({ error, failingForMs }: RetryNotice): void {
    this.#line.show(
      () => `${error.message} Trying again (for ${formatDuration(failingForMs)} so far).`,
    );
  }

  end(): void {
    this.#line.end();
  }

  #text(bytesWritten: number): string {
    const rate = `${formatCount(this.events / (this.elapsedMs / 1000))} events/s`;
    const done = `${formatCount(this.events)} events, ${formatBytes(bytesWritten)}, ${rate}`;
    if (this.total === null) return done;
    const share = Math.min(1, this.events / Math.max(1, this.total));
    return `${this.#bar(share)}${Math.floor(share * 100)}%  ${done}, ${this.#timeLeft(share)}`;
  }

  #bar(share: number): string {
    if (!this.#console.isErrorTerminal) return '';
    const filled = Math.round(share * BAR_WIDTH);
    return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] `;
  }

  #timeLeft(share: number): string {
    if (share <= 0) return 'time left unknown';
    return `${formatDuration((this.elapsedMs / share) * (1 - share))} left`;
  }
}
