/**
 * Answers to queries over one entity, kept as the bytes that went out. The events of an entity only grow, each with the next version, so what a query over it finds
 * depends on nothing but the entity's version: an answer is right as long as the entity is at the version it was made at. Whoever uses one has passed the gate first,
 * and compares versions in the turn in which it reads the position.
 *
 * An answer is taken in when it is asked for a second time, so that reading many entities once each pushes nothing out, and costs no memory.
 *
 * Bounded in bytes; what was not used for longest goes first. When the history is emptied, so is the cache, and an answer that was being made meanwhile is not taken in:
 * another log may bring the same entity to the same version.
 */
import type { RunListener } from '../history/run-listener.ts';
import { AskedLately } from './asked-lately.ts';

/** What one entry costs beside its bytes. */
const ENTRY_BYTES = 512;

export interface CachedAnswer<Asked> {
  /** What was asked, read out of the request. */
  readonly asked: Asked;
  readonly entityVersion: number;
  /** The answer up to its position. */
  readonly body: Buffer;
}

export class AnswerCache<Asked> implements RunListener {
  readonly #bytesMax: number;
  /** By key, the least recently used first. */
  readonly #answers = new Map<string, CachedAnswer<Asked>>();
  readonly #askedLately = new AskedLately();
  #bytes = 0;
  #generation = 0;
  #hits = 0;
  #misses = 0;

  /** Setting ALLSOURCE_ANSWER_CACHE_BYTES; with 0 nothing is kept. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What is kept, and how often an answer of it was sent. */
  get figures() {
    return {
      entries: this.#answers.size,
      bytes: this.#bytes,
      bytesMax: this.#bytesMax,
      hits: this.#hits,
      misses: this.#misses,
    };
  }

  /** Counts a request that was, or was not, answered with what is kept. */
  countUse(isHit: boolean): void {
    if (isHit) this.#hits += 1;
    else this.#misses += 1;
  }

  /** Changes when the history is emptied. */
  get generation(): number {
    return this.#generation;
  }

  find(key: string): CachedAnswer<Asked> | undefined {
    const answer = this.#answers.get(key);
    if (answer === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    return answer;
  }

  /** True when an answer that has to be made is worth keeping: one to this key is kept already, or was asked for lately. */
  wants(key: string): boolean {
    if (this.#bytesMax === 0) return false;
    return this.#askedLately.add(key) || this.#answers.has(key);
  }

  /** Takes an answer in that was begun in `generation`, in place of an older one. */
  keep(key: string, answer: CachedAnswer<Asked>, generation: number): void {
    const bytes = bytesOf(key, answer);
    if (generation !== this.#generation || bytes > this.#bytesMax / 8) return;
    this.#drop(key);
    this.#answers.set(key, answer);
    this.#bytes += bytes;
    for (const oldest of this.#answers.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#drop(oldest);
    }
  }

  rowsAdded(): void {
    // Versions say whether an answer still holds.
  }

  emptied(): void {
    this.#answers.clear();
    this.#bytes = 0;
    this.#generation++;
  }

  #drop(key: string): void {
    const answer = this.#answers.get(key);
    if (answer === undefined) return;
    this.#answers.delete(key);
    this.#bytes -= bytesOf(key, answer);
  }
}

function bytesOf(key: string, { body }: CachedAnswer<unknown>): number {
  return key.length * 2 + body.length + ENTRY_BYTES;
}
