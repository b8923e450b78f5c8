import type {
  ChangedEntry,
  StateStore,
  StoredEntry,
} from '../../src/pipelines/operators/operator-states.ts';

/** States in memory. */
export class MemoryStates implements StateStore {
  readonly #byOperator = new Map<number, Map<string, StoredEntry>>();

  get(operator: number, key: string): StoredEntry | null {
    return this.#of(operator).get(key) ?? null;
  }

  due(operator: number, upTo: number): StoredEntry[] {
    return [...this.#of(operator).values()].filter(({ due }) => due !== null && due <= upTo);
  }

  nextDue(operator: number, after: number): number {
    const times = [...this.#of(operator).values()].map(
      ({ due }) => due ?? Number.POSITIVE_INFINITY,
    );
    return Math.min(Number.POSITIVE_INFINITY, ...times.filter((due) => due > after));
  }

  count(operator: number): number {
    return this.#of(operator).size;
  }

  save(changes: readonly ChangedEntry[]): void {
    for (const { operator, key, entry } of changes) {
      if (entry === null) this.#of(operator).delete(key);
      else this.#of(operator).set(key, entry);
    }
  }

  #of(operator: number): Map<string, StoredEntry> {
    const known = this.#byOperator.get(operator);
    if (known !== undefined) return known;
    const fresh = new Map<string, StoredEntry>();
    this.#byOperator.set(operator, fresh);
    return fresh;
  }
}
