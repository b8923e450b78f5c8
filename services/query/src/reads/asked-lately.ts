/** Places for keys. Two keys that share one forget each other. */
const PLACES = 2 ** 14;
const FNV_PRIME = 0x01000193;
const FNV_OFFSET = 0x811c9dc5;

/** Remembers about which keys were met lately, in a memory that does not grow: the doorkeeper of a cache (Einziger et al., TinyLFU, 2017). Two keys may be taken for one. */
export class AskedLately {
  readonly #hashes = new Uint32Array(PLACES);

  /** Says whether the key was met lately, and remembers it. */
  add(key: string): boolean {
    const hash = hashOf(key);
    const place = hash & (PLACES - 1);
    const isKnown = this.#hashes[place] === hash;
    this.#hashes[place] = hash;
    return isKnown;
  }
}

/** FNV-1a over the code units. */
function hashOf(key: string): number {
  let hash = FNV_OFFSET;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), FNV_PRIME);
  return hash >>> 0;
}
