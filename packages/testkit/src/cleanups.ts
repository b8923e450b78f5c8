/** What is to be taken down after a test. */
export class Cleanups {
  readonly #added: (() => Promise<void> | void)[] = [];

  add(...cleanups: readonly (() => Promise<void> | void)[]): void {
    this.#added.push(...cleanups);
  }

  /** Takes everything down, what was added last first. */
  async run(): Promise<void> {
    for (const cleanup of this.#added.splice(0).toReversed()) await cleanup();
  }
}
