/**
 * The answers of an append, written from the frame in the frame region: the same bytes as append-answer.ts makes. The frame's own timestamps are
 * printed once and copied for every event that the client gave none.
 *
 * The single answer can only be written when the entity id needs no escapes in JSON, which holds for whatever the scan accepts.
 */
import { copyText } from './copy';
import { answerAt, CONTEXT_RECORDED_AT, CONTEXT_TENANT, frameAt } from './layout';
import * as texts from './answer-texts';
import { writeInteger } from './integers';
import { writeTimestamp } from './timestamps';
import { writeUuid } from './uuids';

const SPAN_BYTES: usize = 64;

let target: usize = 0;
let recordedAtBytes: usize = 0;

function begin(): usize {
  const frame = frameAt();
  target = answerAt();
  recordedAtBytes = writeTimestamp(CONTEXT_RECORDED_AT, load<i64>(frame, 24)) - CONTEXT_RECORDED_AT;
  return frame + load<u32>(frame, 44);
}

function writeText(text: usize, bytes: usize): void {
  target = copyText(target, text, bytes);
}

function writeByte(c: u8): void {
  store<u8>(target++, c);
}

function writeNumber(value: u64): void {
  target = writeInteger(target, value);
}

function writeId(id: usize): void {
  target = writeUuid(target, id);
}

function writeInstant(micros: i64): void {
  if (micros == load<i64>(frameAt(), 24)) writeText(CONTEXT_RECORDED_AT, recordedAtBytes);
  else target = writeTimestamp(target, micros);
}

/** `{"event_id":"...","timestamp":"...","version":1` */
function writeAcknowledgement(span: usize): void {
  writeText(texts.OPEN_EVENT_ID, texts.OPEN_EVENT_ID_BYTES);
  writeId(span);
  writeText(texts.TIMESTAMP_NAME, texts.TIMESTAMP_NAME_BYTES);
  writeInstant(load<i64>(span, 16));
  writeText(texts.VERSION_NAME, texts.VERSION_NAME_BYTES);
  writeNumber(load<u64>(span, 24));
}

/** Writes the answer to a batch; returns its length. */
export function writeBatchAnswer(): usize {
  const text = begin();
  const count: u64 = load<u32>(frameAt(), 40);
  const spans = text - <usize>count * SPAN_BYTES;
  writeText(texts.TOTAL, texts.TOTAL_BYTES);
  writeNumber(count);
  writeText(texts.INGESTED, texts.INGESTED_BYTES);
  writeNumber(count);
  writeText(texts.COUNT, texts.COUNT_BYTES);
  writeNumber(count);
  writeText(texts.EVENTS, texts.EVENTS_BYTES);
  const list = target;
  for (let span = spans; span < text; span += SPAN_BYTES) {
    if (span != spans) writeByte(0x2c);
    writeAcknowledgement(span);
    writeByte(0x7d);
  }
  const listBytes = target - list;
  writeText(texts.DATA, texts.DATA_BYTES);
  memory.copy(target, list, listBytes);
  target += listBytes;
  writeByte(0x5d);
  writeByte(0x7d);
  return target - answerAt();
}

/** Writes the answer to a single append; returns its length. */
export function writeSingleAnswer(): usize {
  const text = begin();
  const span = text - SPAN_BYTES;
  writeAcknowledgement(span);
  writeText(texts.POSITION_NAME, texts.POSITION_NAME_BYTES);
  writeNumber(load<u64>(frameAt(), 16));
  writeText(texts.DATA_EVENT_ID, texts.DATA_EVENT_ID_BYTES);
  writeId(span);
  writeEventMembers(span, text);
  writeByte(0x7d);
  writeByte(0x7d);
  return target - answerAt();
}

/** The members of eventMembersJson, from the end of the event id on. */
function writeEventMembers(span: usize, text: usize): void {
  const typeBytes: usize = load<u16>(span, 52);
  const entityBytes: usize = load<u16>(span, 54);
  const payloadBytes: usize = load<u32>(span, 44);
  const metadataBytes: usize = load<u32>(span, 48);
  writeText(texts.ID_NAME, texts.ID_NAME_BYTES);
  writeId(span);
  writeText(texts.TYPE_NAME, texts.TYPE_NAME_BYTES);
  writeText(text, typeBytes);
  writeText(texts.ENTITY_NAME, texts.ENTITY_NAME_BYTES);
  writeText(text + typeBytes, entityBytes);
  writeText(texts.TENANT_NAME, texts.TENANT_NAME_BYTES);
  writeText(CONTEXT_TENANT + 2, load<u8>(CONTEXT_TENANT, 1));
  writeText(texts.PAYLOAD_NAME, texts.PAYLOAD_NAME_BYTES);
  writeText(text + typeBytes + entityBytes, payloadBytes);
  writeText(texts.AFTER_PAYLOAD, texts.AFTER_PAYLOAD_BYTES);
  writeInstant(load<i64>(span, 16));
  writeText(texts.METADATA_NAME, texts.METADATA_NAME_BYTES);
  if (metadataBytes == 0) writeText(texts.NULL, texts.NULL_BYTES);
  else writeText(text + typeBytes + entityBytes + payloadBytes, metadataBytes);
  writeText(texts.VERSION_AFTER, texts.VERSION_AFTER_BYTES);
  writeNumber(load<u64>(span, 24));
  writeText(texts.RECORDED_AT_NAME, texts.RECORDED_AT_NAME_BYTES);
  writeInstant(load<i64>(frameAt(), 24));
  writeByte(0x22);
}
