/** The record batches of an Arrow IPC stream, one at a time, as groups of events. */
import { Problem, problem } from '@allsource/shared/errors';
import type { RecordBatch } from 'apache-arrow';
import type { EventColumns } from '../append/event-columns.ts';
import type { EventGroup, ReadGroup } from '../append/event-group.ts';
import { parseColumns } from '../append/ingest-columns.ts';
import type { IngestContext, IngestLimits } from '../append/ingest-request.ts';
import type { Journal } from '../append/journal.ts';
import { eventColumns, textBytesOf } from './arrow-columns.ts';
import type { Arrow } from './arrow-library.ts';
import { IpcMessages, notArrow } from './ipc-messages.ts';

export interface ArrowBatchesOptions {
  readonly arrow: Arrow;
  readonly chunks: AsyncIterable<Buffer>;
  readonly journal: Journal;
  readonly limits: IngestLimits & { readonly bodyBytesMax: number };
  /** True when the digests of the groups are wanted. */
  readonly isDigested: boolean;
}

/** Reads the stream. Throws a problem when it is none, or a batch breaks a limit. */
export async function* arrowBatches(options: ArrowBatchesOptions): AsyncGenerator<EventGroup> {
  const { arrow, limits } = options;
  const messages = new IpcMessages({ ...options, bodyBytesMax: limits.bodyBytesMax });
  const batches = recordBatches(arrow, messages);
  let rowsBefore = 0;
  for await (const batch of batches) {
    const columns = columnsOf(batch, options);
    const digest = options.isDigested ? messages.takeDigest() : null;
    yield new RowsOfEvents({ columns, digest, rowsBefore, journal: options.journal });
    rowsBefore += columns.rows;
  }
}

/** The library throws plain errors for whatever it cannot read; they are the sender's fault. */
async function* recordBatches(arrow: Arrow, messages: IpcMessages): AsyncGenerator<RecordBatch> {
  try {
    const reader = await arrow.RecordBatchReader.from(faultless(messages));
    await reader.open();
    for await (const batch of reader) yield batch;
  } catch (error) {
    throw error instanceof ReadFault ? error.cause : asProblem(error);
  }
}

/** A failure of the stream itself, which is to pass the library unchanged. */
class ReadFault extends Error {
  override readonly name = 'ReadFault';
}

async function* faultless(messages: IpcMessages): AsyncGenerator<Uint8Array> {
  try {
    yield* messages;
  } catch (cause) {
    throw new ReadFault('the stream broke', { cause });
  }
}

function asProblem(error: unknown): unknown {
  if (error instanceof Problem) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return notArrow(reason.replace(/\.$/, ''));
}

function columnsOf(batch: RecordBatch, { arrow, limits }: ArrowBatchesOptions): EventColumns {
  const { batchEventsMax, bodyBytesMax } = limits;
  if (batch.numRows > batchEventsMax) {
    throw problem(
      'batch_too_large',
      `A record batch holds ${batch.numRows} rows; at most ${batchEventsMax} are allowed. Send smaller ones.`,
      { limit_events: batchEventsMax, events: batch.numRows },
    );
  }
  const columns = eventColumns(arrow, batch);
  const bytes = textBytesOf(columns);
  if (bytes <= bodyBytesMax) return columns;
  throw problem(
    'body_too_large',
    `The texts of a record batch are ${bytes} bytes; at most ${bodyBytesMax} are allowed. Send smaller ones.`,
    { limit_bytes: bodyBytesMax, bytes },
  );
}

interface RowsOptions {
  readonly columns: EventColumns;
  readonly digest: Buffer | null;
  readonly rowsBefore: number;
  readonly journal: Journal;
}

class RowsOfEvents implements EventGroup {
  readonly first: number;
  readonly last: number;
  readonly #options: RowsOptions;

  constructor(options: RowsOptions) {
    this.first = options.rowsBefore + 1;
    this.last = options.rowsBefore + options.columns.rows;
    this.#options = options;
  }

  read(context: IngestContext): ReadGroup {
    const { columns, journal } = this.#options;
    const events =
      journal.scanColumns(columns, context) ?? parseColumns(columns, context, this.first);
    return { tenant: null, eventCount: columns.rows, events };
  }

  placeOf(index: number): number {
    return this.first + index;
  }

  digest(): Buffer {
    return this.#options.digest ?? Buffer.alloc(0);
  }
}
