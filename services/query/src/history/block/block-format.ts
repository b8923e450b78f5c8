/**
 * The block file: an immutable stretch of the history. All integers are little-endian. See docs/formats/block.md for the why.
 *
 *     offset  size  header, 88 bytes
 *     0       4     magic "ASB4"; the last byte is the format's version
 *     4       4     header bytes: this header and the section table
 *     8       4     CRC-32 of bytes 12 .. header bytes
 *     12      4     number of sections
 *     16      8     log id
 *     24      8     first position covered
 *     32      8     last position covered
 *     40      4     number of rows
 *     44      4     number of entities
 *     48      8     earliest timestamp of a row, microseconds as a double, 0 without rows
 *     56      8     latest timestamp of a row
 *     64      8     where the chunks begin: the end of the last section
 *     72      8     bytes of the whole file
 *     80      8     zero
 *
 *     then for each section 24 bytes
 *     0       2     kind, see SECTIONS
 *     2       2     coding: 0 plain, 1 zstd, 2 zstd over the differences of 32-bit integers, 3 zstd over doubles that fit
 *                   32-bit integers, 4 zstd over the first of some doubles and the differences to the next as 32-bit integers
 *     4       4     CRC-32 of the stored bytes
 *     8       8     offset in the file
 *     16      4     stored bytes
 *     20      4     bytes when decoded
 *
 *     then the sections, end to end in the order of the table
 *     then chunks of zstd, end to end, with the rows of entities and their texts; chunk-format.ts draws them
 *
 * A block covers every position from its first to its last; a position without a row is a system event.
 */
import { endianness } from 'node:os';
import { constants, crc32, zstdCompressSync } from 'node:zlib';
import { assert } from '@allsource/shared/lang';
import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import { LOG_ID_BYTES } from '@allsource/shared/protocol';
import { decompress } from './decompress.ts';

assert(endianness() === 'LE', 'columns are written as the arrays of a little-endian machine');

const MAGIC = 0x34425341; // "ASB4"
const HEADER_BYTES = 88;
const TABLE_ENTRY_BYTES = 24;
const CHECKSUM_FROM = 12;
/** Level 1 compresses event text of this store about as well as level 3, in half the time. */
const LEVEL = { [constants.ZSTD_c_compressionLevel]: 1 };
const OUTPUT_BYTES_MIN = 1024;

const PLAIN = 0;
const COMPRESSED = 1;
const DIFFERENCES = 2;
const NARROW = 3;
const STEPS = 4;
const INT32_LIMIT = 2 ** 31;
const UINT32_LIMIT = 2 ** 32;

/** The sections of a block: their number in the file and how they are coded. Numbers are never used again for something else. */
const SECTIONS = {
  /** JSON array of texts. */
  tenantNames: { kind: 1, coding: COMPRESSED },
  /** JSON array of texts. */
  typeNames: { kind: 2, coding: COMPRESSED },
  /** Entity number to hash (see entity-hash.ts), ascending: entities are numbered in the order of their hashes. */
  entityHashes: { kind: 3, coding: DIFFERENCES },
  entityTenants: { kind: 4, coding: COMPRESSED },
  entityPartitions: { kind: 5, coding: COMPRESSED },
  /** Entity number to the end of its id in entityNames. */
  entityNameEnds: { kind: 6, coding: DIFFERENCES },
  /** Entity ids in UTF-8, end to end. */
  entityNames: { kind: 7, coding: COMPRESSED },
  /** Row to position, counted from the first position covered. */
  positions: { kind: 8, coding: DIFFERENCES },
  /** Row to entity number. */
  entities: { kind: 9, coding: COMPRESSED },
  /** Row to type number. */
  types: { kind: 10, coding: COMPRESSED },
  /** Doubles. */
  versions: { kind: 11, coding: NARROW },
  /** Doubles, microseconds. */
  timestamps: { kind: 12, coding: STEPS },
  /** Doubles, microseconds. */
  recordedAts: { kind: 13, coding: STEPS },
  /** For each chunk six integers: stored bytes, bytes when decoded, CRC-32 of the stored bytes, number of rows, and the hashes of its first and last entity. */
  chunks: { kind: 20, coding: COMPRESSED },
} as const;

export type SectionName = keyof typeof SECTIONS;
const KINDS = new Set<number>(Object.values(SECTIONS).map(({ kind }) => kind));

/** What a block covers. */
export interface BlockExtent {
  readonly logId: Buffer;
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly rowCount: number;
  readonly entityCount: number;
  readonly timestampMin: Micros;
  readonly timestampMax: Micros;
}

/** Where a section lies. */
export interface SectionPlace {
  readonly coding: number;
  readonly checksum: number;
  readonly offset: number;
  readonly storedBytes: number;
  readonly decodedBytes: number;
}

