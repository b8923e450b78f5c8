/**
 * Reads a Parquet file of events back, row group by row group, for compaction. It trusts nothing: the checksum of the whole file is compared first, and a file whose
 * content does not read as what its manifest says is damaged too.
 */
import { isNativeError } from 'node:util/types';
import { crc32, zstdDecompressSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type FileMetaData,
  type ParquetParsers,
  parquetMetadataAsync,
  parquetRead,
} from 'hyparquet';
import { isMissing, type ParquetDisk, type ParquetDiskFile } from '../disk/parquet-disk.ts';
import {
  type ColumnName,
  COLUMN_CODINGS,
  emptyColumns,
  type EventColumns,
} from './event-columns.ts';

/** Says why a file cannot be used. It is made again from the log. */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile';
}

/** What the manifest says of a file. */
export interface ExpectedFile {
  readonly name: string;
  readonly bytes: number;
  readonly rows: number;
  readonly checksum: number;
}

export interface FileToRead {
  readonly disk: ParquetDisk;
  readonly path: string;
  readonly expected: ExpectedFile;
}

const CHECK_BYTES = 1024 * 1024;

/** Compares length and checksum. Throws `DamagedFile`. */
export async function checkFile(
  disk: ParquetDisk,
  path: string,
  expected: ExpectedFile,
): Promise<void> {
  await withFile(disk, path, async (file) => {
    await checkSize(file, expected);
    const piece = Buffer.allocUnsafe(Math.min(CHECK_BYTES, expected.bytes));
    let checksum = 0;
    for (let at = 0; at < expected.bytes; ) {
      const read = await file.read(
        piece.subarray(0, Math.min(piece.length, expected.bytes - at)),
        at,
      );
      if (read === 0) throw new DamagedFile(`it ends at byte ${at}`);
      checksum = crc32(piece.subarray(0, read), checksum);
      at += read;
    }
    if (checksum !== expected.checksum) throw new DamagedFile('its checksum does not fit');
  });
}

/** Looks only whether the file is there with its length. Throws `DamagedFile`. */
export async function checkPresence(
  disk: ParquetDisk,
  path: string,
  expected: ExpectedFile,
): Promise<void> {
  await withFile(disk, path, (file) => checkSize(file, expected));
}

async function checkSize(file: ParquetDiskFile, { bytes }: ExpectedFile): Promise<void> {
  const size = await file.size();
  if (size !== bytes) throw new DamagedFile(`it has ${size} bytes instead of ${bytes}`);
}

/** Hands the row groups of a file to `take`, in order, after its checksum was found right. Throws `DamagedFile`. */
export async function readRowGroups(
  { disk, path, expected }: FileToRead,
  take: (columns: EventColumns) => Promise<void>,
): Promise<void> {
  await checkFile(disk, path, expected);
  await withFile(disk, path, async (file) => {
    const buffer = asyncBuffer(file, expected.bytes);
    const metadata = await parsed(() => parquetMetadataAsync(buffer));
    if (Number(metadata.num_rows) !== expected.rows)
      throw new DamagedFile(`it has ${metadata.num_rows} rows instead of ${expected.rows}`);
    let rowStart = 0;
    for (const { num_rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows);
      const from = rowStart;
      await take(await parsed(() => readColumns(buffer, metadata, { from, to: rowEnd })));
      rowStart = rowEnd;
    }
  });
}

async function withFile(
  disk: ParquetDisk,
  path: string,
  use: (file: ParquetDiskFile) => Promise<void>,
): Promise<void> {
  let file: ParquetDiskFile;
  try {
    file = await disk.open(path, 'read');
  } catch (error) {
    if (isMissing(error)) throw new DamagedFile('it is gone');
    throw error;
  }
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

/** The library throws plain errors about bytes that it cannot read. The bytes have their checksum, so what is wrong with them was written so. */
async function parsed<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = isNativeError(error) ? error.message : String(error);
    throw new DamagedFile(`it cannot be read: ${reason}`, { cause: error });
  }
}

function asyncBuffer(file: ParquetDiskFile, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    slice: async (start, end = byteLength) => {
      const bytes = Buffer.alloc(end - start);
      const read = await file.read(bytes, start);
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + read);
    },
  };
}

/** Values as they are stored: texts as bytes, times as integers. Types are decoded, because few are many rows. */
const PARSERS = {
  stringFromBytes: (bytes: Uint8Array | undefined) => bytes,
  uuidFromBytes: (bytes: Uint8Array | undefined) => bytes,
  timestampFromMicroseconds: (micros: bigint) => micros,
} as unknown as Partial<ParquetParsers>;

async function readColumns(
  file: AsyncBuffer,
  metadata: FileMetaData,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<EventColumns> {
  const columns = emptyColumns(to - from);
  const filled = new Map<string, number>();
  await parquetRead({
    file,
    metadata,
    rowStart: from,
    rowEnd: to,
    compressors: { ZSTD: (bytes) => zstdDecompressSync(bytes) },
    parsers: PARSERS,
    onChunk: ({ columnName, columnData, rowStart }) => {
      fillColumn(columns, columnName as ColumnName, { values: columnData, start: rowStart - from });
      filled.set(columnName, (filled.get(columnName) ?? 0) + columnData.length);
    },
  });
  for (const { name } of COLUMN_CODINGS)
    if (filled.get(name) !== to - from) throw new DamagedFile(`its column ${name} is incomplete`);
  return columns;
}

const typeDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function fillColumn(
  columns: EventColumns,
  name: ColumnName,
  { values, start }: { readonly values: ArrayLike<unknown>; readonly start: number },
): void {
  if (name === 'event_type') {
    const texts = new Map<Uint8Array, string>();
    for (let i = 0; i < values.length; i++) {
      const bytes = values[i] as Uint8Array;
      let text = texts.get(bytes);
      if (text === undefined) {
        text = typeDecoder.decode(bytes);
        texts.set(bytes, text);
      }
      columns.event_type[start + i] = text;
    }
    return;
  }
  const target = columns[name] as unknown[];
  for (let i = 0; i < values.length; i++) target[start + i] = values[i] ?? null;
}
