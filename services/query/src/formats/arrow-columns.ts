/** The columns of a record batch while it is filled. Values are copied in, so that nothing of the store is held on to; the buffers are used again for the next batch. */

const TEXT_BYTES_FIRST = 64 * 1024;
/** Above this a call takes less time than a loop. */
const LOOP_BYTES_MAX = 32;
const UUID_BYTES = 36;
const DASH = 0x2d;
const DIGITS = Buffer.from('0123456789abcdef');

/** Texts in UTF-8, end to end. */
export class TextColumn {
  readonly offsets: Int32Array;
  #bytes = Buffer.allocUnsafeSlow(TEXT_BYTES_FIRST);
  /** A bit for each row: 1 where there is a value. */
  readonly validity: Uint8Array;
  nullCount = 0;

  constructor(rowsMax: number) {
    this.offsets = new Int32Array(rowsMax + 1);
    this.validity = new Uint8Array(Math.ceil(rowsMax / 8));
  }

  /** The bytes of the first `rows` texts. */
  bytes(rows: number): Uint8Array {
    return this.#bytes.subarray(0, this.offsets[rows]);
  }

  length(rows: number): number {
    return this.offsets[rows] as number;
  }

  /** Sets the text that lies from `from` to before `to` in `source`. */
  // oxlint-disable-next-line eslint/max-params -- a hot loop: an object for each call would cost more than the call.
  set(row: number, source: Uint8Array, from: number, to: number): void {
    const start = this.#begin(row, to - from);
    const bytes = this.#bytes;
    if (to - from > LOOP_BYTES_MAX) bytes.set(source.subarray(from, to), start);
    else for (let i = from, at = start; i < to; i++, at++) bytes[at] = source[i] as number;
  }

  /** Sets 16 bytes as a UUID in lower case. */
  setUuid(row: number, id: Uint8Array): void {
    let at = this.#begin(row, UUID_BYTES);
    const bytes = this.#bytes;
    for (let i = 0; i < id.length; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) bytes[at++] = DASH;
      const byte = id[i] as number;
      bytes[at++] = DIGITS[byte >> 4] as number;
      bytes[at++] = DIGITS[byte & 15] as number;
    }
  }

  setNull(row: number): void {
    this.offsets[row + 1] = this.offsets[row] as number;
    this.validity[row >> 3] = (this.validity[row >> 3] as number) & ~(1 << (row & 7));
    this.nullCount += 1;
  }

  /** Makes room for the text of a row. Returns where it begins. */
  #begin(row: number, length: number): number {
    const start = this.offsets[row] as number;
    this.#reserve(start + length);
    this.offsets[row + 1] = start + length;
    this.validity[row >> 3] = (this.validity[row >> 3] as number) | (1 << (row & 7));
    return start;
  }

  #reserve(wanted: number): void {
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger);
    this.#bytes = larger;
  }

  clear(): void {
    this.nullCount = 0;
  }
}

const HALF = 2 ** 32;

/** Whole numbers of 64 bits, given as numbers. */
export class LongColumn {
  readonly values: BigInt64Array;
  readonly #halves: Int32Array;

  constructor(rowsMax: number) {
    this.values = new BigInt64Array(rowsMax);
    this.#halves = new Int32Array(this.values.buffer);
  }

  /** Sets a safe integer. Its halves are written, low one first: a BigInt for each value would cost more than the rest of the row. */
  set(row: number, value: number): void {
    const high = Math.floor(value / HALF);
    this.#halves[row * 2] = value - high * HALF;
    this.#halves[row * 2 + 1] = high;
  }
}
