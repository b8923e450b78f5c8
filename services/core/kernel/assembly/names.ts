/**
 * The rules of packages/shared/src/model/names.ts for names of plain ASCII. `true` means that the name is good; `false` only that
 * the other path has to say. Callers have made sure that the bytes are printable ASCII without quote and backslash.
 */

const NAME_BYTES_MAX: usize = 128;
const TENANT_BYTES_MAX: usize = 64;
const SYSTEM_PREFIX: u64 = 0x2e6d65747379735f; // "_system."
const SYSTEM_TENANT: u32 = 0x73_79_73_5f; // "_sys", then "tem"
const DOT: u8 = 0x2e;

/** The bits of the bytes from `low` to `high` among the 16 of the block. */
function between(block: v128, low: u8, high: u8): v128 {
  return i8x16.le_u(i8x16.sub(block, i8x16.splat(low)), i8x16.splat(high - low));
}

/** Words of a-z, 0-9 and _, joined by single dots; 1 to 128 bytes; not the store's own prefix. */
export function isEventType(start: usize, bytes: usize): bool {
  if (bytes - 1 >= NAME_BYTES_MAX) return false;
  if (bytes >= 8 && load<u64>(start) == SYSTEM_PREFIX) return false;
  // A dot is wrong behind a dot and at either end; the place before the name counts as a dot, and so does the one behind it.
  let dotBefore: u32 = 1;
  for (let at: usize = 0; at < bytes; at += 16) {
    const block = v128.load(start + at);
    const count = min<usize>(bytes - at, 16);
    const wanted: u32 = (1 << (<u32>count)) - 1;
    const dots = <u32>i8x16.bitmask(i8x16.eq(block, i8x16.splat(DOT))) & wanted;
    const words = <u32>(
      i8x16.bitmask(
        v128.or(
          v128.or(between(block, 0x61, 0x7a), between(block, 0x30, 0x39)),
          i8x16.eq(block, i8x16.splat(0x5f)),
        ),
      )
    );
    if (((words | dots) & wanted) != wanted) return false;
    if ((dots & ((dots << 1) | dotBefore)) != 0) return false;
    dotBefore = (dots >> <u32>(count - 1)) & 1;
  }
  return dotBefore == 0;
}

/** 1 to 128 bytes without a space at either end. */
export function isEntityId(start: usize, bytes: usize): bool {
  return (
    bytes - 1 < NAME_BYTES_MAX && load<u8>(start) != 0x20 && load<u8>(start + bytes - 1) != 0x20
  );
}

/** True for printable ASCII throughout. */
export function isPrintable(start: usize, bytes: usize): bool {
  for (let at: usize = 0; at < bytes; at += 16) {
    const count = min<usize>(bytes - at, 16);
    const wanted: u32 = (1 << (<u32>count)) - 1;
    const printable = <u32>i8x16.bitmask(between(v128.load(start + at), 0x20, 0x7e));
    if ((printable & wanted) != wanted) return false;
  }
  return true;
}

/** 1 to 64 letters, digits, - or _; not the store's own tenant. */
export function isTenantId(start: usize, bytes: usize): bool {
  if (bytes - 1 >= TENANT_BYTES_MAX) return false;
  if (
    bytes == 7 &&
    load<u32>(start) == SYSTEM_TENANT &&
    (load<u32>(start, 4) & 0xffffff) == 0x6d6574
  )
    return false;
  for (let p = start; p < start + bytes; p++) {
    const c: u32 = load<u8>(p);
    const isWord = (c | 0x20) - 0x61 < 26 || c - 0x30 < 10 || c == 0x5f || c == 0x2d;
    if (!isWord) return false;
  }
  return true;
}
