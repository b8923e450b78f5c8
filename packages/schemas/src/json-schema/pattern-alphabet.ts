/** The characters as a pattern sees them: those that no set of it tells apart are one class. */
import type { ValidationRun } from './validation-run.ts';

const ASCII = 128;
/** Characters beyond ASCII whose class is kept. */
const KEPT_MAX = 4_096;
const WORD_CHARACTER = /^\w$/;

export class PatternAlphabet {
  readonly #sets: readonly RegExp[];
  /** The number of a class by which sets it is in. */
  readonly #classes = new Map<string, number>();
  readonly #membership: string[] = [];
  readonly #ascii: Int32Array = new Int32Array(ASCII).fill(-1);
  readonly #others = new Map<number, number>();

  /** `sets` are atoms of a good pattern: a character, an escape, a class in brackets. */
  constructor(sets: readonly string[]) {
    // One atom against one character: there is nothing to go back to.
    this.#sets = sets.map((atom) => new RegExp(`^${atom}$`, 'u'));
  }

  /** The class of a character (a code point). */
  classOf(character: number, run: ValidationRun): number {
    if (character < ASCII) {
      const known = this.#ascii[character] as number;
      if (known !== -1) return known;
      const letter = this.#find(character, run);
      this.#ascii[character] = letter;
      return letter;
    }
    const known = this.#others.get(character);
    if (known !== undefined) return known;
    if (this.#others.size >= KEPT_MAX) this.#others.clear();
    const letter = this.#find(character, run);
    this.#others.set(character, letter);
    return letter;
  }

  #find(character: number, run: ValidationRun): number {
    run.spend(10 * (this.#sets.length + 1));
    const text = String.fromCodePoint(character);
    const bits = [WORD_CHARACTER, ...this.#sets]
      .map((set) => (set.test(text) ? '1' : '0'))
      .join('');
    const known = this.#classes.get(bits);
    if (known !== undefined) return known;
    this.#classes.set(bits, this.#membership.length);
    return this.#membership.push(bits) - 1;
  }

  /** True when the characters of a class are in a set. */
  has(set: number, letter: number): boolean {
    return this.#membership[letter]?.[set + 1] === '1';
  }

  /** True when they are word characters, for `\b`. */
  isWord(letter: number): boolean {
    return this.#membership[letter]?.[0] === '1';
  }
}
