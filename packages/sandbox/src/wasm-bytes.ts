import { must } from '@allsource/shared/lang';

/** Reads the binary format of WebAssembly. */
export class WasmReader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  get atEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    return must(this.#bytes[this.at++], 'a byte before the end of the section');
  }

  bytes(length: number): Uint8Array {
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  /** What was read since a place. */
  between(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.at);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.at);
  }

  /** An unsigned number of up to 32 bits. */
  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  /** Passes a number of any size and sign. */
  skipNumber(): void {
    while (this.byte() >= 0x80);
  }
}

/** Writes it. */
export class WasmBytes {
  #bytes = new Uint8Array(1024);
  #length = 0;

  byte(value: number): this {
    this.#room(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  bytes(values: Uint8Array): this {
    this.#room(values.length);
    this.#bytes.set(values, this.#length);
    this.#length += values.length;
    return this;
  }

  /** An unsigned number of up to 32 bits. */
  unsigned(value: number): this {
    let left = value;
    for (; left >= 0x80; left = Math.floor(left / 0x80)) this.byte((left & 0x7f) | 0x80);
    return this.byte(left);
  }

  /** Bytes with their number before them. */
  sized(values: Uint8Array): this {
    return this.unsigned(values.length).bytes(values);
  }

  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + length));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
