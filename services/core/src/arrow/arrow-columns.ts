/**
 * From an Arrow record batch to columns of events, without touching a row: the buffers are taken as they are. What a sender states about its buffers is
 * checked here (lengths, offsets, keys), because everything behind reads by them.
 *
 *     event_type, entity_id      utf8, large_utf8, binary, large_binary, or a dictionary of one of these
 *     payload                    the same without dictionaries; each text a JSON document
 *     metadata                   as payload; null = none. May be left out
 *     timestamp                  timestamp of any unit; null = now. May be left out
 *     expected_version           an integer type; null = any. May be left out
 */
import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { Data, RecordBatch } from 'apache-arrow';
import type { EventColumns, TextColumn } from '../append/event-columns.ts';
import type { Arrow } from './arrow-library.ts';
import { notArrow } from './ipc-messages.ts';

/** Microseconds of Arrow's units: second, millisecond, microsecond. */
const MICROS_OF_UNIT = [1_000_000, 1000, 1];

/** Reads one batch. Throws a problem that names the column when one is missing, of another type, or damaged. */
export function eventColumns(arrow: Arrow, batch: RecordBatch): EventColumns {
  const rows = batch.numRows;
  const find = (name: string) => columnOf(batch, name);
  const required = (name: string) => {
    const data = find(name);
    if (data === null)
      throw columnProblem(name, 'is missing; needed are event_type, entity_id and payload');
    return data;
  };
  const reader = new ColumnReader(arrow, rows);
  const metadata = find('metadata');
  const timestamp = find('timestamp');
  const expected = find('expected_version');
  return {
    rows,
    type: reader.names('event_type', required('event_type')),
    entity: reader.names('entity_id', required('entity_id')),
    payload: reader.texts('payload', required('payload')),
    metadata: metadata === null ? null : reader.texts('metadata', metadata),
    timestamp: timestamp === null ? null : reader.timestamps('timestamp', timestamp),
    expectedVersion: expected === null ? null : reader.integers('expected_version', expected),
  };
}

/** The bytes of all texts of the rows; a value that many rows share counts for each. */
export function textBytesOf({ rows, type, entity, payload, metadata }: EventColumns): number {
  let bytes = 0;
  for (const column of [type, entity, payload, ...(metadata === null ? [] : [metadata])]) {
    const { offsets, keys } = column;
    if (keys === null) bytes += (offsets[rows] as number) - (offsets[0] as number);
    else
      for (let row = 0; row < rows; row++) {
        const key = keys[row] as number;
        bytes += (offsets[key + 1] as number) - (offsets[key] as number);
      }
  }
  return bytes;
}

function columnOf({ schema, data }: RecordBatch, name: string): Data | null {
  const index = schema.fields.findIndex((field) => field.name === name);
  if (index !== schema.fields.findLastIndex((field) => field.name === name))
    throw columnProblem(name, 'is there more than once');
  return data.children[index] ?? null;
}

function columnProblem(column: string, reason: string): Problem {
  return problem('invalid_body', `The column '${column}' ${reason}.`, { column });
}

class ColumnReader {
  readonly #arrow: Arrow;
  readonly #rows: number;

  constructor(arrow: Arrow, rows: number) {
    this.#arrow = arrow;
    this.#rows = rows;
  }

