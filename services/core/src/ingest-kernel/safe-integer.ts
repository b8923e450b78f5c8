/** Writes a safe integer as 8 bytes, little-endian, without a BigInt. */
export function writeSafeInteger(target: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / 2 ** 32);
  target.writeUInt32LE(value - high * 2 ** 32, offset);
  target.writeInt32LE(high, offset + 4);
}
