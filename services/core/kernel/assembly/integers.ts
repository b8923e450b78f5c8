/** Writes a number in decimal. Returns the address behind it. */
export function writeInteger(p: usize, value: u64): usize {
  let digits: usize = 1;
  for (let limit: u64 = 10; digits < 20 && value >= limit; limit *= 10) digits++;
  const end = p + digits;
  let at = end;
  let rest = value;
  // Division of 64 bits costs several times that of 32.
  for (; rest > <u64>u32.MAX_VALUE; rest /= 10) store<u8>(--at, 0x30 + <u8>(rest % 10));
  for (let low = <u32>rest; at > p; low /= 10) store<u8>(--at, 0x30 + <u8>(low % 10));
  return end;
}
