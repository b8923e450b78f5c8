/** One change at a time, in the order they came: what a change was checked against is still true when it is written. */
export class ChangeTurns {
  #turn: Promise<unknown> = Promise.resolve();

  /** Makes a change when those before it are done, well or not. */
  run<T>(change: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(change, change);
    this.#turn = run.catch(() => undefined);
    return run;
  }
}
