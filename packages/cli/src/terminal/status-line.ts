import type { Console } from './console.ts';
import { cutTo } from './table.ts';

const DRAW_EVERY_MS = 100;
const LINE_EVERY_MS = 5_000;
const ERASE_LINE = '\r\u001b[K';

/** One line on standard error that says how a long command goes on: drawn over on a terminal, a line every few seconds elsewhere. */
export class StatusLine {
  readonly #console: Console;
  readonly #nowMs: () => number;
  #shownAtMs: number;
  #isDrawn = false;

  constructor(console: Console, nowMs: () => number) {
    this.#console = console;
    this.#nowMs = nowMs;
    this.#shownAtMs = nowMs();
  }

  /** Shows a text, if it is time for one. */
  show(text: () => string): void {
    const everyMs = this.#console.isErrorTerminal ? DRAW_EVERY_MS : LINE_EVERY_MS;
    if (this.#nowMs() - this.#shownAtMs < everyMs) return;
    this.#shownAtMs = this.#nowMs();
    if (!this.#console.isErrorTerminal) {
      this.#console.complain(text());
      return;
    }
    this.#isDrawn = true;
    this.#console.draw(ERASE_LINE + cutTo(text(), this.#console.columns - 1));
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isDrawn) this.#console.draw(ERASE_LINE);
    this.#isDrawn = false;
  }
}
