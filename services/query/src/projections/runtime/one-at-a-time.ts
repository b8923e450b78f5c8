/** Does things one after another, in the order in which they were asked for. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  /** Does it when everything before it has ended, well or not. */
  run<T>(work: () => Promise<T> | T): Promise<T> {
    const done = this.#last.then(work);
    // Whoever asked hears of a failure; the next in line only waits for the end.
    this.#last = done.catch(() => {});
    return done;
  }
}
