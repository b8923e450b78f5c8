import type { HashedName } from '../history/name-table.ts';
import type { EntityRecords } from './entity-records.ts';

/** Slots of a page; each is two integers: hash, and entity number + 1 (0 = empty). */
const PAGE_SLOTS = 1024;
const PAGE_SLOTS_USED_MAX = 800;
const DEPTH_MAX = 22;
const NOT_FOUND = -1;

/** A part of the table: the entities whose hashes begin with the same bits. */
interface Page {
  readonly slots: Uint32Array;
  used: number;
  /** How many leading bits of the hash its entities have in common. */
  depth: number;
}

/**
 * Finds the record of an entity by its name, for tens of millions of them: a hash table that grows page by page (extendible hashing), so no single
 * event waits until a large table has been copied. A page that is divided stays as the first half, so growth leaves no garbage: memory between pages
 * that live on would be of use to nobody.
 */
export class EntityTable {
  #directory: Page[] = [newPage(0)];
  #depth = 0;
  readonly #records: EntityRecords;
  /** What stood in the page that is being divided. */
  readonly #divided = new Uint32Array(PAGE_SLOTS * 2);

  constructor(records: EntityRecords) {
    this.#records = records;
  }

  /** Bytes of memory held, without the overhead of the engine. */
  get bytes(): number {
    return new Set(this.#directory).size * PAGE_SLOTS * 8 + this.#directory.length * 8;
  }

  /** The number of an entity; a record is made if it has none. */
  numberOf(name: HashedName): number {
    for (;;) {
      const page = this.#pageOf(name.hash);
      const slot = this.#slotOf(page.slots, name);
      const known = page.slots[slot * 2 + 1] as number;
      if (known !== 0) return known - 1;
      if (page.used < PAGE_SLOTS_USED_MAX || page.depth >= DEPTH_MAX) {
        const number = this.#records.add(name);
        page.slots[slot * 2] = name.hash;
        page.slots[slot * 2 + 1] = number + 1;
        page.used++;
        return number;
      }
      this.#split(page, name.hash);
    }
  }

  /** Adds the record of a name that is not in the table. */
  restore(hash: number, number: number): void {
    for (;;) {
      const page = this.#pageOf(hash);
      if (page.used < PAGE_SLOTS_USED_MAX || page.depth >= DEPTH_MAX) {
        putInEmptySlot(page, hash, number + 1);
        return;
      }
      this.#split(page, hash);
    }
  }

  /** The number that a name of this hash most likely has; -1 for none. Only a hint: the name is not compared. */
  candidate(hash: number): number {
    const { slots } = this.#pageOf(hash);
    return (slots[(hash & (PAGE_SLOTS - 1)) * 2 + 1] as number) - 1;
  }

  /** The number of an entity; -1 when it has none. */
  find(name: HashedName): number {
    const { slots } = this.#pageOf(name.hash);
    const known = slots[this.#slotOf(slots, name) * 2 + 1] as number;
    return known === 0 ? NOT_FOUND : known - 1;
  }

  #pageOf(hash: number): Page {
    // A shift by 32 would be one by 0.
    return this.#directory[this.#depth === 0 ? 0 : hash >>> (32 - this.#depth)] as Page;
  }

  /** The slot that holds the name, or the empty one where it belongs. */
  #slotOf(slots: Uint32Array, name: HashedName): number {
    const { hash } = name;
    const records = this.#records;
    let slot = hash & (PAGE_SLOTS - 1);
    for (;;) {
      const number = slots[slot * 2 + 1] as number;
      if (number === 0 || (slots[slot * 2] === hash && records.isNamed(number - 1, name)))
        return slot;
      slot = (slot + 1) & (PAGE_SLOTS - 1);
    }
  }

  /** Divides a page by the next bit of the hashes. */
  #split(page: Page, hash: number): void {
    if (page.depth === this.#depth) {
      this.#directory = this.#directory.flatMap((known) => [known, known]);
      this.#depth++;
    }
    const divided = this.#divided;
    divided.set(page.slots);
    page.slots.fill(0);
    page.used = 0;
    const span = 1 << (this.#depth - page.depth);
    const first = page.depth === 0 ? 0 : (hash >>> (32 - page.depth)) * span;
    page.depth++;
    const second = newPage(page.depth);
    for (let slot = 0; slot < PAGE_SLOTS; slot++) {
      const entry = divided[slot * 2 + 1] as number;
      if (entry === 0) continue;
      const own = divided[slot * 2] as number;
      const isOfSecond = ((own >>> (32 - page.depth)) & 1) === 1;
      putInEmptySlot(isOfSecond ? second : page, own, entry);
    }
    this.#directory.fill(second, first + span / 2, first + span);
  }
}

function newPage(depth: number): Page {
  return { slots: new Uint32Array(PAGE_SLOTS * 2), used: 0, depth };
}

function putInEmptySlot(page: Page, hash: number, entry: number): void {
  let slot = hash & (PAGE_SLOTS - 1);
  while (page.slots[slot * 2 + 1] !== 0) slot = (slot + 1) & (PAGE_SLOTS - 1);
  page.slots[slot * 2] = hash;
  page.slots[slot * 2 + 1] = entry;
  page.used++;
}
