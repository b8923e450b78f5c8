/** A sum of doubles that does not lose small ones beside large ones (Neumaier's). */
export class ExactSum {
  #sum = 0;
  #lost = 0;

  add(number: number): void {
    const sum = this.#sum + number;
    this.#lost +=
      Math.abs(this.#sum) >= Math.abs(number) ? this.#sum - sum + number : number - sum + this.#sum;
    this.#sum = sum;
  }

  /** The sum; infinite where it is beyond all doubles. */
  get value(): number {
    return Number.isFinite(this.#sum) ? this.#sum + this.#lost : this.#sum;
  }
}
