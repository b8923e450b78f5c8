/** Puts rows together as clients see events: the same bytes as `writeEvent` of src/reads/event-output.ts, and as `writeEventLine` of src/formats/ndjson-encoder.ts. */
import { copyText } from '../../../core/kernel/assembly/copy';
import { writeInteger } from '../../../core/kernel/assembly/integers';
import * as texts from '../../../core/kernel/assembly/answer-texts';
import {
  microsSinceYearZero,
  writeFraction,
  writeTimestamp,
} from '../../../core/kernel/assembly/timestamps';
import { writeUuid } from '../../../core/kernel/assembly/uuids';
import {
  BEFORE_ENTITY,
  BEHIND_ENTITY,
  ENTITY,
  HEADS,
  ID,
  ID_RANDOM,
  METADATA_BYTES,
  NO_RANDOM,
  OUT,
  PAYLOAD_BYTES,
  POSITION,
  RECORDED_AT,
  RECORDED_AT_CLOCK,
  ROW_BYTES,
  ROWS,
  TEXT,
  TIMESTAMP,
  TIMESTAMP_CLOCK,
  VERSION,
} from './layout';

/** Where the id stands in a head: behind `{"id":"`. */
const ID_IN_HEAD: usize = 7;
/** `2026-11-21T23:10:00.` */
const SECOND_BYTES: usize = 20;
/** Where the text of a clock's second stands, behind the second. */
const CLOCK_TEXT: usize = 8;

/** `","position":` */
const POSITION_NAME: usize = memory.data<u8>([
  34, 44, 34, 112, 111, 115, 105, 116, 105, 111, 110, 34, 58, 0, 0, 0,
]);
const POSITION_NAME_BYTES: usize = 13;

const COMMA: u8 = 0x2c;
const LINE_FEED: u8 = 0x0a;
const CARRIAGE_RETURN: u8 = 0x0d;
const SPACE: u8 = 0x20;

/** Writes the first `count` rows, each behind a comma; returns the length of their text. */
export function render(count: usize): usize {
  let p = OUT;
  const end = ROWS + count * ROW_BYTES;
  for (let row = ROWS; row < end; row += ROW_BYTES) {
    store<u8>(p, COMMA);
    p = writeRow(p + 1, row, false);
  }
  return p - OUT;
}

/** Writes the first `count` rows, each as a line with its end; returns the length of their text. */
export function renderLines(count: usize): usize {
  let p = OUT;
  const end = ROWS + count * ROW_BYTES;
  for (let row = ROWS; row < end; row += ROW_BYTES) {
    p = writeRow(p, row, true);
    store<u8>(p++, LINE_FEED);
  }
  return p - OUT;
}

/** Writes a row; returns the address behind it. */
function writeRow(start: usize, row: usize, isLine: bool): usize {
  const payloadBytes: usize = load<u32>(row, PAYLOAD_BYTES);
  const metadataBytes: usize = load<u32>(row, METADATA_BYTES);
  const text: usize = load<u32>(row, TEXT);
  let p = copyPart(start, load<u32>(row, BEFORE_ENTITY));
  const random = load<u32>(row, ID_RANDOM);
  if (random != NO_RANDOM) composeId(row, random);
  writeUuid(start + ID_IN_HEAD, row + ID);
  p = copyPart(p, load<u32>(row, ENTITY));
  p = copyPart(p, load<u32>(row, BEHIND_ENTITY));
  p = copyJson(p, text, payloadBytes, isLine);
  p = copyText(p, texts.AFTER_PAYLOAD, texts.AFTER_PAYLOAD_BYTES);
  p = writeInstant(p, <i64>load<f64>(row, TIMESTAMP), TIMESTAMP_CLOCK);
  p = copyText(p, texts.METADATA_NAME, texts.METADATA_NAME_BYTES);
  if (metadataBytes == 0) p = copyText(p, texts.NULL, texts.NULL_BYTES);
  else p = copyJson(p, text + payloadBytes, metadataBytes, isLine);
  p = copyText(p, texts.VERSION_AFTER, texts.VERSION_AFTER_BYTES);
  p = writeInteger(p, <u64>load<f64>(row, VERSION));
  p = copyText(p, texts.RECORDED_AT_NAME, texts.RECORDED_AT_NAME_BYTES);
  p = writeInstant(p, <i64>load<f64>(row, RECORDED_AT), RECORDED_AT_CLOCK);
  p = copyText(p, POSITION_NAME, POSITION_NAME_BYTES);
  p = writeInteger(p, <u64>load<f64>(row, POSITION));
  store<u8>(p, 0x7d);
  return p + 1;
}

/** Copies payload or metadata; for a line with spaces in the place of line breaks, which in JSON stand only between tokens. It reads and writes up to 15 bytes too many. */
function copyJson(target: usize, source: usize, bytes: usize, isLine: bool): usize {
  if (!isLine) return copyText(target, source, bytes);
  for (let at: usize = 0; at < bytes; at += 16) {
    const text = v128.load(source + at);
    const breaks = v128.or(
      i8x16.eq(text, i8x16.splat(LINE_FEED)),
      i8x16.eq(text, i8x16.splat(CARRIAGE_RETURN)),
    );
    v128.store(target + at, v128.bitselect(i8x16.splat(SPACE), text, breaks));
  }
  return target + bytes;
}

/** Puts the id of a row together, as `writeEventId` of shared/model does. */
function composeId(row: usize, random: u32): void {
  const milliseconds = <u64>load<f64>(row, RECORDED_AT) / 1000;
  const position = <u64>load<f64>(row, POSITION);
  store<u64>(row, bswap<u64>((milliseconds << 16) | 0x7000 | (random & 0xfff)), ID);
  store<u64>(
    row,
    bswap<u64>(((<u64>0b10) << 62) | ((<u64>((random >> 12) & 0x3ff)) << 52) | position),
    ID + 8,
  );
}

/** Copies a part of a head. */
function copyPart(p: usize, part: u32): usize {
  return copyText(p, HEADS + (part & 0xffff), part >> 16);
}

/** Writes an instant of a clock. Those of a page mostly share a second, whose text is kept. */
function writeInstant(p: usize, micros: i64, clock: usize): usize {
  const sinceYearZero = microsSinceYearZero(micros);
  const second = sinceYearZero / 1_000_000;
  if (second != load<u64>(clock)) {
    writeTimestamp(clock + CLOCK_TEXT, micros);
    store<u64>(clock, second);
  }
  copyText(p, clock + CLOCK_TEXT, SECOND_BYTES);
  return writeFraction(p + SECOND_BYTES, <u32>(sinceYearZero - second * 1_000_000));
}
