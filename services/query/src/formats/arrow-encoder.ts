/**
 * Writes events as an Arrow IPC stream. The schema, the same for every answer:
 *
 *     position     int64                      not null
 *     id           utf8                       not null
 *     event_type   dictionary<int32, utf8>    not null
 *     entity_id    utf8                       not null
 *     tenant_id    dictionary<int32, utf8>    not null
 *     version      int64                      not null
 *     timestamp    timestamp[us, UTC]         not null
 *     recorded_at  timestamp[us, UTC]         not null
 *     payload      utf8                       not null    the JSON text as it was appended, byte for byte
 *     metadata     utf8                       null where there is none
 *
 * The dictionary of types holds the tenant's types as they are when the answer begins, so it stands once at the start of the stream. A batch has at most
 * 4,096 rows, and less where 256 KiB of text are reached first: memory is bounded by the largest event. A stream that is whole ends with the end-of-stream marker.
 */
import type {
  AsyncByteQueue,
  Int64,
  RecordBatchStreamWriter,
  Schema,
  Timestamp,
  Utf8,
  Vector,
} from 'apache-arrow';
import { must } from '@allsource/shared/lang';
import { EVENT_ID_BYTES } from '@allsource/shared/model';
import { Dictionary as Numbers } from '../history/dictionary.ts';
import type { RowStretches } from '../history/event-history.ts';
import type { RunSource } from '../history/event-run.ts';
import { RowText } from '../history/row-text.ts';
import type { JsonWriter } from '../reads/json-writer.ts';
import { LongColumn, TextColumn } from './arrow-columns.ts';
import type { Arrow } from './arrow-library.ts';
import type { EventEncoder } from './event-encoder.ts';

const ROWS_MAX = 4_096;
const ROWS_A_STEP = 64;
const TEXT_BYTES_MAX = 256 * 1024;

export interface ArrowEncoderOptions {
  readonly writer: JsonWriter;
  readonly tenant: string;
  /** The types that the tenant has at this moment. */
  readonly types: readonly string[];
}

export class ArrowEncoder implements EventEncoder {
  readonly #arrow: Arrow;
  readonly #columns: ColumnTypes;
  readonly #schema: Schema;
  readonly #ipc: RecordBatchStreamWriter;
  readonly #types: Vector<Utf8>;
  readonly #tenants: Vector<Utf8>;
  readonly #typeNumbers = new Numbers();
  #source: RunSource | null = null;
  /** The types of the source at hand to those of the dictionary. */
  #ofSource: number[] = [];
  readonly #positions = new LongColumn(ROWS_MAX);
  readonly #ids = new TextColumn(ROWS_MAX);
  readonly #typeColumn = new Int32Array(ROWS_MAX);
  readonly #entities = new TextColumn(ROWS_MAX);
  /** All zero: there is one tenant. */
  readonly #tenantColumn = new Int32Array(ROWS_MAX);
  readonly #versions = new LongColumn(ROWS_MAX);
  readonly #timestamps = new LongColumn(ROWS_MAX);
  readonly #recordedAts = new LongColumn(ROWS_MAX);
  readonly #payloads = new TextColumn(ROWS_MAX);
  readonly #metadata = new TextColumn(ROWS_MAX);
  readonly #text = new RowText();
  readonly #id = Buffer.alloc(EVENT_ID_BYTES);
  #rows = 0;
  #stretches: RowStretches = [];
  /** The stretch and the row in it that come next. */
  #stretch = 0;
  #next = 0;

  constructor(arrow: Arrow, { writer, tenant, types }: ArrowEncoderOptions) {
    this.#arrow = arrow;
    for (const type of types) this.#typeNumbers.numberOf(type);
    this.#types = arrow.vectorFromArray([...types], new arrow.Utf8());
    this.#tenants = arrow.vectorFromArray([tenant], new arrow.Utf8());
    this.#columns = columnTypes(arrow);
    this.#schema = schemaOf(arrow, this.#columns);
    this.#ipc = new arrow.RecordBatchStreamWriter();
    this.#ipc.reset(sinkOf(arrow, writer), this.#schema);
  }

  begin(stretches: RowStretches): void {
    this.#stretches = stretches;
    this.#stretch = 0;
    this.#next = 0;
  }

