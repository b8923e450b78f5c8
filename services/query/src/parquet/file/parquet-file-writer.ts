/**
 * Writes one Parquet file, row group by row group, so that no more than one is in memory.
 *
 * Promise: when `finish` resolves, the bytes are durable under the draft name, and nothing points at them yet; whoever asked for the file gives it its
 * name. A crash leaves a draft, which the next open of the folder removes. A writer that fails must be abandoned, which removes the draft.
 */
import { crc32, zstdCompressSync } from 'node:zlib';
import type { KeyValue } from 'hyparquet';
import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer';
import {
  draftOf,
  type ParquetDisk,
  type ParquetDiskFile,
  removeFile,
} from '../disk/parquet-disk.ts';
import { COLUMN_CODINGS, EVENT_SCHEMA, type EventColumns } from './event-columns.ts';

/** What is known of a finished file. */
export interface WrittenFile {
  readonly rows: number;
  readonly bytes: number;
  /** CRC-32 of the whole file. */
  readonly checksum: number;
}

export interface ParquetFileOptions {
  readonly disk: ParquetDisk;
  /** The name that the file will get. */
  readonly name: string;
  readonly facts: Readonly<Record<string, string>>;
}

const CREATED_BY = 'allsource';

export class ParquetFileWriter {
  readonly #options: ParquetFileOptions;
  readonly #file: ParquetDiskFile;
  readonly #bytes: FileBytes;
  readonly #parquet: ParquetWriter;
  #rows = 0;

  private constructor(options: ParquetFileOptions, file: ParquetDiskFile) {
    this.#options = options;
    this.#file = file;
    this.#bytes = new FileBytes(file);
    this.#parquet = new ParquetWriter({
      writer: this.#bytes,
      schema: EVENT_SCHEMA,
      codec: 'ZSTD',
      compressors: { ZSTD: (bytes) => zstdCompressSync(bytes) },
      kvMetadata: Object.entries(options.facts).map(([key, value]): KeyValue => ({ key, value })),
      createdBy: CREATED_BY,
    });
  }

  static async create(options: ParquetFileOptions): Promise<ParquetFileWriter> {
    return new ParquetFileWriter(options, await options.disk.create(draftOf(options.name)));
  }

  /** Bytes of the row groups so far. */
  get bytes(): number {
    return this.#bytes.offset;
  }

  /** Adds a row group. */
  async add(columns: EventColumns): Promise<void> {
    const columnData = COLUMN_CODINGS.map(
      (coding): ColumnSource => ({ ...coding, data: columns[coding.name] }),
    );
    await this.#parquet.write({ columnData, rowGroupSize: columns.rowCount });
    this.#rows += columns.rowCount;
  }

  /** Ends the file and makes its bytes durable, under the draft name. */
  async finish(): Promise<WrittenFile> {
    await this.#parquet.finish();
    await this.#file.datasync();
    await this.#file.close();
    return { rows: this.#rows, bytes: this.#bytes.offset, checksum: this.#bytes.checksum };
  }

  /** Gives the file up. */
  async abandon(): Promise<void> {
    await this.#file.close();
    await removeFile(this.#options.disk, draftOf(this.#options.name));
  }
}

/** Collects the bytes of a row group, writes them to the file, and checksums them on the way. */
class FileBytes extends ByteWriter {
  readonly #file: ParquetDiskFile;
  #written = 0;
  #checksum = 0;

  constructor(file: ParquetDiskFile) {
    super();
    this.#file = file;
  }

  get checksum(): number {
    return this.#checksum;
  }

  flush(): void {
    const bytes = this.getBytes();
    this.#file.writeNow([bytes], this.#written);
    this.#checksum = crc32(bytes, this.#checksum);
    this.#written += bytes.length;
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}
