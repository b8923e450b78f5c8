/** Answers kept in memory. */
const ANSWERS_MAX = 1_000;

interface Kept {
  readonly text: string | null;
  readonly untilMs: number;
}

/** Answers of a source that are used again for a while. When there are too many, the oldest goes. */
export class KeptAnswers {
  readonly #ageMs: number;
  readonly #nowMs: () => number;
  readonly #answers = new Map<string, Kept>();

  constructor({ ageMs, nowMs }: { readonly ageMs: number; readonly nowMs: () => number }) {
    this.#ageMs = ageMs;
    this.#nowMs = nowMs;
  }

  /** The answer for a key: the one that is kept, or else a fresh one. */
  async get(key: string, ask: () => Promise<string | null>): Promise<string | null> {
    const kept = this.#answers.get(key);
    if (kept !== undefined && this.#nowMs() < kept.untilMs) return kept.text;
    const text = await ask();
    this.#answers.delete(key);
    if (this.#ageMs > 0) this.#answers.set(key, { text, untilMs: this.#nowMs() + this.#ageMs });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest);
    return text;
  }
}
