/** Notices when something that is behind makes no progress. */
export class StallWatch {
  readonly #afterMs: number;
  #at: number | null = null;
  #sinceMs = 0;
  #isStalled = false;

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** For how long it has stood where it stands. */
  stillMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#sinceMs);
  }

  /** Looks at where it stands, and whether there is something to do for it. */
  look(seen: { readonly nowMs: number; readonly at: number; readonly isBehind: boolean }): void {
    if (!seen.isBehind || seen.at !== this.#at) {
      this.#at = seen.at;
      this.#sinceMs = seen.nowMs;
    }
    this.#isStalled = seen.isBehind && this.stillMs(seen.nowMs) >= this.#afterMs;
  }
}
