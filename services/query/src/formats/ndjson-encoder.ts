import { eventJsonPieces } from '@allsource/shared/protocol';
import type { EventRun } from '../history/event-run.ts';
import type { JsonWriter } from '../reads/json-writer.ts';
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
  readonly #writer: JsonWriter;

  constructor(writer: JsonWriter) {
    this.#writer = writer;
  }

  add(run: EventRun, row: number): void {
    const writer = this.#writer;
    const event = run.event(row);
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

  end(): void {
    // The last line has its line feed already.
  }
}

/** JSON without line breaks; the same bytes where there are none. */
export function onOneLine(json: Buffer): Buffer {
  if (!json.includes(LINE_FEED) && !json.includes(CARRIAGE_RETURN)) return json;
  const line = Buffer.from(json);
  for (let i = 0; i < line.length; i++)
    if (line[i] === LINE_FEED || line[i] === CARRIAGE_RETURN) line[i] = SPACE;
  return line;
}
