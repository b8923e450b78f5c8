/** The columns of a record batch while it is filled. Values are copied in, so that nothing of the store is held on to; the buffers are used again for the next batch. */

const TEXT_BYTES_FIRST = 64 * 1024;

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

  set(row: number, text: Uint8Array | string | null): void {
    const start = this.offsets[row] as number;
    this.offsets[row + 1] = start + (text === null ? this.#setNull() : this.#write(start, text));
    const mask = 1 << (row & 7);
    const byte = this.validity[row >> 3] as number;
    this.validity[row >> 3] = text === null ? byte & ~mask : byte | mask;
  }

  #setNull(): number {
    this.nullCount += 1;
    return 0;
  }

  #write(start: number, text: Uint8Array | string): number {
    this.#reserve(start + (typeof text === 'string' ? text.length * 3 : text.length));
    if (typeof text === 'string') return this.#bytes.write(text, start, 'utf8');
    this.#bytes.set(text, start);
    return text.length;
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
