/** Numbers in the order they came, in one growing array. */
export class NumberList {
  #numbers = new Float64Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(number: number): void {
    if (this.#size === this.#numbers.length) {
      const larger = new Float64Array(this.#size * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#size++] = number;
  }

  /** What was added; the memory is the list's own. */
  values(): Float64Array {
    return this.#numbers.subarray(0, this.#size);
  }
}
