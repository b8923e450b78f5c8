/**
 * Pieces of bytes on their way out, in order. Pieces that lie side by side in memory, as the frames of one read do, are put together without copying: writing a frame of 300 bytes
 * by itself costs more than reading and verifying it.
 */
export class AdjoiningBytes {
  #pieces: Buffer[] = [];

  add(piece: Buffer): void {
    const last = this.#pieces.at(-1);
    if (last === undefined || !adjoin(last, piece)) this.#pieces.push(piece);
    else this.#pieces[this.#pieces.length - 1] = together(last, piece);
  }

  /** All that was added since the call before, in as few pieces as there are places in memory. */
  takeAll(): readonly Buffer[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }
}

function adjoin(one: Buffer, next: Buffer): boolean {
  return one.buffer === next.buffer && one.byteOffset + one.length === next.byteOffset;
}

function together(one: Buffer, next: Buffer): Buffer {
  return Buffer.from(one.buffer, one.byteOffset, one.length + next.length);
}
