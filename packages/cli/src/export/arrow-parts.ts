import type { ExportPart } from '@allsource/client/tools';
import type { Dictionary, Int32, Int64, RecordBatch, Timestamp, Utf8 } from 'apache-arrow';
import { must } from '@allsource/shared/lang';
import { CliError } from '../exit-code.ts';

/** The columns of the Arrow streams that the store answers. */
export type EventColumns = {
  position: Int64;
  id: Utf8;
  event_type: Dictionary<Utf8, Int32>;
  entity_id: Utf8;
  tenant_id: Dictionary<Utf8, Int32>;
  version: Int64;
  timestamp: Timestamp;
  recorded_at: Timestamp;
  payload: Utf8;
  metadata: Utf8;
};

export type EventBatch = RecordBatch<EventColumns>;

/** A record batch of an export. */
export interface ArrowPart extends ExportPart {
  readonly batch: EventBatch;
}

const COLUMNS = [
  'position',
  'id',
  'event_type',
  'entity_id',
  'tenant_id',
  'version',
  'timestamp',
  'recorded_at',
  'payload',
  'metadata',
] as const;

/** Reads an Arrow stream batch by batch. The library is loaded by the first use: no other command pays for it. */
export async function* readArrow(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<ArrowPart, void, undefined> {
  const { RecordBatchReader } = await import('apache-arrow');
  const reader = await RecordBatchReader.from<EventColumns>(chunks);
  for await (const batch of reader) {
    requireColumns(batch);
    const events = batch.numRows;
    if (events === 0) continue;
    yield { batch, events, lastPosition: longsOf(batch, 'position').at(events - 1) };
  }
}

function requireColumns(batch: EventBatch): void {
  const names: string[] = batch.schema.fields.map(({ name }) => name);
  if (COLUMNS.every((name) => names.includes(name))) return;
  throw new CliError(
    `The store's Arrow stream has other columns than expected: ${names.join(', ')}.`,
  );
}

/** The values of a column of whole numbers; microseconds for times. */
export class LongValues {
  readonly values: BigInt64Array;

  constructor(values: BigInt64Array) {
    this.values = values;
  }

  at(row: number): number {
    return Number(must(this.values[row], 'a row of the batch'));
  }
}

export function longsOf(
  batch: EventBatch,
  name: 'position' | 'version' | 'timestamp' | 'recorded_at',
): LongValues {
  const [data] = must(batch.getChild(name), name).data;
  const { values, length } = must(data, name);
  return new LongValues(values.subarray(0, length));
}

/** The values of a column of texts, as bytes. */
export class TextValues {
  readonly #bytes: Uint8Array;
  readonly #offsets: Int32Array;
  readonly #isNull: (row: number) => boolean;

  constructor(batch: EventBatch, name: 'id' | 'entity_id' | 'payload' | 'metadata') {
    const [data] = must(batch.getChild(name), name).data;
    const column = must(data, name);
    this.#bytes = column.values;
    this.#offsets = column.valueOffsets;
    this.#isNull = column.nullCount === 0 ? () => false : (row) => !column.getValid(row);
  }

  bytes(row: number): Buffer | null {
    if (this.#isNull(row)) return null;
    const { buffer, byteOffset } = this.#bytes;
    const start = this.#offsets[row] as number;
    return Buffer.from(buffer, byteOffset + start, (this.#offsets[row + 1] as number) - start);
  }

  text(row: number): string | null {
    return this.bytes(row)?.toString('utf8') ?? null;
  }
}

/** The texts of a column with a dictionary. */
export function namesOf(
  batch: EventBatch,
  name: 'event_type' | 'tenant_id',
): (row: number) => string {
  const column = must(batch.getChild(name), name);
  const [data] = column.data;
  const codes = must(data, name).values;
  const names = must(must(data, name).dictionary, 'a dictionary').toArray() as string[];
  return (row) => must(names[codes[row] as number], 'a value of the dictionary');
}
