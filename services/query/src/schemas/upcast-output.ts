import { type Upcast, versionMembers } from '@allsource/schemas/upcasting';
import { eventJsonPieces } from '@allsource/shared/protocol';
import type { StoredEvent } from '../history/event-history.ts';
import type { JsonWriter } from '../reads/json-writer.ts';
import type { EventPage } from '../reads/read-events.ts';
import type { UpcastReading } from './upcasting.ts';

const NULL = Buffer.from('null');

/** The bytes of an event as they stand in an answer; lines need them without line breaks. */
export type ShownBytes = (bytes: Buffer) => Buffer;

const AS_STORED: ShownBytes = (bytes) => bytes;

/**
 * Writes an event as clients see it, with its position, the version of the schema that its payload has here, and the one that it is stored with. An event that could not
 * be upcast has null for its payload and says why in `upcast_error`.
 */
export function writeUpcastEvent(
  writer: JsonWriter,
  event: StoredEvent,
  { upcast, shown = AS_STORED }: { readonly upcast: Upcast; readonly shown?: ShownBytes },
): void {
  // Read before anything is written: what cannot be read leaves no half event.
  const payload = shown(payloadOf(event, upcast));
  const metadata = event.metadata();
  const { beforePayload, beforeMetadata, afterMetadata } = eventJsonPieces(event);
  writer.text(`{${beforePayload}`);
  writer.bytes(payload);
  writer.text(beforeMetadata);
  writer.bytes(metadata === null ? NULL : shown(metadata));
  writer.text(`${afterMetadata},"position":${event.position}${versionMembers(upcast)}}`);
}

function payloadOf(event: StoredEvent, upcast: Upcast): Buffer {
  if (upcast.kind === 'same') return event.payload();
  return upcast.kind === 'upcast' ? Buffer.from(upcast.payload) : NULL;
}

export interface UpcastPageOptions {
  readonly reading: UpcastReading;
  readonly head: string;
  readonly tail: () => string;
}

/** Writes a page of events with their payloads upcast, in turns, and ends the answer. */
export async function writeUpcastPage(
  writer: JsonWriter,
  page: EventPage,
  { reading, head, tail }: UpcastPageOptions,
): Promise<void> {
  const { budget } = page;
  writer.text(head);
  let separator = '';
  for (const stretches of page.rows()) {
    for (const { run, rows } of stretches)
      for (const row of rows) {
        const event = run.event(row);
        const upcast = reading.of(event);
        const done = upcast instanceof Promise ? await upcast : upcast;
        writer.text(separator);
        separator = ',';
        writeUpcastEvent(writer, event, { upcast: done });
        if (writer.isFull && !(await writer.flush())) return;
        if (budget.isTurnOver) await budget.nextTurn();
      }
    if (budget.isTurnOver) await budget.nextTurn();
  }
  writer.text(tail());
  writer.end();
}
