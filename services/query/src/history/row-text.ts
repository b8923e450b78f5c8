import { EVENT_ID_BYTES, formatEventId } from '@allsource/shared/model';

/** Where the text of a row lies: its payload, and its metadata right behind it. Filled anew for each row that is looked at, so that reading many makes no objects. */
export class RowText {
  bytes: Buffer = EMPTY;
  /** Where the payload begins in `bytes`. */
  start = 0;
  payloadBytes = 0;
  /** 0: the event has no metadata. */
  metadataBytes = 0;
}

/** Rows with an id and text. */
export interface RowTexts {
  /** What the id of a row has besides its position and the millisecond of its recorded_at; NO_RANDOM when only `copyEventId` tells the id. */
  eventIdRandom(row: number): number;
  /** Writes the 16 bytes of the id of a row to the start of `target`. */
  copyEventId(row: number, target: Buffer): void;
  /** Says where the payload and the metadata of a row lie. */
  placeText(row: number, text: RowText): void;
}

const EMPTY = Buffer.alloc(0);
const place = new RowText();
const id = Buffer.alloc(EVENT_ID_BYTES);

/** The payload of a row, as the bytes that were appended. */
export function payloadAt(source: RowTexts, row: number): Buffer {
  source.placeText(row, place);
  return place.bytes.subarray(place.start, place.start + place.payloadBytes);
}

/** The metadata of a row, as the bytes that were appended; null when it has none. */
export function metadataAt(source: RowTexts, row: number): Buffer | null {
  source.placeText(row, place);
  const start = place.start + place.payloadBytes;
  return place.metadataBytes === 0
    ? null
    : place.bytes.subarray(start, start + place.metadataBytes);
}

/** The id of a row as text. */
export function eventIdAt(source: RowTexts, row: number): string {
  source.copyEventId(row, id);
  return formatEventId(id, 0);
}
