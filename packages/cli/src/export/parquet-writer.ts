import zlib from 'node:zlib';
import type {
  ByteWriter,
  ColumnSource,
  ParquetWriter as LibraryWriter,
  SchemaElement,
} from 'hyparquet-writer';
import { CliError, EXIT } from '../exit-code.ts';
import { type ArrowPart, longsOf, namesOf, TextValues } from './arrow-parts.ts';
import type { ByteTarget, ExportWriter } from './export-writer.ts';

/** Events of a row group, unless their texts reach the bytes first: memory is one row group. */
const GROUP_EVENTS = 50_000;
const GROUP_TEXT_BYTES = 32 * 1024 * 1024;

type Text = string | Uint8Array | null;

/**
 * Parquet with zstd, in row groups of 50,000 events. Payload and metadata are strings with the JSON text byte for byte; times are microseconds in UTC.
 */
export class ParquetWriter implements ExportWriter<ArrowPart> {
  readonly #target: ByteTarget;
  readonly #bytes: ByteWriter;
  readonly #parquet: LibraryWriter;
  #group = new RowGroup();

  private constructor(target: ByteTarget, bytes: ByteWriter, parquet: LibraryWriter) {
    this.#target = target;
    this.#bytes = bytes;
    this.#parquet = parquet;
  }

  static async open(target: ByteTarget): Promise<ParquetWriter> {
    // Not imported by its name: Node 20 does not have it, and runs the other commands.
    const { zstdCompressSync } = zlib;
    if (zstdCompressSync === undefined)
      throw new CliError(
        `Parquet needs zstd, which Node ${process.versions.node} does not have. Use Node 22.15 or later, or another --format.`,
        EXIT.usage,
      );
    const library = await import('hyparquet-writer');
    const bytes = new library.ByteWriter();
    const compressors = { ZSTD: (plain: Uint8Array) => new Uint8Array(zstdCompressSync(plain)) };
    const parquet = new library.ParquetWriter({
      writer: bytes,
      schema: SCHEMA,
      codec: 'ZSTD',
      compressors,
      createdBy: 'allsource export',
    });
    return new ParquetWriter(target, bytes, parquet);
  }

  async write({ batch }: ArrowPart): Promise<void> {
    for (let row = 0; row < batch.numRows; ) {
      row += this.#group.add(batch, row);
      if (this.#group.isFull) await this.#writeGroup();
    }
  }

  async end(): Promise<void> {
    if (this.#group.size > 0) await this.#writeGroup();
    await this.#parquet.finish();
    await this.#flush();
  }

  async #writeGroup(): Promise<void> {
    const columnData = this.#group.columns();
    this.#group = new RowGroup();
    await this.#parquet.write({ columnData, rowGroupSize: GROUP_EVENTS });
    await this.#flush();
  }

  /** Hands on what the library has written; it goes on to count from there. */
  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#bytes.getBytes());
    this.#bytes.index = 0;
    await this.#target.write(bytes);
  }
}

const text = (name: string, isNullable = false): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
  repetition_type: isNullable ? 'OPTIONAL' : 'REQUIRED',
});
const long = (name: string): SchemaElement => ({
  name,
  type: 'INT64',
  repetition_type: 'REQUIRED',
});
const time = (name: string): SchemaElement => ({
  ...long(name),
  converted_type: 'TIMESTAMP_MICROS',
  logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
});

const COLUMNS: readonly SchemaElement[] = [
  long('position'),
  text('id'),
  text('event_type'),
  text('entity_id'),
  text('tenant_id'),
  long('version'),
  time('timestamp'),
  time('recorded_at'),
  text('payload'),
  text('metadata', true),
];
const SCHEMA: SchemaElement[] = [{ name: 'events', num_children: COLUMNS.length }, ...COLUMNS];

/** The events of one row group, by column. */
class RowGroup {
  size = 0;
  #textBytes = 0;
  readonly #positions = new BigInt64Array(GROUP_EVENTS);
  readonly #versions = new BigInt64Array(GROUP_EVENTS);
  readonly #timestamps = new BigInt64Array(GROUP_EVENTS);
  readonly #recordedAts = new BigInt64Array(GROUP_EVENTS);
  readonly #ids: Text[] = [];
  readonly #types: Text[] = [];
  readonly #entities: Text[] = [];
  readonly #tenants: Text[] = [];
  readonly #payloads: Text[] = [];
  readonly #metadata: Text[] = [];

  get isFull(): boolean {
    return this.size === GROUP_EVENTS || this.#textBytes >= GROUP_TEXT_BYTES;
  }

  /** Takes rows of a batch from `first` on, as many as there is room for; returns how many. */
  add(batch: ArrowPart['batch'], first: number): number {
    const end = Math.min(batch.numRows, first + GROUP_EVENTS - this.size);
    const longs = (name: Parameters<typeof longsOf>[1]) =>
      longsOf(batch, name).values.subarray(first, end);
    this.#positions.set(longs('position'), this.size);
    this.#versions.set(longs('version'), this.size);
    this.#timestamps.set(longs('timestamp'), this.size);
    this.#recordedAts.set(longs('recorded_at'), this.size);
    const [ids, entities] = [new TextValues(batch, 'id'), new TextValues(batch, 'entity_id')];
    const payloads = new TextValues(batch, 'payload');
    const metadata = new TextValues(batch, 'metadata');
    const [types, tenants] = [namesOf(batch, 'event_type'), namesOf(batch, 'tenant_id')];
    for (let row = first; row < end; row++) {
      const [payload, more] = [payloads.bytes(row), metadata.bytes(row)];
      this.#ids.push(ids.text(row));
      this.#types.push(types(row));
      this.#entities.push(entities.text(row));
      this.#tenants.push(tenants(row));
      this.#payloads.push(payload);
      this.#metadata.push(more);
      this.#textBytes += (payload?.length ?? 0) + (more?.length ?? 0);
    }
    this.size += end - first;
    return end - first;
  }

  columns(): ColumnSource[] {
    // Payloads are bytes, nearly all different: no dictionary, and no statistics that would be cut out of their middle.
    const plain = { encoding: 'PLAIN', statistics: false } as const;
    return [
      { name: 'position', data: this.#positions.subarray(0, this.size) },
      { name: 'id', data: this.#ids, encoding: 'PLAIN' },
      { name: 'event_type', data: this.#types },
      { name: 'entity_id', data: this.#entities },
      { name: 'tenant_id', data: this.#tenants },
      { name: 'version', data: this.#versions.subarray(0, this.size) },
      { name: 'timestamp', data: this.#timestamps.subarray(0, this.size) },
      { name: 'recorded_at', data: this.#recordedAts.subarray(0, this.size) },
      { name: 'payload', data: this.#payloads, ...plain },
      { name: 'metadata', data: this.#metadata, ...plain },
    ];
  }
}
