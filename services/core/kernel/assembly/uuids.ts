const DASH: u8 = 0x2d;

/** Writes 16 bytes as a UUID in lower case, 36 bytes. Returns the address behind it. */
export function writeUuid(p: usize, id: usize): usize {
  const bytes = v128.load(id);
  const high = i8x16.shr_u(bytes, 4);
  const low = v128.and(bytes, i8x16.splat(15));
  const first = digitsOf(
    i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
  );
  const second = digitsOf(
    i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31),
  );
  store<u64>(p, i64x2.extract_lane(first, 0));
  store<u8>(p, DASH, 8);
  store<u32>(p, i32x4.extract_lane(first, 2), 9);
  store<u8>(p, DASH, 13);
  store<u32>(p, i32x4.extract_lane(first, 3), 14);
  store<u8>(p, DASH, 18);
  store<u32>(p, i32x4.extract_lane(second, 0), 19);
  store<u8>(p, DASH, 23);
  store<u32>(p, i32x4.extract_lane(second, 1), 24);
  store<u64>(p, i64x2.extract_lane(second, 1), 28);
  return p + 36;
}

/** The digits of 16 numbers below 16. */
function digitsOf(values: v128): v128 {
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102);
  return i8x16.swizzle(digits, values);
}
