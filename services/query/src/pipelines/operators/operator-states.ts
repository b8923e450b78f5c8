/**
 * What operators remember between events: for each operator states under keys, JSON values, some with a time at which they are due.
 *
 * Changes are held in memory until `take` hands them over to be saved together with the position, so a state and the position it is true at move in one
 * transaction. What one event changes is kept whole or not at all: `begin` before it, `undo` when it has failed. Values are never changed in place.
 */

/** Where states are kept. */
export interface StateStore {
  get(operator: number, key: string): StoredEntry | null;
  /** The entries that are due up to a time, in any order. */
  due(operator: number, upTo: number): readonly StoredEntry[];
  /** The earliest time at which an entry behind `after` is due; infinity when there is none. */
  nextDue(operator: number, after: number): number;
  /** The number of states of an operator. */
  count(operator: number): number;
}

export interface StoredEntry {
  readonly key: string;
  readonly value: unknown;
  readonly due: number | null;
}

/** A state to save; null: it goes. */
export interface ChangedEntry {
  readonly operator: number;
  readonly key: string;
  readonly entry: StoredEntry | null;
}

interface Overlay {
  readonly changed: Map<string, StoredEntry | null>;
  count: number;
  /** Nothing is due before this. */
  nextDue: number;
}

interface Step {
  readonly overlay: Overlay;
  readonly key: string;
  readonly before: StoredEntry | null | undefined;
  readonly count: number;
}

export class OperatorStates {
  readonly #store: StateStore;
  readonly #overlays = new Map<number, Overlay>();
  #steps: Step[] = [];
  #size = 0;

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** The number of changes held. */
  get changeCount(): number {
    return this.#size;
  }

  /** Begins an event. */
  begin(): void {
    this.#steps = [];
  }

  /** Takes back what the event has changed. */
  undo(): void {
    for (const { overlay, key, before, count } of this.#steps.toReversed()) {
      if (before === undefined) overlay.changed.delete(key);
      else overlay.changed.set(key, before);
      overlay.count = count;
      overlay.nextDue = Number.NEGATIVE_INFINITY;
    }
    this.#steps = [];
  }

  get(operator: number, key: string): unknown {
    const changed = this.#overlay(operator).changed.get(key);
    const entry = changed === undefined ? this.#store.get(operator, key) : changed;
    return entry?.value;
  }

  /** The number of states of an operator. */
  count(operator: number): number {
    return this.#overlay(operator).count;
  }

  /** Sets the state under a key. */
  set(operator: number, entry: StoredEntry): void {
    const { key, due } = entry;
    const overlay = this.#overlay(operator);
    const isFresh = this.get(operator, key) === undefined;
    this.#change(overlay, key, entry);
    if (isFresh) overlay.count += 1;
    if (due !== null) overlay.nextDue = Math.min(overlay.nextDue, due);
  }

  delete(operator: number, key: string): void {
    if (this.get(operator, key) === undefined) return;
    const overlay = this.#overlay(operator);
    this.#change(overlay, key, null);
    overlay.count -= 1;
  }

  /** The states that are due up to a time, by their time and then by their key. */
  due(operator: number, upTo: number): StoredEntry[] {
    const overlay = this.#overlay(operator);
    if (upTo < overlay.nextDue) return [];
    const { changed } = overlay;
    const stored = this.#store.due(operator, upTo).filter(({ key }) => !changed.has(key));
    let nextDue = this.#store.nextDue(operator, upTo);
    const found = [...stored];
    for (const entry of changed.values()) {
      if (entry === null || entry.due === null) continue;
      if (entry.due <= upTo) found.push(entry);
      else nextDue = Math.min(nextDue, entry.due);
    }
    // Whoever asks takes away what is due; until then it is found again.
    overlay.nextDue = found.length > 0 ? upTo : nextDue;
    return found.sort(byTime);
  }

  /** Hands over all changes. From then on the store is asked, so they must be saved at once. */
  take(): ChangedEntry[] {
    const changes: ChangedEntry[] = [];
    for (const [operator, { changed }] of this.#overlays)
      for (const [key, entry] of changed) changes.push({ operator, key, entry });
    for (const { changed } of this.#overlays.values()) changed.clear();
    this.#steps = [];
    this.#size = 0;
    return changes;
  }

  #change(overlay: Overlay, key: string, entry: StoredEntry | null): void {
    const before = overlay.changed.get(key);
    if (before === undefined) this.#size += 1;
    this.#steps.push({ overlay, key, before, count: overlay.count });
    overlay.changed.set(key, entry);
  }

  #overlay(operator: number): Overlay {
    const known = this.#overlays.get(operator);
    if (known !== undefined) return known;
    const store = this.#store;
    const count = store.count(operator);
    const nextDue = store.nextDue(operator, Number.NEGATIVE_INFINITY);
    const fresh: Overlay = { changed: new Map(), count, nextDue };
    this.#overlays.set(operator, fresh);
    return fresh;
  }
}

function byTime(a: StoredEntry, b: StoredEntry): number {
  if (a.due !== b.due) return (a.due ?? 0) - (b.due ?? 0);
  return a.key < b.key ? -1 : 1;
}
