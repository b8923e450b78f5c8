/**
 * The partition of an entity: a stable hash of (tenant, entity) modulo the partition count. It never changes for the life
 * of a log, because consumers divide work by it and NATS subjects carry it. The hash is FNV-1a (32 bit) over the tenant's bytes,
 * a zero byte and the entity's bytes, mixed with the finalizer of MurmurHash3 so that short ids spread over all partitions.
 */

export const PARTITION_COUNT_DEFAULT = 256;

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

function fnv1a(hash: number, bytes: Uint8Array): number {
  let h = hash;
  for (let i = 0; i < bytes.length; i++) h = Math.imul(h ^ (bytes[i] as number), FNV_PRIME);
  return h;
}

function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** The partition (0 .. partitionCount-1) of an entity, from the UTF-8 bytes of its tenant and its id. */
export function partitionOf(
  tenant: Uint8Array,
  entity: Uint8Array,
  partitionCount: number,
): number {
  const tenantHash = Math.imul(fnv1a(FNV_OFFSET, tenant), FNV_PRIME);
  return mixed(fnv1a(tenantHash, entity)) % partitionCount;
}