  /** A column of texts that may be a dictionary. */
  names(name: string, data: Data): TextColumn {
    if (!this.#arrow.DataType.isDictionary(data.type)) return this.texts(name, data);
    const [values, ...others] = data.dictionary?.data ?? [];
    if (values === undefined || others.length > 0)
      throw columnProblem(name, 'has no dictionary, or one in parts (a delta), which is not taken');
    if (values.nullCount > 0) throw columnProblem(name, 'has a dictionary with nulls');
    if (values.length > LIMITS.arrowDictionaryMax)
      throw columnProblem(
        name,
        `has a dictionary of more than ${LIMITS.arrowDictionaryMax} values`,
      );
    const keys = data.values as ArrayLike<number>;
    if (typeof keys[0] === 'bigint') throw columnProblem(name, 'has keys of 64 bits');
    const validity = this.#validity(name, data);
    this.#requireKeys(name, keys, values.length);
    return { ...this.#textsOf(name, values, values.length), keys, validity };
  }

  #requireKeys(name: string, keys: ArrayLike<number>, values: number): void {
    if (keys.length < this.#rows) throw notArrow(`the column '${name}' is shorter than its batch`);
    for (let row = 0; row < this.#rows; row++) {
      const key = keys[row] as number;
      if (!(key >= 0 && key < values))
        throw notArrow(`the column '${name}' has a key without a value`);
    }
  }

  texts(name: string, data: Data): TextColumn {
    return { ...this.#textsOf(name, data, this.#rows), validity: this.#validity(name, data) };
  }

  #textsOf(name: string, data: Data, count: number): TextColumn {
    const { DataType } = this.#arrow;
    const { type } = data;
    const isText = DataType.isUtf8(type) || DataType.isBinary(type);
    const isLarge = DataType.isLargeUtf8(type) || DataType.isLargeBinary(type);
    if (!isText && !isLarge) throw columnProblem(name, `has the type ${nameOf(type)}, not utf8`);
    const values = data.values as Uint8Array;
    const offsets = smallOffsets(data.valueOffsets as Int32Array | BigInt64Array, count);
    requireOffsets(name, offsets, { count, bytes: values.length });
    return { values, offsets, keys: null, validity: null };
  }

  #validity(name: string, { nullCount, nullBitmap }: Data): Uint8Array | null {
    if (nullCount === 0) return null;
    if ((nullBitmap?.length ?? 0) * 8 >= this.#rows) return nullBitmap;
    throw notArrow(`the column '${name}' has nulls and does not say where`);
  }

  timestamps(name: string, data: Data): Float64Array {
    const { type } = data;
    if (!this.#arrow.DataType.isTimestamp(type))
      throw columnProblem(name, `has the type ${nameOf(type)}, not timestamp`);
    if (type.unit === this.#arrow.TimeUnit.NANOSECOND)
      return this.#numbers(name, data, microsOfNanos);
    const micros = MICROS_OF_UNIT[type.unit] ?? Number.NaN;
    return this.#numbers(name, data, (value) => Number(value) * micros);
  }

  integers(name: string, data: Data): Float64Array {
    if (this.#arrow.DataType.isInt(data.type)) return this.#numbers(name, data, Number);
    throw columnProblem(name, `has the type ${nameOf(data.type)}, not an integer`);
  }

  /** The values, and NaN where there is none. */
  #numbers(name: string, data: Data, convert: (value: number | bigint) => number): Float64Array {
    const values = data.values as ArrayLike<number | bigint>;
    if (values.length < this.#rows)
      throw notArrow(`the column '${name}' is shorter than its batch`);
    const validity = this.#validity(name, data);
    return Float64Array.from({ length: this.#rows }, (_, row) =>
      validity === null || (((validity[row >> 3] as number) >> (row & 7)) & 1) === 1
        ? convert(values[row] as number | bigint)
        : Number.NaN,
    );
  }
}

/** Cut off towards the past, as everywhere. Nanoseconds of our days are no safe integers. */
function microsOfNanos(value: number | bigint): number {
  const nanos = BigInt(value);
  const rest = ((nanos % 1000n) + 1000n) % 1000n;
  return Number((nanos - rest) / 1000n);
}

function nameOf(type: Data['type']): string {
  return (type as { toString(): string }).toString();
}

/** Offsets of 64 bits become such of 32; the limit of a message's body leaves none that does not fit. */
function smallOffsets(offsets: Int32Array | BigInt64Array, count: number): Int32Array {
  const used = offsets.subarray(0, count + 1);
  return used instanceof Int32Array ? used : Int32Array.from(used, Number);
}

function requireOffsets(
  name: string,
  offsets: Int32Array,
  { count, bytes }: { readonly count: number; readonly bytes: number },
): void {
  let before = offsets[0] ?? -1;
  let isGood = offsets.length === count + 1 && before >= 0;
  for (const offset of offsets) {
    isGood &&= offset >= before;
    before = offset;
  }
  if (!isGood || before > bytes)
    throw notArrow(`the offsets of the column '${name}' do not fit it`);
}