export interface BlockHeader extends BlockExtent {
  readonly chunksOffset: number;
  readonly fileBytes: number;
  readonly sections: SectionTable;
}

/** The section table as it stands in the header: a store of a billion events holds one for each of its blocks. */
export class SectionTable {
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Where a section lies; null when the block has none of that name. */
  get(name: SectionName): SectionPlace | null {
    const entry = this.#entryOf(SECTIONS[name].kind);
    if (entry === -1) return null;
    const bytes = this.#bytes;
    return {
      coding: bytes.readUInt16LE(entry + 2),
      checksum: bytes.readUInt32LE(entry + 4),
      offset: readInteger(bytes, entry + 8),
      storedBytes: bytes.readUInt32LE(entry + 16),
      decodedBytes: bytes.readUInt32LE(entry + 20),
    };
  }

  /** A kind of section that this build does not know; null when it knows all. */
  unknownKind(): number | null {
    for (let entry = 0; entry < this.#bytes.length; entry += TABLE_ENTRY_BYTES) {
      const kind = this.#bytes.readUInt16LE(entry);
      if (!KINDS.has(kind)) return kind;
    }
    return null;
  }

  #entryOf(kind: number): number {
    for (let entry = 0; entry < this.#bytes.length; entry += TABLE_ENTRY_BYTES)
      if (this.#bytes.readUInt16LE(entry) === kind) return entry;
    return -1;
  }
}

/** A section, coded. */
export interface CodedSection {
  readonly name: SectionName;
  readonly coding: number;
  readonly bytes: Buffer;
  readonly decodedBytes: number;
}

type Column = Uint32Array | Float64Array | Uint8Array;

/** Codes a section: at most some milliseconds for a block of usual size. The values are not changed. */
export function encodeSection(name: SectionName, values: Column): CodedSection {
  const { coding, source } = coded(SECTIONS[name].coding, values);
  const plain = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const bytes = coding === PLAIN ? plain : compress(plain);
  return { name, coding, bytes, decodedBytes: values.byteLength };
}

interface Coded {
  readonly coding: number;
  readonly source: Column;
}

/** The values as they are compressed. A coding that they do not fit gives way to the plain values. */
function coded(coding: number, values: Column): Coded {
  if (coding === DIFFERENCES) return { coding, source: differences(values) };
  const source = coding === NARROW ? narrowed(values) : coding === STEPS ? steps(values) : null;
  return source === null
    ? { coding: coding === PLAIN ? PLAIN : COMPRESSED, source: values }
    : { coding, source };
}

function compress(plain: Buffer): Buffer {
  // The size known beforehand makes small tables. A call to the thread pool for each piece would cost as much again as the work.
  const chunkSize = Math.max(OUTPUT_BYTES_MIN, plain.length >>> 1);
  return zstdCompressSync(plain, { params: LEVEL, pledgedSrcSize: plain.length, chunkSize });
}

/** Decodes a section's stored bytes. The result starts at an 8-byte boundary of its memory. */
export function decodeSection(place: SectionPlace, stored: Buffer): Buffer {
  const plain = aligned(place.coding === PLAIN ? stored : decompress(stored, place.decodedBytes));
  const values = decoded(place.coding, plain);
  assert(values.length === place.decodedBytes, 'a section has the length its table says');
  return values;
}

function decoded(coding: number, plain: Buffer): Buffer {
  switch (coding) {
    case DIFFERENCES:
      sumUp(uint32s(plain));
      return plain;
    case NARROW:
      return bytesOf(Float64Array.from(uint32s(plain)));
    case STEPS:
      return bytesOf(walked(plain));
    default:
      return plain;
  }
}

/** Doubles as 32-bit integers; null when one is none. */
function narrowed(values: Column): Uint32Array | null {
  const result = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(value >= 0 && value < UINT32_LIMIT) || value !== Math.floor(value)) return null;
    result[i] = value;
  }
  return result;
}

/** The first double, and the differences to the next as 32-bit integers; null when one does not fit. */
function steps(values: Column): Uint8Array | null {
  if (values.length === 0) return null;
  const bytes = new ArrayBuffer(8 + (values.length - 1) * 4);
  new Float64Array(bytes, 0, 1)[0] = values[0] as number;
  const rest = new Int32Array(bytes, 8);
  for (let i = 1; i < values.length; i++) {
    const step = (values[i] as number) - (values[i - 1] as number);
    if (!(step >= -INT32_LIMIT && step < INT32_LIMIT)) return null;
    rest[i - 1] = step;
  }
  return new Uint8Array(bytes);
}

