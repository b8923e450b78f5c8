/**
 * The block file: an immutable stretch of the history. All integers are little-endian. See docs/formats/block.md for the why.
 *
 *     offset  size  header, 88 bytes
 *     0       4     magic "ASB1"; the last byte is the format's version
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
 *     64      8     where the text begins: the end of the last section
 *     72      8     bytes of the whole file
 *     80      8     zero
 *
 *     then for each section 24 bytes
 *     0       2     kind, see SECTIONS
 *     2       2     coding: 0 plain, 1 zstd, 2 zstd over the differences of 32-bit integers
 *     4       4     CRC-32 of the stored bytes
 *     8       8     offset in the file
 *     16      4     stored bytes
 *     20      4     bytes when decoded
 *
 *     then the sections, end to end in the order of the table
 *     then the text: chunks of zstd, end to end, each the payload and metadata of whole rows in row order
 *
 * A block covers every position from its first to its last; a position without a row is a system event.
 */
import { endianness } from 'node:os';
import { promisify } from 'node:util';
import { constants, crc32, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { assert } from '@allsource/shared/lang';
import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import { LOG_ID_BYTES } from '@allsource/shared/protocol';

assert(endianness() === 'LE', 'columns are written as the arrays of a little-endian machine');

const MAGIC = 0x31425341; // "ASB1"
const HEADER_BYTES = 88;
const TABLE_ENTRY_BYTES = 24;
const CHECKSUM_FROM = 12;
const compress = promisify(zstdCompress);
/** Level 1 compresses event text of this store about as well as level 3, in half the time. */
const ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const PLAIN = 0;
const COMPRESSED = 1;
const DIFFERENCES = 2;

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
  versions: { kind: 11, coding: COMPRESSED },
  /** Doubles, microseconds. */
  timestamps: { kind: 12, coding: COMPRESSED },
  /** Doubles, microseconds. */
  recordedAts: { kind: 13, coding: COMPRESSED },
  /** The random 22 bits of each event id; the rest of an id is its position and recorded_at. Left out when `eventIds` is there. */
  eventIdRandoms: { kind: 14, coding: COMPRESSED },
  /** All 16 bytes of each event id, when an id of the block is made in another way. */
  eventIds: { kind: 15, coding: COMPRESSED },
  /** Row to where its text begins in the uncompressed text of the block, and one more: where the text ends. */
  textOffsets: { kind: 16, coding: DIFFERENCES },
  payloadBytes: { kind: 17, coding: COMPRESSED },
  /** For each chunk of text four integers: first row, stored bytes, bytes when decoded, CRC-32 of the stored bytes. */
  chunks: { kind: 18, coding: PLAIN },
} as const;

export type SectionName = keyof typeof SECTIONS;
const NAMES_BY_KIND = new Map(
  Object.entries(SECTIONS).map(([name, { kind }]) => [kind as number, name as SectionName]),
);
export const CHUNK_ENTRY_INTEGERS = 4;

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
  readonly textOffset: number;
  readonly fileBytes: number;
  readonly sections: ReadonlyMap<SectionName, SectionPlace>;
}

/** A section, coded. */
export interface CodedSection {
  readonly name: SectionName;
  readonly bytes: Buffer;
  readonly decodedBytes: number;
}

type Column = Uint32Array | Float64Array | Uint8Array;

/** Codes a section. The values are not changed. */
export async function encodeSection(name: SectionName, values: Column): Promise<CodedSection> {
  const { coding } = SECTIONS[name];
  const source = coding === DIFFERENCES ? differences(values) : values;
  const plain = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const bytes = coding === PLAIN ? plain : await compress(plain, ZSTD);
  return { name, bytes, decodedBytes: values.byteLength };
}

/** Decodes a section's stored bytes. The result starts at an 8-byte boundary of its memory. */
export function decodeSection(place: SectionPlace, stored: Buffer): Buffer {
  const plain = aligned(place.coding === PLAIN ? stored : zstdDecompressSync(stored));
  assert(plain.length === place.decodedBytes, 'a section has the length its table says');
  if (place.coding === DIFFERENCES) sumUp(uint32s(plain));
  return plain;
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

/** Compresses one chunk of text. */
export function encodeChunk(text: Buffer): Promise<Buffer> {
  return compress(text, ZSTD);
}

/** The text of a chunk. */
export function decodeChunk(stored: Buffer): Buffer {
  return zstdDecompressSync(stored);
}

/** Prints the header and section table of a block with these sections, and the text behind them. */
export function encodeHeader(
  extent: BlockExtent,
  sections: readonly CodedSection[],
  textBytes: number,
): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + sections.length * TABLE_ENTRY_BYTES);
  let offset = bytes.length;
  for (const [i, section] of sections.entries()) {
    const entry = HEADER_BYTES + i * TABLE_ENTRY_BYTES;
    bytes.writeUInt16LE(SECTIONS[section.name].kind, entry);
    bytes.writeUInt16LE(SECTIONS[section.name].coding, entry + 2);
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
  writeInteger(bytes, offset + textBytes, 72);
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
  const sections = new Map<SectionName, SectionPlace>();
  for (let i = 0; i < header.readUInt32LE(12); i++) {
    const entry = HEADER_BYTES + i * TABLE_ENTRY_BYTES;
    const kind = header.readUInt16LE(entry);
    const name = NAMES_BY_KIND.get(kind);
    if (name === undefined) return `it has a section ${kind}, which this build does not know`;
    sections.set(name, {
      coding: header.readUInt16LE(entry + 2),
      checksum: header.readUInt32LE(entry + 4),
      offset: readInteger(header, entry + 8),
      storedBytes: header.readUInt32LE(entry + 16),
      decodedBytes: header.readUInt32LE(entry + 20),
    });
  }
  return {
    logId: Buffer.from(header.subarray(16, 16 + LOG_ID_BYTES)),
    firstPosition: position(readInteger(header, 24)),
    lastPosition: position(readInteger(header, 32)),
    rowCount: header.readUInt32LE(40),
    entityCount: header.readUInt32LE(44),
    timestampMin: micros(header.readDoubleLE(48)),
    timestampMax: micros(header.readDoubleLE(56)),
    textOffset: readInteger(header, 64),
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