  takeSome(): boolean {
    const stretch = this.#stretches[this.#stretch];
    if (stretch === undefined) return false;
    const { run, rows } = stretch;
    const end = Math.min(rows.length, this.#next + ROWS_A_STEP);
    this.#take(run.source, rows.subarray(this.#next, end));
    this.#next = end;
    if (end === rows.length) {
      this.#stretch += 1;
      this.#next = 0;
    }
    return true;
  }

  #take(source: RunSource, rows: Uint32Array): void {
    // A source may have to look each of its columns up.
    const { firstPosition, positions, entities, entityNames, entityNameEnds } = source;
    const { types, versions, timestamps, recordedAts } = source;
    const text = this.#text;
    for (const row of rows) {
      const at = this.#rows;
      source.placeText(row, text);
      const payloadEnd = text.start + text.payloadBytes;
      this.#payloads.set(at, text.bytes, text.start, payloadEnd);
      if (text.metadataBytes === 0) this.#metadata.setNull(at);
      else this.#metadata.set(at, text.bytes, payloadEnd, payloadEnd + text.metadataBytes);
      source.copyEventId(row, this.#id);
      this.#ids.setUuid(at, this.#id);
      const entity = entities[row] as number;
      const from = entity === 0 ? 0 : (entityNameEnds[entity - 1] as number);
      this.#entities.set(at, entityNames, from, entityNameEnds[entity] as number);
      this.#positions.set(at, firstPosition + (positions[row] as number));
      this.#typeColumn[at] = this.#typeNumber(source, types[row] as number);
      this.#versions.set(at, versions[row] as number);
      this.#timestamps.set(at, timestamps[row] as number);
      this.#recordedAts.set(at, recordedAts[row] as number);
      this.#rows = at + 1;
      const textBytes = this.#payloads.length(this.#rows) + this.#metadata.length(this.#rows);
      if (this.#rows === ROWS_MAX || textBytes >= TEXT_BYTES_MAX) this.#writeBatch();
    }
  }

  end(): void {
    if (this.#rows > 0) this.#writeBatch();
    this.#ipc.finish();
  }

  #typeNumber(source: RunSource, type: number): number {
    if (source !== this.#source) {
      this.#source = source;
      this.#ofSource = [];
    }
    return (this.#ofSource[type] ??= this.#foundType(source.typeNames[type]));
  }

  #foundType(name: string | undefined): number {
    const number = this.#typeNumbers.find(must(name, 'a type of the run'));
    return must(number === -1 ? undefined : number, 'a type of the catalog');
  }

  #writeBatch(): void {
    const { makeData, RecordBatch, Struct } = this.#arrow;
    const length = this.#rows;
    const [types, tenants] = [this.#types, this.#tenants];
    const children = [
      this.#longs(this.#columns.position, this.#positions),
      this.#texts(this.#columns.id, this.#ids),
      makeData({
        type: this.#columns.event_type,
        length,
        nullCount: 0,
        data: this.#typeColumn.subarray(0, length),
        dictionary: types,
      }),
      this.#texts(this.#columns.entity_id, this.#entities),
      makeData({
        type: this.#columns.tenant_id,
        length,
        nullCount: 0,
        data: this.#tenantColumn.subarray(0, length),
        dictionary: tenants,
      }),
      this.#longs(this.#columns.version, this.#versions),
      this.#times(this.#columns.timestamp, this.#timestamps),
      this.#times(this.#columns.recorded_at, this.#recordedAts),
      this.#texts(this.#columns.payload, this.#payloads),
      this.#texts(this.#columns.metadata, this.#metadata),
    ];
    const data = makeData({
      type: new Struct(this.#schema.fields),
      length,
      nullCount: 0,
      children,
    });
    // What is written goes into the answer's buffer at once, so the columns can be filled again.
    this.#ipc.write(new RecordBatch(this.#schema, data));
    this.#rows = 0;
    this.#metadata.clear();
  }

  #longs(type: Int64, column: LongColumn) {
    const { makeData } = this.#arrow;
    const length = this.#rows;
    return makeData({ type, length, nullCount: 0, data: column.values.subarray(0, length) });
  }

  #times(type: Timestamp, column: LongColumn) {
    const { makeData } = this.#arrow;
    const length = this.#rows;
    return makeData({ type, length, nullCount: 0, data: column.values.subarray(0, length) });
  }

  #texts(type: Utf8, column: TextColumn) {
    const { makeData } = this.#arrow;
    const length = this.#rows;
    const { nullCount } = column;
    return makeData({
      type,
      length,
      nullCount,
      nullBitmap: nullCount === 0 ? null : column.validity,
      valueOffsets: column.offsets.subarray(0, length + 1),
      data: column.bytes(length),
    });
  }
}

/** The type of each column, in the order of the columns. */
function columnTypes({ Dictionary, Int32, Int64, TimestampMicrosecond, Utf8 }: Arrow) {
  return {
    position: new Int64(),
    id: new Utf8(),
    event_type: new Dictionary(new Utf8(), new Int32(), 1),
    entity_id: new Utf8(),
    tenant_id: new Dictionary(new Utf8(), new Int32(), 2),
    version: new Int64(),
    timestamp: new TimestampMicrosecond('UTC'),
    recorded_at: new TimestampMicrosecond('UTC'),
    payload: new Utf8(),
    metadata: new Utf8(),
  };
}

type ColumnTypes = ReturnType<typeof columnTypes>;

function schemaOf({ Field, Schema }: Arrow, columns: ColumnTypes): Schema {
  const fields = Object.entries(columns).map(
    ([name, type]) => new Field(name, type, name === 'metadata'),
  );
  return new Schema(fields);
}

/** A queue that keeps nothing: what the library writes goes on to the answer. */
function sinkOf({ AsyncByteQueue }: Arrow, writer: JsonWriter): AsyncByteQueue {
  const queue = new AsyncByteQueue();
  queue.write = (part) => {
    // The library hands over bytes only.
    if (part instanceof Uint8Array) writer.bytes(part);
  };
  return queue;
}
