import { must } from '@allsource/shared/lang';

/** Gives texts numbers 0, 1, 2, ... in the order in which they first come. */
export class Dictionary {
  readonly names: string[] = [];
  readonly #numbers = new Map<string, number>();

  /** The number of a text, a new one if it has none. */
  numberOf(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }

  /** The number of a text; -1 when it has none. */
  find(name: string): number {
    return this.#numbers.get(name) ?? -1;
  }

  name(number: number): string {
    return must(this.names[number], 'a number of the dictionary');
  }
}
