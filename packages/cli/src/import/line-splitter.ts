const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** One line of a file, without its line feed. */
export interface Line {
  /** From 1, as editors count. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** True when the line is longer than a line may be; its bytes are then only its beginning. */
  readonly isTooLong: boolean;
}

/** Cuts bytes into lines. A line over `lineBytesMax` is not kept in memory: its rest is passed over. */
export class LineSplitter {
  readonly #lineBytesMax: number;
  #number = 0;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(lineBytesMax: number) {
    this.#lineBytesMax = lineBytesMax;
  }

  /** Takes the next bytes and returns the lines that are whole with them. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end === -1) break;
      this.#keep(chunk.subarray(start, end));
      lines.push(this.#take());
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  /** Returns the last line, when it does not end with a line feed. */
  end(): Line[] {
    return this.#bytes === 0 ? [] : [this.#take()];
  }

  #keep(piece: Buffer): void {
    if (piece.length > 0 && this.#bytes <= this.#lineBytesMax) this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  #take(): Line {
    const isTooLong = this.#bytes > this.#lineBytesMax;
    const whole =
      this.#pieces.length === 1 ? (this.#pieces[0] as Buffer) : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    this.#number++;
    return { number: this.#number, bytes: this.#withoutMark(whole), isTooLong };
  }

  #withoutMark(bytes: Buffer): Buffer {
    const hasMark =
      this.#number === 1 && bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
    return hasMark ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
  }
}
