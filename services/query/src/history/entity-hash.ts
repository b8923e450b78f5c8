/**
 * The hash by which entities are found: FNV-1a (32 bit) over the tenant's UTF-8 bytes, a zero byte and the entity id's bytes, mixed with the
 * finalizer of MurmurHash3. Block files sort their entities by it, so it is part of their format. Two entities may share one.
 */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** What the hashes of all entities of a tenant begin with. */
export function tenantSeed(tenant: string): number {
  const bytes = Buffer.from(tenant);
  return Math.imul(fnv1a(FNV_OFFSET, bytes, { start: 0, end: bytes.length }), FNV_PRIME);
}

/** A stretch of bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The hash of the entity whose id lies in a stretch of bytes. */
export function entityHash(seed: number, bytes: Uint8Array, range: ByteRange): number {
  const h = fnv1a(seed, bytes, range);
  const a = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  const b = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (b ^ (b >>> 16)) >>> 0;
}

/** An entity that is looked for. */
export interface SoughtEntity extends ByteRange {
  /** Its id in UTF-8. */
  readonly bytes: Buffer;
  readonly hash: number;
}

let soughtTenant = '';
let soughtName = '';
let sought = seek(soughtTenant, soughtName);

/** An entity by its names. The last one is kept: a search asks every run for the same. */
export function soughtEntity(tenant: string, entity: string): SoughtEntity {
  if (entity !== soughtName || tenant !== soughtTenant) {
    sought = seek(tenant, entity);
    soughtTenant = tenant;
    soughtName = entity;
  }
  return sought;
}

function seek(tenant: string, entity: string): SoughtEntity {
  const bytes = Buffer.from(entity);
  const range = { start: 0, end: bytes.length };
  return { ...range, bytes, hash: entityHash(tenantSeed(tenant), bytes, range) };
}

function fnv1a(seed: number, bytes: Uint8Array, { start, end }: ByteRange): number {
  let h = seed;
  for (let i = start; i < end; i++) h = Math.imul(h ^ (bytes[i] as number), FNV_PRIME);
  return h;
}

const DIGIT_BITS = 11;
const DIGITS = 1 << DIGIT_BITS;

/** The order that sorts the hashes: `order[0]` is the index of the smallest. Equal ones keep their order. */
export function sortedOrder(hashes: Uint32Array): Uint32Array {
  const { length } = hashes;
  let order = new Uint32Array(length);
  let next = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const starts = digitStarts(hashes, shift);
    for (let i = 0; i < length; i++) {
      const index = order[i] as number;
      const digit = ((hashes[index] as number) >>> shift) & (DIGITS - 1);
      const place = starts[digit] as number;
      next[place] = index;
      starts[digit] = place + 1;
    }
    [order, next] = [next, order];
  }
  return order;
}

/** Where the hashes with each digit begin once they are sorted by it. */
function digitStarts(hashes: Uint32Array, shift: number): Uint32Array {
  const starts = new Uint32Array(DIGITS + 1);
  for (let i = 0; i < hashes.length; i++) {
    const digit = ((hashes[i] as number) >>> shift) & (DIGITS - 1);
    starts[digit + 1] = (starts[digit + 1] as number) + 1;
  }
  for (let i = 1; i <= DIGITS; i++) starts[i] = (starts[i] as number) + (starts[i - 1] as number);
  return starts;
}
