/**
 * Draws a frame from the placed event table and the input: the same bytes as encodeFrame of packages/shared/src/protocol/frame.ts, which has the
 * picture and reads them. The checksum is left zero; JavaScript computes it over the finished bytes.
 */
import { copyText } from './copy';
import {
  CONTEXT_DIGEST,
  CONTEXT_KEY,
  CONTEXT_LOG_ID,
  CONTEXT_TENANT,
  ENTITY_AT,
  ENTITY_BYTES,
  EVENT_BYTES,
  eventTable,
  FLAG_TIMESTAMP,
  FLAGS,
  frameAt,
  INPUT,
  METADATA_AT,
  METADATA_BYTES,
  PAYLOAD_AT,
  PAYLOAD_BYTES,
  PREVIOUS_POSITION,
  TIMESTAMP,
  TYPE_AT,
  TYPE_BYTES,
  VERSION,
} from './layout';
import { partitionOf, setPartitionTenant } from './partition';

const MAGIC: u32 = 0x31465341; // "ASF1"
const HEADER_BYTES: usize = 80;
const SPAN_BYTES: usize = 64;
/** The tenant stands behind its space and its length in the context. */
const TENANT_TEXT: usize = CONTEXT_TENANT + 2;

let random: u64 = 0;

/** Seeds the random bits of event ids. */
export function seedIds(seed: u64): void {
  random = seed;
}

/** 22 bits of splitmix64: ids of two logs should differ, and need not be hard to guess. */
function nextRandomBits(): u32 {
  random += 0x9e3779b97f4a7c15;
  let z = random;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return <u32>(z >> 42);
}

function aligned(bytes: usize): usize {
  return (bytes + 7) & ~7;
}

/**
 * Draws the frame of the first `count` events; returns its length. The context holds space, tenant, log id and, if there is a key, the key
 * and the digest.
 */
export function buildFrame(
  count: i32,
  position: f64,
  recordedAt: f64,
  durablePosition: f64,
  previousChecksum: u32,
  partitionCount: u32,
  keyBytes: usize,
): usize {
  const frame = frameAt();
  const tenantBytes: usize = load<u8>(CONTEXT_TENANT, 1);
  const spans = frame + aligned(HEADER_BYTES + tenantBytes + keyBytes);
  const text = spans + <usize>count * SPAN_BYTES;
  memory.fill(frame, 0, spans - frame);
  store<u32>(frame, MAGIC);
  store<u32>(frame, previousChecksum, 12);
  store<u64>(frame, <u64>position, 16);
  store<u64>(frame, <u64>recordedAt, 24);
  store<u64>(frame, <u64>durablePosition, 32);
  store<u32>(frame, count, 40);
  store<u32>(frame, <u32>(text - frame), 44);
  store<u16>(frame, load<u8>(CONTEXT_TENANT), 52);
  store<u8>(frame, tenantBytes, 54);
  store<u8>(frame, keyBytes, 55);
  if (keyBytes > 0) v128.store(frame, v128.load(CONTEXT_DIGEST), 56);
  store<u64>(frame, load<u64>(CONTEXT_LOG_ID), 72);
  memory.copy(frame + HEADER_BYTES, TENANT_TEXT, tenantBytes);
  memory.copy(frame + HEADER_BYTES + tenantBytes, CONTEXT_KEY, keyBytes);
  setPartitionTenant(TENANT_TEXT, tenantBytes);
  const end = writeEvents(count, spans, text, <u64>position, <u64>recordedAt, partitionCount);
  store<u64>(end, 0);
  store<u32>(frame, <u32>(end - text), 48);
  const bytes = aligned(end - frame);
  store<u32>(frame, <u32>bytes, 4);
  return bytes;
}

function writeEvents(
  count: i32,
  spans: usize,
  text: usize,
  position: u64,
  recordedAt: u64,
  partitionCount: u32,
): usize {
  let record = eventTable();
  let span = spans;
  let end = text;
  const idStart = bswap<u64>((recordedAt / 1000) << 16);
  for (let index: i32 = 0; index < count; index++) {
    const hasTimestamp = (load<u32>(record, FLAGS) & FLAG_TIMESTAMP) != 0;
    const typeBytes = load<u16>(record, TYPE_BYTES);
    const entityBytes = load<u16>(record, ENTITY_BYTES);
    const entity = INPUT + load<u32>(record, ENTITY_AT);
    writeId(span, idStart, position + <u64>index);
    store<u64>(span, hasTimestamp ? load<u64>(record, TIMESTAMP) : recordedAt, 16);
    store<u64>(span, load<u64>(record, VERSION), 24);
    store<u64>(span, load<u64>(record, PREVIOUS_POSITION), 32);
    store<u32>(span, <u32>(end - text), 40);
    store<u32>(span, load<u32>(record, PAYLOAD_BYTES), 44);
    store<u32>(span, load<u32>(record, METADATA_BYTES), 48);
    store<u16>(span, typeBytes, 52);
    store<u16>(span, entityBytes, 54);
    store<u64>(span, partitionOf(entity, entityBytes, partitionCount), 56);
    end = copyText(end, INPUT + load<u32>(record, TYPE_AT), typeBytes);
    end = copyText(end, entity, entityBytes);
    end = copyText(end, INPUT + load<u32>(record, PAYLOAD_AT), load<u32>(record, PAYLOAD_BYTES));
    end = copyText(end, INPUT + load<u32>(record, METADATA_AT), load<u32>(record, METADATA_BYTES));
    record += EVENT_BYTES;
    span += SPAN_BYTES;
  }
  return end;
}

/** UUID of version 7 with the position inside; packages/shared/src/model/event-id.ts has the bits. */
function writeId(target: usize, start: u64, position: u64): void {
  const bits = nextRandomBits();
  const version: u64 = 0x7000 | (bits & 0xfff);
  store<u64>(target, start | bswap<u64>(version));
  const variant: u64 = (<u64>2) << 62;
  store<u64>(target, bswap<u64>(variant | ((<u64>(bits >> 12)) << 52) | position), 8);
}
