/**
 * Brings columns into the kernel: their texts into the input, as few copies of whole columns, and where each text lies into the event table. It works on
 * typed arrays row by row, without an object for a row. What the record cannot hold, and what is unusual, is left to ingest-columns.ts.
 */
import { isUtf8 } from 'node:buffer';
import {
  ENTITY_ID_BYTES_MAX,
  EVENT_TIMESTAMP_MIN,
  EVENT_TYPE_BYTES_MAX,
} from '@allsource/shared/model';
import { type EventColumns, isValid, type TextColumn } from '../append/event-columns.ts';
import { EVENT_BYTES, INPUT } from './kernel-memory.ts';

export interface ColumnTarget {
  readonly memory: Buffer;
  /** Address of the event table. */
  readonly eventTable: number;
  readonly inputBytesMax: number;
  /** The newest instant that is not in the future, in microseconds. */
  readonly latest: number;
}

// Members of a record, in words of 32 bits; kernel/assembly/layout.ts draws it.
const WORDS = EVENT_BYTES / 4;
const TYPE_AT = 0;
const NAME_BYTES = 1;
const ENTITY_AT = 2;
const PAYLOAD_AT = 3;
const METADATA_AT = 5;
const METADATA_BYTES = 6;
const FLAGS = 7;
const TIMESTAMP = 8;
const EXPECTED_VERSION = 10;
const FLAG_TIMESTAMP = 1;
const FLAG_EXPECTED_VERSION = 2;
const HIGH = 2 ** 32;

/** Fills input and event table; returns the bytes of the input, or null when the other path has to take the columns. */
export function enterColumns(columns: EventColumns, target: ColumnTarget): number | null {
  const { rows, type, entity, payload, metadata } = columns;
  const { memory, eventTable } = target;
  const texts = [type, entity, payload, ...(metadata === null ? [] : [metadata])];
  const places: number[] = [];
  let end = 0;
  for (const column of texts) {
    const [first, last] = extentOf(column);
    if (end + last - first > target.inputBytesMax) return null;
    // The places are those that offsets of the column count from.
    places.push(end - first);
    memory.set(column.values.subarray(first, last), INPUT + end);
    end += last - first;
  }
  if (!isUtf8(memory.subarray(INPUT, INPUT + end))) return null;
  const records = new Uint32Array(memory.buffer, memory.byteOffset + eventTable, rows * WORDS);
  const [typeAt = 0, entityAt = 0, payloadAt = 0, metadataAt = 0] = places;
  if (!enterNames(columns, records, { typeAt, entityAt })) return null;
  enterPayloads(payload, records, payloadAt);
  if (metadata !== null && !enterMetadata(metadata, records, metadataAt)) return null;
  if (!enterTimestamps(columns.timestamp, records, target.latest)) return null;
  return enterVersions(columns.expectedVersion, records) ? end : null;
}

function extentOf({ offsets }: TextColumn): readonly [number, number] {
  return [offsets[0] ?? 0, offsets[offsets.length - 1] ?? 0];
}

function enterNames(
  { rows, type, entity, payload }: EventColumns,
  records: Uint32Array,
  { typeAt, entityAt }: { readonly typeAt: number; readonly entityAt: number },
): boolean {
  if (type.validity !== null || entity.validity !== null || payload.validity !== null) return false;
  for (let row = 0, at = 0; row < rows; row++, at += WORDS) {
    const typeValue = type.keys === null ? row : (type.keys[row] as number);
    const entityValue = entity.keys === null ? row : (entity.keys[row] as number);
    const typeStart = type.offsets[typeValue] as number;
    const entityStart = entity.offsets[entityValue] as number;
    const typeBytes = (type.offsets[typeValue + 1] as number) - typeStart;
    const entityBytes = (entity.offsets[entityValue + 1] as number) - entityStart;
    if (typeBytes > EVENT_TYPE_BYTES_MAX || entityBytes > ENTITY_ID_BYTES_MAX) return false;
    records[at + TYPE_AT] = typeAt + typeStart;
    records[at + NAME_BYTES] = typeBytes | (entityBytes << 16);
    records[at + ENTITY_AT] = entityAt + entityStart;
    records[at + METADATA_BYTES] = 0;
    records[at + FLAGS] = 0;
  }
  return true;
}

function enterPayloads({ offsets, keys }: TextColumn, records: Uint32Array, place: number): void {
  for (let row = 0, at = PAYLOAD_AT; at < records.length; row++, at += WORDS) {
    const value = keys === null ? row : (keys[row] as number);
    const start = offsets[value] as number;
    records[at] = place + start;
    records[at + 1] = (offsets[value + 1] as number) - start;
  }
}

/** False for a text without a byte: the record takes it for no metadata, and it is no JSON. */
function enterMetadata(column: TextColumn, records: Uint32Array, place: number): boolean {
  const { offsets, keys } = column;
  for (let row = 0, at = METADATA_AT; at < records.length; row++, at += WORDS) {
    if (!isValid(column, row)) continue;
    const value = keys === null ? row : (keys[row] as number);
    const start = offsets[value] as number;
    const bytes = (offsets[value + 1] as number) - start;
    if (bytes === 0) return false;
    records[at] = place + start;
    records[at + 1] = bytes;
  }
  return true;
}

function enterTimestamps(
  column: Float64Array | null,
  records: Uint32Array,
  latest: number,
): boolean {
  if (column === null) return true;
  for (let row = 0, at = 0; at < records.length; row++, at += WORDS) {
    const micros = column[row] as number;
    if (Number.isNaN(micros)) continue;
    if (micros < EVENT_TIMESTAMP_MIN || micros > latest) return false;
    putInteger(records, at + TIMESTAMP, micros);
    records[at + FLAGS] = (records[at + FLAGS] as number) | FLAG_TIMESTAMP;
  }
  return true;
}

function enterVersions(column: Float64Array | null, records: Uint32Array): boolean {
  if (column === null) return true;
  for (let row = 0, at = 0; at < records.length; row++, at += WORDS) {
    const version = column[row] as number;
    if (Number.isNaN(version)) continue;
    if (version < 0 || version > Number.MAX_SAFE_INTEGER) return false;
    putInteger(records, at + EXPECTED_VERSION, version);
    records[at + FLAGS] = (records[at + FLAGS] as number) | FLAG_EXPECTED_VERSION;
  }
  return true;
}

/** A safe integer as 64 bits, two's complement. */
function putInteger(records: Uint32Array, at: number, value: number): void {
  records[at] = value;
  records[at + 1] = Math.floor(value / HIGH);
}
