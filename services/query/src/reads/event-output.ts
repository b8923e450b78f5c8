import { eventJsonPieces } from '@allsource/shared/protocol';
import type { StoredEvent } from '../history/event-history.ts';
import { EventRows } from './event-rows.ts';
import type { JsonWriter } from './json-writer.ts';
import { pageKernel } from './page-kernel/load-page-kernel.ts';
import type { EventPage } from './read-events.ts';

const NULL = Buffer.from('null');

/** Writes an event as clients see it, with its position. Payload and metadata go through as the bytes that were appended. */
export function writeEvent(writer: JsonWriter, event: StoredEvent): void {
  const { beforePayload, beforeMetadata, afterMetadata } = eventJsonPieces(event);
  writer.text('{');
  writer.text(beforePayload);
  writer.bytes(event.payload());
  writer.text(beforeMetadata);
  writer.bytes(event.metadata() ?? NULL);
  writer.text(afterMetadata);
  writer.text(`,"position":${event.position}}`);
}

/**
 * Writes `head`, the elements with commas in between and `tail`, and ends the answer. Stops when the reader goes away. Each element is made when
 * it is written.
 */
export async function writeList<T>(
  writer: JsonWriter,
  list: { readonly head: string; readonly elements: Iterable<T>; readonly tail: string },
  writeElement: (writer: JsonWriter, element: T) => void,
): Promise<void> {
  writer.text(list.head);
  let isFirst = true;
  for (const element of list.elements) {
    if (!isFirst) writer.text(',');
    isFirst = false;
    writeElement(writer, element);
    if (writer.isFull && !(await writer.flush())) return;
  }
  writer.text(list.tail);
  writer.end();
}

/** What stands around the events of a page; the end is known when they are written. */
export interface Around {
  readonly head: string;
  readonly tail: () => string;
}

/**
 * Writes a page of events between `head` and what `tail` says when they are all written, and ends the answer. Returns the answer when it is to be kept and went out
 * whole.
 */
export async function writePage(
  writer: JsonWriter,
  page: EventPage,
  { isKept, ...around }: Around & { readonly isKept: boolean },
): Promise<Buffer | null> {
  const { budget } = page;
  const events = new EventRows(writer, { kernel: pageKernel(), writeEvent, pace: budget });
  writer.text(around.head);
  for (const stretches of page.rows()) {
    events.begin(stretches);
    while (events.writeBatch()) {
      if (writer.isFull && !(await writer.flush())) return null;
      if (budget.isTurnOver) await budget.nextTurn();
    }
  }
  writer.text(around.tail());
  if (isKept) return writer.endKept();
  writer.end();
  return null;
}
