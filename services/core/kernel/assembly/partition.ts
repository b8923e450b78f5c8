/** The partition of an entity, as in packages/shared/src/model/partition.ts: FNV-1a over tenant, zero byte and entity, then fmix32. */

const FNV_OFFSET: u32 = 0x811c9dc5;
const FNV_PRIME: u32 = 0x01000193;

let tenantHash: u32 = 0;

function fnv1a(start: u32, at: usize, bytes: usize): u32 {
  let hash = start;
  for (let i: usize = 0; i < bytes; i++) hash = (hash ^ load<u8>(at + i)) * FNV_PRIME;
  return hash;
}

/** Names the tenant of the entities that follow. */
export function setPartitionTenant(at: usize, bytes: usize): void {
  tenantHash = fnv1a(FNV_OFFSET, at, bytes) * FNV_PRIME;
}

export function partitionOf(entity: usize, bytes: usize, partitionCount: u32): u32 {
  let h = fnv1a(tenantHash, entity, bytes);
  h = (h ^ (h >> 16)) * 0x85ebca6b;
  h = (h ^ (h >> 13)) * 0xc2b2ae35;
  return (h ^ (h >> 16)) % partitionCount;
}
