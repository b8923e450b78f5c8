const WORD_BYTES = 8;
const WORD_SHIFT = 3;
/** Above this a call into Node takes less time than a loop over words. */
const LOOP_BYTES_MAX = 512;
const NONE = Buffer.alloc(0);
const NO_WORDS = new BigInt64Array(0);

/**
 * A region of the kernel's memory that takes texts. Short ones are copied in words, with what stands around them in their first and last word: a call for each costs
 * several times as much.
 */
export class TextArea {
  readonly #target: Buffer;
  readonly #targetWords: BigInt64Array;
  /** The region's first byte, at a word. */
  readonly #start: number;
  #at: number;
  /** Where the last text came from, and all whole words of its memory. */
  #source: Buffer = NONE;
  #sourceWords: BigInt64Array = NO_WORDS;

  constructor(memory: Buffer, start: number) {
    this.#target = memory;
    this.#targetWords = new BigInt64Array(memory.buffer);
    this.#start = start;
    this.#at = start;
  }

  /** Forgets all texts. */
  begin(): void {
    this.#at = this.#start;
  }

  /** Lets go of where the texts came from. */
  release(): void {
    this.#source = NONE;
    this.#sourceWords = NO_WORDS;
  }

  /** Copies `length` bytes of `source` from `start` on; there is room for 14 more. Returns the address of the first. */
  add(source: Buffer, start: number, length: number): number {
    if (length > LOOP_BYTES_MAX) return this.#addLong(source, start, length);
    if (source !== this.#source) this.#enter(source);
    const words = this.#sourceWords;
    const target = this.#targetWords;
    const from = source.byteOffset + start;
    const first = from >>> WORD_SHIFT;
    const end = (from + length + WORD_BYTES - 1) >>> WORD_SHIFT;
    // The memory may end within a word.
    if (end > words.length) return this.#addLong(source, start, length);
    const at = this.#at;
    let to = at >>> WORD_SHIFT;
    for (let i = first; i < end; i++) target[to++] = words[i] as bigint;
    this.#at = to * WORD_BYTES;
    return at + (from & (WORD_BYTES - 1));
  }

  #addLong(source: Buffer, start: number, length: number): number {
    const at = this.#at;
    source.copy(this.#target, at, start, start + length);
    this.#at = (at + length + WORD_BYTES - 1) & ~(WORD_BYTES - 1);
    return at;
  }

  #enter(source: Buffer): void {
    this.#source = source;
    const words = source.buffer.byteLength >>> WORD_SHIFT;
    this.#sourceWords = new BigInt64Array(source.buffer, 0, words);
  }
}
