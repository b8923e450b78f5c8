/**
 * The columns of a Parquet file of events, as the writer library takes them and as the reader gives them back. Texts stay bytes on the whole way, so a
 * payload is in the file as its client sent it: it is never parsed, and not even decoded.
 *
 *     position     INT64                              not null, ascending
 *     event_id     FIXED_LEN_BYTE_ARRAY(16), UUID     not null
 *     event_type   BYTE_ARRAY, UTF8                   not null
 *     entity_id    BYTE_ARRAY, UTF8                   not null
 *     version      INT64                              not null
 *     timestamp    INT64, TIMESTAMP(MICROS, UTC)      not null
 *     recorded_at  INT64, TIMESTAMP(MICROS, UTC)      not null
 *     payload      BYTE_ARRAY, UTF8                   not null, JSON text
 *     metadata     BYTE_ARRAY, UTF8                   null when the event has none, JSON text
 */
import { EVENT_ID_BYTES } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { Encoding, SchemaElement } from 'hyparquet';

export interface EventColumns {
  readonly rowCount: number;
  readonly position: BigInt64Array;
  readonly event_id: Uint8Array[];
  readonly event_type: string[];
  readonly entity_id: Uint8Array[];
  readonly version: BigInt64Array;
  readonly timestamp: BigInt64Array;
  readonly recorded_at: BigInt64Array;
  readonly payload: Uint8Array[];
  readonly metadata: (Uint8Array | null)[];
}

export type ColumnName = Exclude<keyof EventColumns, 'rowCount'>;

const INT64 = { type: 'INT64', repetition_type: 'REQUIRED' } as const;
const TIMESTAMP = {
  ...INT64,
  converted_type: 'TIMESTAMP_MICROS',
  logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
} as const;
const TEXT = {
  type: 'BYTE_ARRAY',
  repetition_type: 'REQUIRED',
  converted_type: 'UTF8',
  logical_type: { type: 'STRING' },
} as const;

export const EVENT_SCHEMA: SchemaElement[] = [
  { name: 'event', num_children: 9 },
  { name: 'position', ...INT64 },
  {
    name: 'event_id',
    type: 'FIXED_LEN_BYTE_ARRAY',
    type_length: EVENT_ID_BYTES,
    repetition_type: 'REQUIRED',
    logical_type: { type: 'UUID' },
  },
  { name: 'event_type', ...TEXT },
  { name: 'entity_id', ...TEXT },
  { name: 'version', ...INT64 },
  { name: 'timestamp', ...TIMESTAMP },
  { name: 'recorded_at', ...TIMESTAMP },
  { name: 'payload', ...TEXT },
  { name: 'metadata', ...TEXT, repetition_type: 'OPTIONAL' },
];

/** How a column is written. An encoding that is left out is chosen by the library: a dictionary where it halves the column. */
export interface ColumnCoding {
  readonly name: ColumnName;
  readonly encoding?: Encoding;
  /** Smallest and largest value for each row group, by which readers pass over groups. Payloads have no order worth knowing. */
  readonly statistics: boolean;
}

export const COLUMN_CODINGS: readonly ColumnCoding[] = [
  { name: 'position', encoding: 'DELTA_BINARY_PACKED', statistics: true },
  { name: 'event_id', encoding: 'PLAIN', statistics: true },
  { name: 'event_type', encoding: 'RLE_DICTIONARY', statistics: true },
  { name: 'entity_id', statistics: true },
  { name: 'version', encoding: 'DELTA_BINARY_PACKED', statistics: true },
  { name: 'timestamp', encoding: 'DELTA_BINARY_PACKED', statistics: true },
  { name: 'recorded_at', encoding: 'DELTA_BINARY_PACKED', statistics: true },
  { name: 'payload', encoding: 'PLAIN', statistics: false },
  { name: 'metadata', encoding: 'PLAIN', statistics: false },
];

/** Room for the columns of so many events, to be filled row by row. */
export function emptyColumns(rowCount: number): EventColumns {
  return {
    rowCount,
    position: new BigInt64Array(rowCount),
    event_id: room<Uint8Array>(rowCount),
    event_type: room<string>(rowCount),
    entity_id: room<Uint8Array>(rowCount),
    version: new BigInt64Array(rowCount),
    timestamp: new BigInt64Array(rowCount),
    recorded_at: new BigInt64Array(rowCount),
    payload: room<Uint8Array>(rowCount),
    metadata: room<Uint8Array | null>(rowCount),
  };
}

function room<T>(length: number): T[] {
  const column: T[] = [];
  column.length = length;
  return column;
}

/** The columns of the events of frames. The texts are parts of the frames. */
export function columnsOfFrames(frames: readonly Frame[]): EventColumns {
  const columns = emptyColumns(frames.reduce((sum, frame) => sum + frame.eventCount, 0));
  let row = 0;
  for (const frame of frames) {
    const recordedAt = BigInt(frame.recordedAt);
    for (let i = 0; i < frame.eventCount; i++, row++) {
      const event = frame.event(i);
      columns.position[row] = BigInt(event.position);
      columns.event_id[row] = event.idBytes;
      columns.event_type[row] = event.type;
      columns.entity_id[row] = event.entityBytes;
      columns.version[row] = BigInt(event.version);
      columns.timestamp[row] = BigInt(event.timestamp);
      columns.recorded_at[row] = recordedAt;
      columns.payload[row] = event.payload;
      columns.metadata[row] = event.metadata;
    }
  }
  return columns;
}

/** The columns of several row groups as one. */
export function joinedColumns(parts: readonly EventColumns[]): EventColumns {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const joined = emptyColumns(parts.reduce((sum, { rowCount }) => sum + rowCount, 0));
  let start = 0;
  for (const part of parts) {
    for (const { name } of COLUMN_CODINGS) copyColumn(part[name], joined[name], start);
    start += part.rowCount;
  }
  return joined;
}

function copyColumn(
  from: EventColumns[ColumnName],
  to: EventColumns[ColumnName],
  start: number,
): void {
  if (from instanceof BigInt64Array && to instanceof BigInt64Array) to.set(from, start);
  else for (let i = 0; i < from.length; i++) to[start + i] = from[i] as never;
}

/** Bytes of payloads and metadata, by which row groups are bounded. */
export function textBytes({ payload, metadata }: EventColumns): number {
  let bytes = 0;
  for (const text of payload) bytes += text.length;
  for (const text of metadata) bytes += text?.length ?? 0;
  return bytes;
}
