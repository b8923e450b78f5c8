import { mergedInTurns, sortInTurns, Turns } from '@allsource/service-kit/turns';

/**
 * Names in the order of their UTF-16 code units, although new ones come in any order. They are sorted when that is asked for, and only those that have come since the last
 * time; others run in between, because a million names take more than a second.
 */
export class SortedNames {
  /** Never changed, only replaced. */
  #sorted: string[] = [];
  #fresh: string[] = [];
  /** Resolves when what was asked for before is sorted. */
  #sorting: Promise<void> = Promise.resolve();

  /** Takes a name that is not among them. */
  add(name: string): void {
    this.#fresh.push(name);
  }

  /** The names that were added before the call, and perhaps later ones. */
  async inOrder(): Promise<readonly string[]> {
    this.#sorting = this.#sorting.then(() => this.#takeFresh());
    await this.#sorting;
    return this.#sorted;
  }

  async #takeFresh(): Promise<void> {
    const fresh = this.#fresh;
    if (fresh.length === 0) return;
    this.#fresh = [];
    const turns = new Turns();
    const sorted = await sortInTurns(fresh, compareNames, turns);
    this.#sorted = await mergedInTurns([this.#sorted, sorted], compareNames, turns);
  }
}

function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
