/**
 * Checks the metadata of an Arrow message before the library reads it. The library trusts every length in it, and one damaged byte can make it build a
 * schema of a billion fields. A flatbuffer is a tree of tables, strings and vectors that point forwards; the check walks the parts that the library
 * reads, sees that each lies inside, and counts them.
 *
 *     Message   1 header type, 2 header, 4 notes
 *     Schema    1 fields, 2 notes                     (header type 1)
 *     Dictionary batch   1 record batch               (2)
 *     Record batch   1 nodes, 2 buffers, 4 counts     (3)
 *     Field     0 name, 3 type, 4 dictionary, 5 children, 6 notes
 *     Notes     lists of 0 key, 1 value
 */

const TABLES_MAX = 10_000;
const NODE_BYTES = 16;
const BUFFER_BYTES = 16;
const COUNT_BYTES = 8;
const REFERENCE_BYTES = 4;

/** Thrown by the walk when something lies outside. */
class OutsideError extends Error {
  override readonly name = 'OutsideError';
}

/** Why the metadata cannot be read; null when it can. */
export function metadataFault(metadata: Buffer): string | null {
  try {
    new MetadataWalk(metadata).message();
    return null;
  } catch (error) {
    if (error instanceof OutsideError) return error.message;
    throw error;
  }
}

class MetadataWalk {
  readonly #bytes: Buffer;
  #tables = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  message(): void {
    const table = this.#table(this.#u32(0));
    const typeAt = this.#slot(table, 1);
    const type = typeAt === 0 ? 0 : this.#u8(typeAt);
    const header = this.#reference(table, 2);
    this.#notes(table, 4);
    if (header === 0) throw new OutsideError('a message has no header');
    if (type === 1) this.#schema(header);
    else if (type === 2) this.#dictionaryBatch(header);
    else if (type === 3) this.#recordBatch(header);
    else throw new OutsideError(`a message has the header type ${type}`);
  }

  #schema(at: number): void {
    const table = this.#table(at);
    this.#fields(table, 1);
    this.#notes(table, 2);
  }

  #dictionaryBatch(at: number): void {
    const batch = this.#reference(this.#table(at), 1);
    if (batch === 0) throw new OutsideError('a dictionary has no values');
    this.#recordBatch(batch);
  }

  #recordBatch(at: number): void {
    const table = this.#table(at);
    this.#vector(table, 1, NODE_BYTES);
    this.#vector(table, 2, BUFFER_BYTES);
    this.#vector(table, 4, COUNT_BYTES);
  }

  #fields(table: number, slot: number): void {
    for (const at of this.#references(table, slot)) {
      const field = this.#table(at);
      this.#vector(field, 0, 1);
      for (const inner of [3, 4]) {
        const reference = this.#reference(field, inner);
        if (reference !== 0) this.#table(reference);
      }
      this.#fields(field, 5);
      this.#notes(field, 6);
    }
  }

  #notes(table: number, slot: number): void {
    for (const at of this.#references(table, slot)) {
      const note = this.#table(at);
      this.#vector(note, 0, 1);
      this.#vector(note, 1, 1);
    }
  }

  /** Where the tables of a list stand. */
  *#references(table: number, slot: number): Generator<number> {
    const { start, count } = this.#vector(table, slot, REFERENCE_BYTES);
    for (let i = 0; i < count; i++) {
      const at = start + i * REFERENCE_BYTES;
      yield at + this.#u32(at);
    }
  }

  /** A vector or string, which lies inside; empty when there is none. */
  #vector(table: number, slot: number, elementBytes: number): { start: number; count: number } {
    const at = this.#reference(table, slot);
    if (at === 0) return { start: 0, count: 0 };
    const count = this.#u32(at);
    this.#require(at + 4, count * elementBytes);
    return { start: at + 4, count };
  }

  /** The address of a table whose fields and list of fields lie inside. */
  #table(at: number): number {
    if (++this.#tables > TABLES_MAX)
      throw new OutsideError(`the metadata has more than ${TABLES_MAX} parts`);
    const slots = at - this.#i32(at);
    this.#require(slots, 4);
    this.#require(slots, this.#bytes.readUInt16LE(slots));
    this.#require(at, this.#bytes.readUInt16LE(slots + 2));
    return at;
  }

  /** The address of a table's field; 0 when it has none. */
  #slot(table: number, slot: number): number {
    const slots = table - this.#i32(table);
    const at = 4 + slot * 2;
    const offset = at + 2 > this.#bytes.readUInt16LE(slots) ? 0 : this.#u16(slots + at);
    return offset === 0 ? 0 : table + offset;
  }

  #reference(table: number, slot: number): number {
    const at = this.#slot(table, slot);
    return at === 0 ? 0 : at + this.#u32(at);
  }

  #u8(at: number): number {
    this.#require(at, 1);
    return this.#bytes.readUInt8(at);
  }

  #u16(at: number): number {
    this.#require(at, 2);
    return this.#bytes.readUInt16LE(at);
  }

  #u32(at: number): number {
    this.#require(at, 4);
    return this.#bytes.readUInt32LE(at);
  }

  #i32(at: number): number {
    this.#require(at, 4);
    return this.#bytes.readInt32LE(at);
  }

  #require(at: number, bytes: number): void {
    if (at < 0 || at + bytes > this.#bytes.length)
      throw new OutsideError('the metadata of a message points outside of it');
  }
}
