/**
 * The version and newest position of every entity that an inspection has come by, in typed arrays: 28 bytes a slot and at most two thirds of the slots taken, so
 * 42 to 84 bytes for each entity, whatever its name. A name is known by a 96-bit hash under a seed of this run: two of ten million entities
 * share one with a chance of 1 in 10^15, and what that could cost is a false finding, never a missed damage.
 */
import { randomBytes } from 'node:crypto';

const SLOTS_AT_FIRST = 1 << 12;
const LOAD_MAX = 2 / 3;
const HASH_WORDS = 3;

export interface EntityName {
  readonly isSystem: boolean;
  readonly tenant: Uint8Array;
  readonly entity: Uint8Array;
}

export class EntityEnds {
  readonly #seed = new Int32Array(randomBytes(HASH_WORDS * 4).buffer.slice(0, HASH_WORDS * 4));
  readonly #hash = new Int32Array(HASH_WORDS);
  #slots = SLOTS_AT_FIRST;
  #hashes = new Int32Array(this.#slots * HASH_WORDS);
  #versions = new Float64Array(this.#slots);
  #positions = new Float64Array(this.#slots);
  #count = 0;

  /** The number of entities. */
  get count(): number {
    return this.#count;
  }

  /** The slot of an entity, made if needed; a slot that was just made is at version 0. Valid until the next call. */
  slotOf(name: EntityName): number {
    if (this.#count >= this.#slots * LOAD_MAX) this.#grow();
    this.#hashName(name);
    const slot = this.#find(this.#hash, 0);
    if (this.#versions[slot] === 0) {
      this.#hashes.set(this.#hash, slot * HASH_WORDS);
      this.#count += 1;
    }
    return slot;
  }

  version(slot: number): number {
    return this.#versions[slot] ?? 0;
  }

  position(slot: number): number {
    return this.#positions[slot] ?? 0;
  }

  set(slot: number, end: { readonly version: number; readonly position: number }): void {
    this.#versions[slot] = end.version;
    this.#positions[slot] = end.position;
  }

  #find(hash: Int32Array, at: number): number {
    const mask = this.#slots - 1;
    let slot = (hash[at] as number) & mask;
    while (this.#versions[slot] !== 0 && !this.#isAt(slot, hash, at)) slot = (slot + 1) & mask;
    return slot;
  }

  #isAt(slot: number, hash: Int32Array, at: number): boolean {
    const from = slot * HASH_WORDS;
    return (
      this.#hashes[from] === hash[at] &&
      this.#hashes[from + 1] === hash[at + 1] &&
      this.#hashes[from + 2] === hash[at + 2]
    );
  }

  #hashName({ isSystem, tenant, entity }: EntityName): void {
    for (let word = 0; word < HASH_WORDS; word++) {
      const start = (this.#seed[word] as number) ^ (isSystem ? 1 : 0);
      const prime = PRIMES[word] as number;
      const tenantHash = Math.imul(mixed(start, tenant, prime) ^ tenant.length, prime);
      this.#hash[word] = finished(mixed(tenantHash, entity, prime));
    }
  }

  #grow(): void {
    const hashes = this.#hashes;
    const versions = this.#versions;
    const positions = this.#positions;
    this.#slots *= 2;
    this.#hashes = new Int32Array(this.#slots * HASH_WORDS);
    this.#versions = new Float64Array(this.#slots);
    this.#positions = new Float64Array(this.#slots);
    for (const [old, version] of versions.entries()) {
      if (version === 0) continue;
      const at = old * HASH_WORDS;
      const slot = this.#find(hashes, at);
      this.#hashes.set(hashes.subarray(at, at + HASH_WORDS), slot * HASH_WORDS);
      this.#versions[slot] = version;
      this.#positions[slot] = positions[old] as number;
    }
  }
}

const PRIMES = [0x01000193, 0x85ebca6b, 0xc2b2ae35];

function mixed(start: number, bytes: Uint8Array, prime: number): number {
  let hash = start;
  for (let i = 0; i < bytes.length; i++) {
    hash = Math.imul(hash ^ (bytes[i] as number), prime);
    hash ^= hash >>> 15;
  }
  return hash;
}

function finished(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