function walked(plain: Buffer): Float64Array {
  const rest = new Int32Array(plain.buffer, plain.byteOffset + 8, (plain.length - 8) / 4);
  const values = new Float64Array(rest.length + 1);
  let value = plain.readDoubleLE(0);
  values[0] = value;
  for (let i = 0; i < rest.length; i++) {
    value += rest[i] as number;
    values[i + 1] = value;
  }
  return values;
}

function bytesOf({ buffer, byteOffset, byteLength }: Float64Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function differences(values: Column): Uint32Array {
  assert(values instanceof Uint32Array, 'differences are taken of 32-bit integers');
  const result = new Uint32Array(values.length);
  let previous = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    result[i] = value - previous;
    previous = value;
  }
  return result;
}

function sumUp(values: Uint32Array): void {
  for (let i = 1; i < values.length; i++)
    values[i] = (values[i] as number) + (values[i - 1] as number);
}

function aligned(bytes: Buffer): Buffer {
  if (bytes.byteOffset % 8 === 0) return bytes;
  return Buffer.from(new Uint8Array(bytes).buffer);
}

/** Bytes as 32-bit integers, without copying. */
export function uint32s(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

/** Bytes as doubles, without copying. */
export function float64s(bytes: Buffer): Float64Array {
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
}

/** Compresses one chunk. */
export function encodeChunk(chunk: Buffer): Buffer {
  return compress(chunk);
}

/** What a chunk was before it was compressed. */
export function decodeChunk(stored: Buffer, decodedBytes: number): Buffer {
  const chunk = decompress(stored, decodedBytes);
  assert(chunk.length === decodedBytes, 'a chunk has the length its table says');
  return chunk;
}

/** Prints the header and section table of a block with these sections, and the chunks behind them. */
export function encodeHeader(
  extent: BlockExtent,
  sections: readonly CodedSection[],
  chunkBytes: number,
): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + sections.length * TABLE_ENTRY_BYTES);
  let offset = bytes.length;
  for (const [i, section] of sections.entries()) {
    const entry = HEADER_BYTES + i * TABLE_ENTRY_BYTES;
    bytes.writeUInt16LE(SECTIONS[section.name].kind, entry);
    bytes.writeUInt16LE(section.coding, entry + 2);
    bytes.writeUInt32LE(crc32(section.bytes), entry + 4);
    writeInteger(bytes, offset, entry + 8);
    bytes.writeUInt32LE(section.bytes.length, entry + 16);
    bytes.writeUInt32LE(section.decodedBytes, entry + 20);
    offset += section.bytes.length;
  }
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(sections.length, 12);
  bytes.set(extent.logId, 16);
  writeInteger(bytes, extent.firstPosition, 24);
  writeInteger(bytes, extent.lastPosition, 32);
  bytes.writeUInt32LE(extent.rowCount, 40);
  bytes.writeUInt32LE(extent.entityCount, 44);
  bytes.writeDoubleLE(extent.timestampMin, 48);
  bytes.writeDoubleLE(extent.timestampMax, 56);
  writeInteger(bytes, offset, 64);
  writeInteger(bytes, offset + chunkBytes, 72);
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 8);
  return bytes;
}

/** Reads the header at the start of a file's bytes, or says in words why it is none. */
export function decodeHeader(bytes: Buffer): BlockHeader | string {
  if (bytes.length < HEADER_BYTES) return 'it ends inside its header';
  const magic = bytes.readUInt32LE(0);
  if (magic !== MAGIC) return `it is not a block of this format (found 0x${magic.toString(16)})`;
  const headerBytes = bytes.readUInt32LE(4);
  if (headerBytes < HEADER_BYTES || headerBytes > bytes.length) return 'it ends inside its header';
  const header = bytes.subarray(0, headerBytes);
  if (crc32(header.subarray(CHECKSUM_FROM)) !== header.readUInt32LE(8))
    return 'the checksum of its header does not fit';
  const sections = new SectionTable(Buffer.from(header.subarray(HEADER_BYTES)));
  const unknown = sections.unknownKind();
  if (unknown !== null) return `it has a section ${unknown}, which this build does not know`;
  return {
    logId: Buffer.from(header.subarray(16, 16 + LOG_ID_BYTES)),
    firstPosition: position(readInteger(header, 24)),
    lastPosition: position(readInteger(header, 32)),
    rowCount: header.readUInt32LE(40),
    entityCount: header.readUInt32LE(44),
    timestampMin: micros(header.readDoubleLE(48)),
    timestampMax: micros(header.readDoubleLE(56)),
    chunksOffset: readInteger(header, 64),
    fileBytes: readInteger(header, 72),
    sections,
  };
}

function writeInteger(target: Buffer, value: number, offset: number): void {
  target.writeBigUInt64LE(BigInt(value), offset);
}

function readInteger(source: Buffer, offset: number): number {
  return Number(source.readBigUInt64LE(offset));
}
