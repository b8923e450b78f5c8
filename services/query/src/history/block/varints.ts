/**
 * Integers of varying length: seven bits a byte, the lowest first, the highest bit of a byte says that another one follows (as in Protocol Buffers). A signed integer has its sign in the
 * second highest bit of its first byte, so that it keeps all 53 bits of a safe integer.
 */
const MORE = 0x80;
const LOW = 0x7f;
const SIGN = 0x40;
const LOW_SIGNED = 0x3f;
const BYTE_VALUES = 128;
const SIGNED_BYTE_VALUES = 64;
/** Below this an integer is taken apart by bit operations. */
const BITS_MAX = 2 ** 31;
/** The longest integer. */
export const INTEGER_BYTES_MAX = 8;
const FIRST_BYTES = 32 * 1024;
/** Names are short: up to here a loop is faster than a call to copy. */
const LOOP_BYTES_MAX = 32;

/** Collects bytes in memory that is used again. Whoever writes has reserved the room, which is looked at once for many. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was collected, until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /** A safe integer that is not negative. */
  integer(value: number): void {
    const bytes = this.#bytes;
    let at = this.#length;
    let left = value;
    while (left >= BITS_MAX) {
      bytes[at++] = (left % BYTE_VALUES) | MORE;
      left = Math.floor(left / BYTE_VALUES);
    }
    while (left >= BYTE_VALUES) {
      bytes[at++] = (left & LOW) | MORE;
      left >>>= 7;
    }
    bytes[at++] = left;
    this.#length = at;
  }

  /** A safe integer. */
  signed(value: number): void {
    const size = Math.abs(value);
    const first = (size % SIGNED_BYTE_VALUES) | (value < 0 ? SIGN : 0);
    if (size < SIGNED_BYTE_VALUES) {
      this.#bytes[this.#length++] = first;
      return;
    }
    this.#bytes[this.#length++] = first | MORE;
    this.integer(Math.floor(size / SIGNED_BYTE_VALUES));
  }

  double(value: number): void {
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** The lowest three bytes of an integer. */
  int24(value: number): void {
    const bytes = this.#bytes;
    bytes[this.#length++] = value;
    bytes[this.#length++] = value >>> 8;
    bytes[this.#length++] = value >>> 16;
  }

  /** A few bytes. */
  bytes(source: Uint8Array, start: number, end: number): void {
    const bytes = this.#bytes;
    if (end - start > LOOP_BYTES_MAX) {
      bytes.set(source.subarray(start, end), this.#length);
      this.#length += end - start;
      return;
    }
    let at = this.#length;
    for (let i = start; i < end; i++) bytes[at++] = source[i] as number;
    this.#length = at;
  }

  /** Makes room for so many bytes. */
  reserve(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Reads what a {@link ByteWriter} has written. The bytes have passed a checksum, so nothing is checked here. */
export class ByteReader {
  readonly bytes: Buffer;
  /** What is read next. */
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  integer(): number {
    const { bytes } = this;
    let at = this.at;
    let byte = bytes[at++] as number;
    let value = byte & LOW;
    for (let scale = BYTE_VALUES; byte >= MORE; scale *= BYTE_VALUES) {
      byte = bytes[at++] as number;
      value += (byte & LOW) * scale;
    }
    this.at = at;
    return value;
  }

  signed(): number {
    const first = this.bytes[this.at++] as number;
    const low = first & LOW_SIGNED;
    const size = first >= MORE ? low + this.integer() * SIGNED_BYTE_VALUES : low;
    return (first & SIGN) === 0 ? size : -size;
  }

  double(): number {
    const value = this.bytes.readDoubleLE(this.at);
    this.at += 8;
    return value;
  }
}
