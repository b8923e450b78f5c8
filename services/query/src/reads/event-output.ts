import { must } from '@allsource/shared/lang';
import { formatTimestamp, type Micros } from '@allsource/shared/model';
import type { StoredEvent } from '../history/event-history.ts';
import type { EventRun, RunSource } from '../history/event-run.ts';
import { eventJsonPieces } from '@allsource/shared/protocol';
import type { JsonWriter } from './json-writer.ts';
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

/** The texts that the rows of a source share, made once for a source. Each character is a byte of UTF-8. */
interface SharedTexts {
  /** What stands between the id and the entity, for each type number. */
  readonly types: string[];
  entity: number;
  /** The entity with what stands behind it, up to the payload. */
  entityText: string;
}

/** Characters put together before they become bytes. */
const PENDING_MAX = 64 * 1024;

const sharedTexts = new WeakMap<RunSource, SharedTexts>();

/**
 * Writes rows of a run as clients see events, with commas in between: the same text as `writeEvent`, made for pages of many. Bytes are handled as strings of Latin-1,
 * a character a byte, which is the same there and back: putting strings together costs less than copying a short payload into a buffer.
 */
export class EventRows {
  readonly #writer: JsonWriter;
  #pending = '';
  #isFirst = true;

  constructor(writer: JsonWriter) {
    this.#writer = writer;
  }

  /** True when it is time to flush what was written. */
  get isFull(): boolean {
    if (this.#pending.length >= PENDING_MAX) this.finish();
    return this.#writer.isFull;
  }

  /** Gives what is pending to the writer. */
  finish(): void {
    this.#writer.latin1(this.#pending);
    this.#pending = '';
  }

  /** Writes one row. */
  write(run: EventRun, row: number): void {
    const { source } = run;
    const timestamp = source.timestamps[row] as number;
    const recordedAt = source.recordedAts[row] as number;
    const happened = formatTimestamp(timestamp as Micros);
    const recorded = recordedAt === timestamp ? happened : formatTimestamp(recordedAt as Micros);
    const texts = textsOf(source, row);
    const metadata = source.metadata(row);
    const position = source.firstPosition + (source.positions[row] as number);
    this.#pending += `${this.#isFirst ? '{"id":"' : ',{"id":"'}${source.eventId(row)}${texts.types[source.types[row] as number] as string}${texts.entityText}${source.payload(row).toString('latin1')},"timestamp":"${happened}","metadata":${metadata === null ? 'null' : metadata.toString('latin1')},"version":${source.versions[row] as number},"recorded_at":"${recorded}","position":${position}}`;
    this.#isFirst = false;
  }
}

function textsOf(source: RunSource, row: number): SharedTexts {
  let texts = sharedTexts.get(source);
  if (texts === undefined) {
    texts = { types: [], entity: -1, entityText: '' };
    sharedTexts.set(source, texts);
  }
  const type = source.types[row] as number;
  texts.types[type] ??=
    `","event_type":"${must(source.typeNames[type], 'a type of the run')}","entity_id":`;
  const entity = source.entities[row] as number;
  if (texts.entity !== entity) {
    const tenant = must(
      source.tenantNames[source.entityTenants[entity] as number],
      'a tenant of the run',
    );
    const name = Buffer.from(JSON.stringify(source.entityName(entity))).toString('latin1');
    texts.entity = entity;
    texts.entityText = `${name},"tenant_id":"${tenant}","payload":`;
  }
  return texts;
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
 * Writes a page of events between `head` and what `tail` says when they are all written, and ends the answer. Returns the answer when it went out whole, null
 * when it was sent in parts or nobody reads it any more.
 */
export async function writePage(
  writer: JsonWriter,
  page: EventPage,
  around: Around,
): Promise<Buffer | null> {
  const events = new EventRows(writer);
  writer.latin1(around.head);
  for await (const { run, rows } of page.rows()) {
    for (const row of rows) {
      events.write(run, row);
      if (events.isFull && !(await writer.flush())) return null;
    }
  }
  events.finish();
  writer.text(around.tail());
  return writer.end();
}
