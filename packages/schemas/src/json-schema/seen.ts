/** Which members and items of one value have been looked at by schemas that hold, for `unevaluatedProperties` and `unevaluatedItems`. */
export class Seen {
  #hasAllNames = false;
  readonly #names = new Set<string>();
  /** All items before this index. */
  #itemsBefore = 0;
  readonly #items = new Set<number>();

  name(name: string): void {
    this.#names.add(name);
  }

  allNames(): void {
    this.#hasAllNames = true;
  }

  hasName(name: string): boolean {
    return this.#hasAllNames || this.#names.has(name);
  }

  itemsBefore(index: number): void {
    this.#itemsBefore = Math.max(this.#itemsBefore, index);
  }

  item(index: number): void {
    this.#items.add(index);
  }

  hasItem(index: number): boolean {
    return index < this.#itemsBefore || this.#items.has(index);
  }

  /** Takes over what a schema at the same place has looked at. */
  add(other: Seen): void {
    this.#hasAllNames ||= other.#hasAllNames;
    for (const name of other.#names) this.#names.add(name);
    this.itemsBefore(other.#itemsBefore);
    for (const index of other.#items) this.#items.add(index);
  }
}
