import type { RetryNotice } from '@allsource/client/tools';
import type { Console } from '../terminal/console.ts';
import { cutTo, formatBytes, formatCount, formatDuration } from '../terminal/table.ts';
import type { ImportReport } from './import-report.ts';
import type { ImportSource } from './import-source.ts';

const BAR_WIDTH = 24;
const DRAW_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;
const ERASE_LINE = '\r\u001b[K';

export interface ProgressOptions {
  readonly console: Console;
  readonly source: ImportSource;
  readonly report: ImportReport;
  readonly nowMs: () => number;
}

/** Shows how an import goes on: a bar that is drawn over on a terminal, a line every few seconds elsewhere. */
export class Progress {
  readonly #options: ProgressOptions;
  readonly #startedAtMs: number;
  #shownAtMs: number;
  #isDrawn = false;
  #lastNoticeMs = Number.NEGATIVE_INFINITY;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#startedAtMs = options.nowMs();
    this.#shownAtMs = this.#startedAtMs;
  }

  get elapsedMs(): number {
    return this.#options.nowMs() - this.#startedAtMs;
  }

  /** Shows the state of things, if it is time for it. */
  update(): void {
    const { console, nowMs } = this.#options;
    const everyMs = console.isErrorTerminal ? DRAW_EVERY_MS : LINE_EVERY_MS;
    if (nowMs() - this.#shownAtMs < everyMs) return;
    this.#shownAtMs = nowMs();
    this.#show(this.#line());
  }

  /** Says that the store does not answer and that the import waits for it. */
  waiting({ error, failingForMs }: RetryNotice): void {
    const text = `${error.message} Trying again (for ${formatDuration(failingForMs)} so far).`;
    if (!this.#options.console.isErrorTerminal && !this.#mayRepeat(failingForMs)) return;
    this.#show(text);
  }

  #mayRepeat(failingForMs: number): boolean {
    const { nowMs } = this.#options;
    const isFirst = failingForMs < 1;
    if (!isFirst && nowMs() - this.#lastNoticeMs < LINE_EVERY_MS) return false;
    this.#lastNoticeMs = nowMs();
    return true;
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#isDrawn) this.#options.console.draw(ERASE_LINE);
    this.#isDrawn = false;
  }

  #show(text: string): void {
    const { console } = this.#options;
    if (!console.isErrorTerminal) {
      console.complain(text);
      return;
    }
    this.#isDrawn = true;
    console.draw(ERASE_LINE + cutTo(text, console.columns - 1));
  }

  #line(): string {
    const { report, source } = this.#options;
    const events = report.appended + report.alreadyThere;
    const rate = `${formatCount(events / (this.elapsedMs / 1000))} events/s`;
    const refused = report.refused === 0 ? '' : `, ${formatCount(report.refused)} refused`;
    const counts = `${formatCount(events)} events${refused}, ${rate}`;
    const share = this.#share();
    if (share === null) return `${counts}, ${formatBytes(source.bytesRead)} read`;
    return `${this.#bar(share)}${Math.floor(share * 100)}%  ${counts}, ${this.#timeLeft(share)}`;
  }

  /** How much of the file is done, from 0 to 1; null when nobody knows how much there is. */
  #share(): number | null {
    const { report, source } = this.#options;
    if (source.contentBytes !== null) return shareOf(report.bytesRead, source.contentBytes);
    return source.bytesTotal === null ? null : shareOf(source.bytesRead, source.bytesTotal);
  }

  #bar(share: number): string {
    if (!this.#options.console.isErrorTerminal) return '';
    const filled = Math.round(share * BAR_WIDTH);
    return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] `;
  }

  #timeLeft(share: number): string {
    if (share <= 0) return 'time left unknown';
    return `${formatDuration((this.elapsedMs / share) * (1 - share))} left`;
  }
}

function shareOf(done: number, total: number): number {
  return Math.min(1, done / Math.max(1, total));
}
