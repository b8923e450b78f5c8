import type { Pace } from '@allsource/service-kit/turns';
import { eventJsonPieces } from '@allsource/shared/protocol';
import type { RowStretches, StoredEvent } from '../history/event-history.ts';
import { EventRows } from '../reads/event-rows.ts';
import type { JsonWriter } from '../reads/json-writer.ts';
import { pageKernel } from '../reads/page-kernel/load-page-kernel.ts';
import type { EventEncoder } from './event-encoder.ts';

const NULL = Buffer.from('null');
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/**
 * Writes events as lines of JSON, each the object that a JSON answer has. Payload and metadata are the bytes that were appended, but for line breaks: in JSON
 * they stand only between tokens, where a space means the same, and here a line is an event.
 */
export class NdjsonEncoder implements EventEncoder {
  readonly #rows: EventRows;

  constructor(writer: JsonWriter, pace: Pick<Pace, 'isTurnOver'>) {
    this.#rows = new EventRows(writer, {
      kernel: pageKernel(),
      writeEvent: writeEventLine,
      form: 'lines',
      pace,
    });
  }

  begin(stretches: RowStretches): void {
    this.#rows.begin(stretches);
  }

  takeSome(): boolean {
    return this.#rows.writeBatch();
  }

  end(): void {
    // The last line has its line feed already.
  }
}

/** Writes an event as a line. */
export function writeEventLine(writer: JsonWriter, event: StoredEvent): void {
  // Read before anything is written: what cannot be read leaves no half line.
  const payload = onOneLine(event.payload());
  const metadata = event.metadata();
  const { beforePayload, beforeMetadata, afterMetadata } = eventJsonPieces(event);
  writer.text(`{${beforePayload}`);
  writer.bytes(payload);
  writer.text(beforeMetadata);
  writer.bytes(metadata === null ? NULL : onOneLine(metadata));
  writer.text(`${afterMetadata},"position":${event.position}}\n`);
}

/** JSON without line breaks; the same bytes where there are none. */
export function onOneLine(json: Buffer): Buffer {
  if (!json.includes(LINE_FEED) && !json.includes(CARRIAGE_RETURN)) return json;
  const line = Buffer.from(json);
  for (let i = 0; i < line.length; i++)
    if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = SPACE;
  return line;
}
