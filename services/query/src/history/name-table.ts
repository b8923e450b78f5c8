import type { ByteRange } from './entity-hash.ts';

const NAMES_FIRST = 64;
const BYTES_A_NAME = 16;
const EMPTY = -1;
const NOT_FOUND = -1;

/** A name on its way into a table: where its bytes lie, and its hash. */
export interface HashedName extends ByteRange {
  readonly bytes: Uint8Array;
  readonly hash: number;
  /** Names of different owners are different names. */
  readonly owner: number;
}

/** A name that is set anew for each look: a fold of many names makes no object for each. */
export class NameKey implements HashedName {
  bytes: Uint8Array = Buffer.alloc(0);
  start = 0;
  end = 0;
  hash = 0;
  owner = 0;
}

/**
 * Gives names numbers 0, 1, 2, ... in the order in which they first come. Names stay bytes: they are hashed and compared where they lie,
 * copied once when they are new, and become strings only when somebody asks. So a known name costs no memory and no garbage.
 */
export class NameTable {
  /** Number to hash. */
  hashes = new Uint32Array(NAMES_FIRST);
  /** Number to owner. */
  owners = new Uint32Array(NAMES_FIRST);
  /** Number to the end of the name in `bytes`; it begins where the one before ends. */
  ends = new Uint32Array(NAMES_FIRST);
  /** The names in UTF-8, end to end. */
  bytes: Buffer = Buffer.alloc(NAMES_FIRST * BYTES_A_NAME);
  /** Open addressing: hash to number. At most half full. */
  #slots = new Int32Array(NAMES_FIRST * 2).fill(EMPTY);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The number of a name, a new one if it has none. */
  numberOf(name: HashedName): number {
    const slot = this.#slotOf(name);
    const known = this.#slots[slot] as number;
    if (known !== EMPTY) return known;
    const number = this.#add(name);
    if (number * 2 >= this.#slots.length) this.#grow();
    else this.#slots[slot] = number;
    return number;
  }

  /** The number of a name; -1 when it has none. */
  find(name: HashedName): number {
    const number = this.#slots[this.#slotOf(name)] as number;
    return number === EMPTY ? NOT_FOUND : number;
  }

  /** A name as text. */
  name(number: number): string {
    return this.bytes.toString('utf8', this.#start(number), this.ends[number]);
  }

  #start(number: number): number {
    return number === 0 ? 0 : (this.ends[number - 1] as number);
  }

  /** The slot that holds the name, or the empty one where it belongs. */
  #slotOf(name: HashedName): number {
    const slots = this.#slots;
    const { hashes } = this;
    const { hash } = name;
    const mask = slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const number = slots[slot] as number;
      if (number === EMPTY || (hashes[number] === hash && this.#isName(number, name))) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isName(number: number, name: HashedName): boolean {
    if (this.owners[number] !== name.owner) return false;
    const from = this.#start(number);
    const { bytes, start } = name;
    const length = name.end - start;
    if ((this.ends[number] as number) - from !== length) return false;
    const own = this.bytes;
    for (let i = 0; i < length; i++) if (own[from + i] !== bytes[start + i]) return false;
    return true;
  }

  #add({ bytes, start, end, hash, owner }: HashedName): number {
    const number = this.#count++;
    const from = this.#start(number);
    const to = from + end - start;
    if (to > this.bytes.length) this.bytes = grown(this.bytes, Buffer.alloc(to * 2));
    const own = this.bytes;
    for (let i = start, at = from; i < end; i++, at++) own[at] = bytes[i] as number;
    if (number >= this.hashes.length) {
      const capacity = this.hashes.length * 2;
      this.hashes = grown(this.hashes, new Uint32Array(capacity));
      this.owners = grown(this.owners, new Uint32Array(capacity));
      this.ends = grown(this.ends, new Uint32Array(capacity));
    }
    this.hashes[number] = hash;
    this.owners[number] = owner;
    this.ends[number] = to;
    return number;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 2).fill(EMPTY);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#count; number++) {
      let slot = (this.hashes[number] as number) & mask;
      while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      this.#slots[slot] = number;
    }
  }
}

function grown<T extends Uint32Array | Buffer>(from: T, to: T): T {
  to.set(from);
  return to;
}
