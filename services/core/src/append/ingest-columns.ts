/**
 * Reads events that came as columns into event drafts: the path in TypeScript, which also says what is wrong with a row. Names are bare text; payload
 * and metadata are JSON documents, kept byte for byte without the white space around them, and metadata that is `null` is none.
 */
import { isUtf8 } from 'node:buffer';
import {
  type ErrorCode,
  type Problem,
  type ProblemMembers,
  problem,
} from '@allsource/shared/errors';
import { JsonScanner, JsonSyntaxError } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import {
  EVENT_TIMESTAMP_MIN,
  entityIdFault,
  eventTypeFault,
  formatTimestamp,
  type Micros,
  micros,
  type Version,
  version,
} from '@allsource/shared/model';
import { type EventColumns, isValid, type TextColumn, textAt } from './event-columns.ts';
import type { EventDraft, IngestContext } from './ingest-request.ts';

/** Reads all rows, of which the first has the number `firstRow`. Throws a problem that names the first bad row and its column. */
export function parseColumns(
  columns: EventColumns,
  context: IngestContext,
  firstRow = 0,
): EventDraft[] {
  return Array.from({ length: columns.rows }, (_, row) =>
    new RowReader({ columns, row, context, number: firstRow + row }).draft(),
  );
}

interface RowReaderOptions {
  readonly columns: EventColumns;
  /** In these columns. */
  readonly row: number;
  /** In the whole stream. */
  readonly number: number;
  readonly context: IngestContext;
}

class RowReader {
  readonly #options: RowReaderOptions;

  constructor(options: RowReaderOptions) {
    this.#options = options;
  }

  draft(): EventDraft {
    const { columns, context } = this.#options;
    const { metadata } = columns;
    return {
      type: this.#name('event_type', columns.type, eventTypeFault),
      entity: this.#name('entity_id', columns.entity, entityIdFault),
      payload: this.#json('payload', columns.payload, context.limits.payloadBytesMax),
      metadata: metadata === null ? null : this.#metadata(metadata),
      timestamp: this.#timestamp(),
      expectedVersion: this.#expectedVersion(),
    };
  }

  #fault(code: ErrorCode, detail: string, facts: ProblemMembers & { column: string }): Problem {
    const { number: row } = this.#options;
    const where = ` (row ${row}; nothing of its record batch was stored)`;
    return problem(code, detail + where, { row, ...facts });
  }

  #bytes(name: string, column: TextColumn): Buffer {
    const { row } = this.#options;
    if (!isValid(column, row))
      throw this.#fault('invalid_body', `'${name}' has no value.`, { column: name });
    const text = textAt(column, row);
    const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
    if (isUtf8(bytes)) return bytes;
    throw this.#fault('invalid_body', `'${name}' is not valid UTF-8.`, { column: name });
  }

  #name(
    name: 'event_type' | 'entity_id',
    column: TextColumn,
    faultOf: (value: string) => string | null,
  ): string {
    const text = this.#bytes(name, column).toString('utf8');
    const fault = faultOf(text);
    if (fault === null) return text;
    const code = name === 'event_type' ? 'invalid_event_type' : 'invalid_entity_id';
    throw this.#fault(code, fault, { column: name });
  }

  #metadata(column: TextColumn): Buffer | null {
    if (!isValid(column, this.#options.row)) return null;
    const text = this.#json('metadata', column, LIMITS.metadataBytesMax);
    return text.toString('latin1') === 'null' ? null : text;
  }

  #json(name: string, column: TextColumn, bytesMax: number): Buffer {
    const bytes = this.#bytes(name, column);
    const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
    let start = 0;
    let end = 0;
    try {
      scanner.skipWhitespace();
      start = scanner.at;
      scanner.skipValue();
      end = scanner.at;
      scanner.expectEnd();
    } catch (error) {
      throw this.#jsonProblem(name, error);
    }
    if (end - start <= bytesMax) return bytes.subarray(start, end);
    const detail = `'${name}' is ${end - start} bytes; at most ${bytesMax} are allowed.`;
    const facts = { column: name, limit_bytes: bytesMax, bytes: end - start };
    throw this.#fault('payload_too_large', detail, facts);
  }

  #jsonProblem(column: string, error: unknown): unknown {
    if (!(error instanceof JsonSyntaxError)) return error;
    const { offset, tooDeep, message } = error;
    if (!tooDeep)
      return this.#fault('malformed_json', `'${column}' is not JSON: ${message}.`, {
        column,
        offset,
      });
    const detail = `'${column}' nests deeper than ${LIMITS.jsonDepthMax} levels.`;
    const facts = { column, limit_depth: LIMITS.jsonDepthMax, offset };
    return this.#fault('json_too_deep', detail, facts);
  }

  #timestamp(): Micros | null {
    const { columns, row, context } = this.#options;
    const value = columns.timestamp?.[row] ?? Number.NaN;
    if (Number.isNaN(value)) return null;
    const column = 'timestamp';
    if (!Number.isSafeInteger(value) || value < EVENT_TIMESTAMP_MIN)
      throw this.#fault(
        'invalid_timestamp',
        `'timestamp' is ${instantText(value)}; allowed is an instant from 1700 on that is not in the future.`,
        { column },
      );
    if (value <= context.now + LIMITS.clockSkewMs * 1000) return micros(value);
    const detail = `'timestamp' is ${instantText(value)}, which is in the future; the server's clock says ${formatTimestamp(context.now)}.`;
    throw this.#fault('future_timestamp', detail, { column });
  }

  #expectedVersion(): Version | null {
    const { columns, row } = this.#options;
    const value = columns.expectedVersion?.[row] ?? Number.NaN;
    if (Number.isNaN(value)) return null;
    if (Number.isSafeInteger(value) && value >= 0) return version(value);
    const detail = `'expected_version' is ${value}; allowed is a whole number of at least 0, where 0 means that the entity has no events.`;
    throw this.#fault('invalid_body', detail, { column: 'expected_version' });
  }
}

function instantText(value: number): string {
  return Number.isSafeInteger(value)
    ? formatTimestamp(micros(value))
    : `${value} microseconds from 1970 on`;
}
