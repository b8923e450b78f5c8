const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * The hash by which block files sort their entities: FNV-1a (32 bit) over the UTF-16 code units of the tenant, a zero and those of the
 * entity id, mixed with the finalizer of MurmurHash3. It is part of the block format. Two entities may share one.
 */
export function entityHash(tenant: string, entity: string): number {
  const h = fold(Math.imul(fold(FNV_OFFSET, tenant), FNV_PRIME), entity);
  const a = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (b ^ (b >>> 16)) >>> 0;
}

function fold(seed: number, text: string): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), FNV_PRIME);
  return h;
}

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** The order that sorts the hashes: `order[0]` is the index of the smallest. Equal ones keep their order. */
export function sortedOrder(hashes: Uint32Array): Uint32Array {
  let order = Uint32Array.from(hashes.keys());
  let next = new Uint32Array(hashes.length);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const starts = new Uint32Array(DIGITS + 1);
    for (const hash of hashes) (starts[((hash >>> shift) & (DIGITS - 1)) + 1] as number)++;
    for (let i = 1; i <= DIGITS; i++) (starts[i] as number) += starts[i - 1] as number;
    for (const index of order) {
      const digit = ((hashes[index] as number) >>> shift) & (DIGITS - 1);
      next[starts[digit] as number] = index;
      (starts[digit] as number)++;
    }
    [order, next] = [next, order];
  }
  return order;
}
