/** Work that can be left and gone on with after each of its steps, as long as what it works on stays the same. */
export type Steps<T> = Generator<void, T>;

/** Does all the steps, one after the other. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}
