import type { JsonValue, StateTable } from '../kinds/compiled-projection.ts';

/** A state as the file holds it. */
export interface KeptState {
  readonly state: string;
  readonly isShown: boolean;
}

/** A key that has changed since the last save. */
export interface ChangedKey {
  readonly key: string;
  readonly value: JsonValue | undefined;
  readonly wasShown: boolean;
}

interface Entry {
  value: JsonValue | undefined;
  isChanged: boolean;
  /** Whether the file holds a state of it that readers see. */
  isShown: boolean;
}

/**
 * The states that a fold works with: read from the file when they are first asked for, held in memory until they are saved. What one event changes is kept by `accept`
 * or taken back by `reject`, so an event whose fold throws half-way leaves nothing behind.
 */
export class StateCache implements StateTable {
  readonly #load: (key: string) => KeptState | null;
  readonly #entries = new Map<string, Entry>();
  /** The entries that the event at hand has changed, as they were before it. */
  readonly #before = new Map<string, { value: JsonValue | undefined; isChanged: boolean }>();
  #textBytes = 0;

  constructor(load: (key: string) => KeptState | null) {
    this.#load = load;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Characters of the states read or saved, about: what memory they hold. */
  get textBytes(): number {
    return this.#textBytes;
  }

  /** The keys that the event at hand has changed. */
  touched(): Iterable<string> {
    return this.#before.keys();
  }

  get(key: string): JsonValue | undefined {
    return this.#entry(key).value;
  }

  set(key: string, state: JsonValue): void {
    this.#change(key, state);
  }

  delete(key: string): void {
    this.#change(key, undefined);
  }

  /** Keeps what the event has changed. */
  accept(): void {
    this.#before.clear();
  }

  /** Takes back what the event has changed. */
  reject(): void {
    for (const [key, { value, isChanged }] of this.#before)
      Object.assign(this.#entry(key), { value, isChanged });
    this.#before.clear();
  }

  /** What has changed since the last save, in the order of keys, which meets each page of the file once. */
  *changes(): Generator<ChangedKey> {
    const keys = [...this.#entries].filter(([, { isChanged }]) => isChanged).map(([key]) => key);
    for (const key of keys.toSorted()) {
      const { value, isShown } = this.#entry(key);
      yield { key, value, wasShown: isShown };
    }
  }

  /** Says what the file holds of a key that was changed. Only when the save is committed. */
  noteSaved(key: string, saved: { readonly isShown: boolean; readonly textBytes: number }): void {
    const entry = this.#entry(key);
    entry.isChanged = false;
    entry.isShown = saved.isShown;
    this.#textBytes += saved.textBytes;
  }

  /** Lets go of everything when it has become much. Only after a save. */
  trim(limits: { readonly keysMax: number; readonly bytesMax: number }): void {
    if (this.size > limits.keysMax || this.#textBytes > limits.bytesMax) this.forget();
  }

  /** Lets go of everything: the file alone counts. */
  forget(): void {
    this.#entries.clear();
    this.#before.clear();
    this.#textBytes = 0;
  }

  #change(key: string, value: JsonValue | undefined): void {
    const entry = this.#entry(key);
    if (!this.#before.has(key))
      this.#before.set(key, { value: entry.value, isChanged: entry.isChanged });
    entry.value = value;
    entry.isChanged = true;
  }

  #entry(key: string): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const kept = this.#load(key);
    const entry = {
      value: kept === null ? undefined : (JSON.parse(kept.state) as JsonValue),
      isChanged: false,
      isShown: kept?.isShown ?? false,
    };
    this.#textBytes += kept?.state.length ?? 0;
    this.#entries.set(key, entry);
    return entry;
  }
}
