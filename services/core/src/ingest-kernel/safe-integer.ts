/** Writes a non-negative safe integer as 8 bytes, little-endian, without a BigInt. */
export function writeSafeInteger(target: Buffer, value: number, offset: number): void {
  target.writeUInt32LE(value % 2 ** 32, offset);
  target.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4);
}
