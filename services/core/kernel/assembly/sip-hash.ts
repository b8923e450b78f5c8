/**
 * SipHash-2-4 with 128 bits of result (Aumasson and Bernstein), keyed with random bytes of the process. It stands for the name of an entity
 * in the entity table. Whoever does not know the key cannot find two names with one hash; by chance, 2^32 entities share one with a
 * probability of 2^-65.
 *
 * What is hashed: a prefix of whole 8-byte blocks [space, tenant bytes, tenant..., zeros], the same for all events of a commit, then the
 * entity id. The prefix's state is kept, so that an event costs only its own blocks.
 */

const K0_XOR: u64 = 0x736f6d6570736575;
const K1_XOR: u64 = 0x646f72616e646f6d;
const K2_XOR: u64 = 0x6c7967656e657261;
const K3_XOR: u64 = 0x7465646279746573;
const RESULT_128: u64 = 0xee;
const SECOND_HALF: u64 = 0xdd;

let key0: u64 = 0;
let key1: u64 = 0;
// The state behind the prefix, and the prefix's length, which counts in the last block.
let prefix0: u64 = 0;
let prefix1: u64 = 0;
let prefix2: u64 = 0;
let prefix3: u64 = 0;
let prefixBytes: usize = 0;

export function setHashKey(a: u64, b: u64): void {
  key0 = a;
  key1 = b;
}

/** Begins a hash with `bytes` bytes at `at`, a multiple of 8. */
export function setHashPrefix(at: usize, bytes: usize): void {
  let v0 = key0 ^ K0_XOR;
  let v1 = key1 ^ K1_XOR ^ RESULT_128;
  let v2 = key0 ^ K2_XOR;
  let v3 = key1 ^ K3_XOR;
  for (let p = at; p < at + bytes; p += 8) {
    const block = load<u64>(p);
    v3 ^= block;
    for (let round = 0; round < 2; round++) {
      v0 += v1;
      v2 += v3;
      v1 = rotl(v1, 13) ^ v0;
      v3 = rotl(v3, 16) ^ v2;
      v0 = rotl(v0, 32) + v3;
      v2 += v1;
      v3 = rotl(v3, 21) ^ v0;
      v1 = rotl(v1, 17) ^ v2;
      v2 = rotl(v2, 32);
    }
    v0 ^= block;
  }
  prefix0 = v0;
  prefix1 = v1;
  prefix2 = v2;
  prefix3 = v3;
  prefixBytes = bytes;
}

/** The last 0 to 7 bytes of a message, below the byte that holds its length. */
function lastBlock(at: usize, bytes: usize): u64 {
  let block: u64 = 0;
  for (let i: usize = 0; i < bytes; i++) block |= (<u64>load<u8>(at + i)) << (<u64>i * 8);
  return block;
}

/** Hashes the prefix and `bytes` bytes at `at`; writes 16 bytes to `target`. */
export function hashInto(target: usize, at: usize, bytes: usize): void {
  let v0 = prefix0;
  let v1 = prefix1;
  let v2 = prefix2;
  let v3 = prefix3;
  const wholeBytes = bytes & ~7;
  const last = lastBlock(at + wholeBytes, bytes & 7) | ((<u64>(prefixBytes + bytes)) << 56);
  // Steps: each whole block, the last block, then four rounds for each half of the result.
  const blocks = (wholeBytes >> 3) + 1;
  for (let step: usize = 0; step < blocks + 2; step++) {
    const isBlock = step < blocks;
    const block = step < blocks - 1 ? load<u64>(at + step * 8) : last;
    if (isBlock) v3 ^= block;
    else if (step == blocks) v2 ^= RESULT_128;
    else v1 ^= SECOND_HALF;
    const rounds = isBlock ? 2 : 4;
    for (let round = 0; round < rounds; round++) {
      v0 += v1;
      v2 += v3;
      v1 = rotl(v1, 13) ^ v0;
      v3 = rotl(v3, 16) ^ v2;
      v0 = rotl(v0, 32) + v3;
      v2 += v1;
      v3 = rotl(v3, 21) ^ v0;
      v1 = rotl(v1, 17) ^ v2;
      v2 = rotl(v2, 32);
    }
    if (isBlock) v0 ^= block;
    else store<u64>(target + (step - blocks) * 8, v0 ^ v1 ^ v2 ^ v3);
  }
}
