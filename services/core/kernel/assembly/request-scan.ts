/**
 * One pass over a request body: it checks the whole of the JSON and fills the event table. Whatever is not perfectly good, and whatever is good
 * but unusual (escapes or text beyond ASCII in names and keys of an event, a known member twice, other members beside `events`), ends the
 * pass with SLOW_PATH; ingest-request.ts then takes the request from its first byte and accepts it or says what is wrong. So the
 * kernel may be stricter than the rules, and never more lenient.
 *
 * The caller has checked that the input is valid UTF-8.
 */
import {
  ENTITY_AT,
  ENTITY_BYTES,
  EVENT_BYTES,
  eventTable,
  EXPECTED_VERSION,
  FLAG_EXPECTED_VERSION,
  FLAG_TIMESTAMP,
  FLAGS,
  INPUT,
  INPUT_SLACK,
  METADATA_AT,
  METADATA_BYTES,
  PAYLOAD_AT,
  PAYLOAD_BYTES,
  TIMESTAMP,
  TYPE_AT,
  TYPE_BYTES,
} from './layout';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  endOfPlainString,
  isNull,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  skipStringWithoutEscapes,
  skipValue,
} from './json-scan';
import { isEntityId, isEventType, isTenantId } from './names';
import { NO_TIMESTAMP, parseTimestamp } from './timestamps';

/** What a scan returns when the other path has to take the request. */
export const SLOW_PATH: i32 = -1;

// The names of the members, eight bytes at a time as little-endian integers.
const EVENT_TY: u64 = 0x79745f746e657665;
const ENTITY_I: u64 = 0x695f797469746e65;
const PAYLOAD_QUOTE: u64 = 0x2264616f6c796170;
const METADATA: u64 = 0x617461646174656d;
const TENANT_I: u64 = 0x695f746e616e6574;
const TIMESTAM: u64 = 0x6d617473656d6974;
const EXPECTED: u64 = 0x6465746365707865;
const UNDERSCORE_VERSION: u64 = 0x6e6f69737265765f;
const EVENTS_QUOTE: u64 = 0x2273746e657665; // seven bytes
const SEVEN_BYTES: u64 = 0xffffffffffffff;
const PE: u32 = 0x226570; // pe"
const D: u32 = 0x2264; // d"
const P: u32 = 0x2270; // p"

const SEEN_TYPE: u32 = 1;
const SEEN_ENTITY: u32 = 2;
const SEEN_PAYLOAD: u32 = 4;
const SEEN_METADATA: u32 = 8;
const SEEN_TENANT: u32 = 16;
const SEEN_TIMESTAMP: u32 = 32;
const SEEN_VERSION: u32 = 64;
const SEEN_REQUIRED: u32 = SEEN_TYPE | SEEN_ENTITY | SEEN_PAYLOAD;

const LINE_FEED: u32 = 0x0a;

/** Fifteen digits are always a safe integer. */
const VERSION_DIGITS_MAX: usize = 15;

let payloadBytesMax: usize = 0;
let metadataBytesMax: usize = 0;
let latest: u64 = 0;
/** The tenant that the request names: address and bytes, 0 bytes = none. */
let tenant: usize = 0;
let tenantBytes: usize = 0;
/** The same of the event that is being read. */
let eventTenant: usize = 0;
let eventTenantBytes: usize = 0;

/** Sets what an event may hold; `latestTimestamp` is the newest instant that is not in the future, in microseconds. */
export function setRules(payloadMax: usize, metadataMax: usize, latestTimestamp: f64): void {
  payloadBytesMax = payloadMax;
  metadataBytesMax = metadataMax;
  latest = <u64>latestTimestamp;
}

export function tenantOffset(): usize {
  return tenant - INPUT;
}

export function tenantLength(): usize {
  return tenantBytes;
}

function begin(bytes: usize): usize {
  memory.fill(INPUT + bytes, 0, INPUT_SLACK);
  tenant = INPUT;
  tenantBytes = 0;
  return skipSpace(INPUT);
}

/** Scans `{"events":[...]}`, at least one event; returns the number of events or SLOW_PATH. */
export function scanBatch(bytes: usize, eventsMax: i32): i32 {
  let p = begin(bytes);
  if (load<u8>(p) != OPEN_BRACE) return SLOW_PATH;
  p = skipSpace(p + 1);
  if (load<u8>(p) != QUOTE || (load<u64>(p, 1) & SEVEN_BYTES) != EVENTS_QUOTE) return SLOW_PATH;
  p = skipSpace(p + 8);
  if (load<u8>(p) != COLON) return SLOW_PATH;
  p = skipSpace(p + 1);
  if (load<u8>(p) != OPEN_BRACKET) return SLOW_PATH;
  let record = eventTable();
  let count: i32 = 0;
  while (true) {
    p = skipSpace(p + 1);
    if (count == eventsMax || (p = scanEvent(p, record)) == 0 || !takeTenant(count))
      return SLOW_PATH;
    record += EVENT_BYTES;
    count++;
    p = skipSpace(p);
    const c: u32 = load<u8>(p);
    if (c == COMMA) continue;
    if (c != CLOSE_BRACKET) return SLOW_PATH;
    break;
  }
  p = skipSpace(p + 1);
  if (load<u8>(p) != CLOSE_BRACE) return SLOW_PATH;
  return skipSpace(p + 1) == INPUT + bytes ? count : SLOW_PATH;
}

/** Scans one event object; returns 1 or SLOW_PATH. */
export function scanSingle(bytes: usize): i32 {
  const p = scanEvent(begin(bytes), eventTable());
  if (p == 0 || !takeTenant(0)) return SLOW_PATH;
  return skipSpace(p) == INPUT + bytes ? 1 : SLOW_PATH;
}

/**
 * Scans lines with one event object each, at least one; blank lines count for nothing. `lineFeeds` is the number of line feeds in the input: when
 * all of them stand between the events, none stands inside one, and each event has its line to itself. Returns the number of events or SLOW_PATH.
 */
export function scanLines(bytes: usize, eventsMax: i32, lineFeeds: i32): i32 {
  const end = INPUT + bytes;
  let record = eventTable();
  let count: i32 = 0;
  let feeds: i32 = 0;
  let p = begin(bytes);
  for (let q = INPUT; q < p; q++) feeds += i32(load<u8>(q) == LINE_FEED);
  while (p != end) {
    if (count == eventsMax || (p = scanEvent(p, record)) == 0 || !takeTenant(count))
      return SLOW_PATH;
    record += EVENT_BYTES;
    count++;
    const feedsBefore = feeds;
    for (let c: u32 = load<u8>(p); c <= 0x20; c = load<u8>(++p)) {
      if (c == LINE_FEED) feeds++;
      else if (c != 0x20 && c != 0x0d && c != 0x09) break;
    }
    if (feeds == feedsBefore && p != end) return SLOW_PATH;
  }
  return feeds == lineFeeds && count > 0 ? count : SLOW_PATH;
}

/** Every event of a batch names the same tenant, or none does. */
function takeTenant(index: i32): bool {
  if (index == 0) {
    tenant = eventTenant;
    tenantBytes = eventTenantBytes;
    return true;
  }
  return (
    eventTenantBytes == tenantBytes &&
    (tenantBytes == 0 || memory.compare(eventTenant, tenant, tenantBytes) == 0)
  );
}

/** Which known member a name is, 0 for another. `p` stands behind the opening quote. */
function memberAt(p: usize): u32 {
  const start = load<u64>(p);
  if (start == PAYLOAD_QUOTE) return SEEN_PAYLOAD;
  if (start == EVENT_TY) return (load<u32>(p, 8) & 0xffffff) == PE ? SEEN_TYPE : 0;
  if (start == ENTITY_I) return <u32>load<u16>(p, 8) == D ? SEEN_ENTITY : 0;
  if (start == METADATA) return <u32>load<u8>(p, 8) == QUOTE ? SEEN_METADATA : 0;
  if (start == TENANT_I) return <u32>load<u16>(p, 8) == D ? SEEN_TENANT : 0;
  if (start == TIMESTAM) return <u32>load<u16>(p, 8) == P ? SEEN_TIMESTAMP : 0;
  if (start != EXPECTED || load<u64>(p, 8) != UNDERSCORE_VERSION) return 0;
  return <u32>load<u8>(p, 16) == QUOTE ? SEEN_VERSION : 0;
}

/** Reads one event into a record. Returns the address behind it, or 0. */
function scanEvent(start: usize, record: usize): usize {
  if (load<u8>(start) != OPEN_BRACE) return 0;
  eventTenantBytes = 0;
  store<u32>(record, 0, METADATA_BYTES);
  store<u32>(record, 0, FLAGS);
  let p = start;
  let seen: u32 = 0;
  while (true) {
    p = skipSpace(p + 1);
    if (load<u8>(p) != QUOTE) return 0;
    const member = memberAt(p + 1);
    if ((seen & member) != 0) return 0;
    seen |= member;
    if ((p = skipStringWithoutEscapes(p + 1)) == 0) return 0;
    p = skipSpace(p);
    if (load<u8>(p) != COLON) return 0;
    p = skipSpace(p + 1);
    p = member == 0 ? skipValue(p) : scanMember(p, member, record);
    if (p == 0) return 0;
    p = skipSpace(p);
    const c: u32 = load<u8>(p);
    if (c == COMMA) continue;
    return c == CLOSE_BRACE && (seen & SEEN_REQUIRED) == SEEN_REQUIRED ? p + 1 : 0;
  }
}

function scanMember(p: usize, member: u32, record: usize): usize {
  if (member == SEEN_PAYLOAD) return scanPayload(p, record);
  if (member == SEEN_TYPE) return scanType(p, record);
  if (member == SEEN_ENTITY) return scanEntity(p, record);
  if (isNull(p)) return p + 4; // The others are optional, and null means absent.
  if (member == SEEN_METADATA) return scanMetadata(p, record);
  if (member == SEEN_TIMESTAMP) return scanTimestamp(p, record);
  return member == SEEN_TENANT ? scanTenant(p) : scanExpectedVersion(p, record);
}

function scanType(p: usize, record: usize): usize {
  if (load<u8>(p) != QUOTE) return 0;
  const end = endOfPlainString(p + 1);
  if (end == 0 || !isEventType(p + 1, end - p - 1)) return 0;
  store<u32>(record, <u32>(p + 1 - INPUT), TYPE_AT);
  store<u16>(record, <u16>(end - p - 1), TYPE_BYTES);
  return end + 1;
}

function scanEntity(p: usize, record: usize): usize {
  if (load<u8>(p) != QUOTE) return 0;
  const end = endOfPlainString(p + 1);
  if (end == 0 || !isEntityId(p + 1, end - p - 1)) return 0;
  store<u32>(record, <u32>(p + 1 - INPUT), ENTITY_AT);
  store<u16>(record, <u16>(end - p - 1), ENTITY_BYTES);
  return end + 1;
}

function scanPayload(p: usize, record: usize): usize {
  const end = skipValue(p);
  if (end == 0 || end - p > payloadBytesMax) return 0;
  store<u32>(record, <u32>(p - INPUT), PAYLOAD_AT);
  store<u32>(record, <u32>(end - p), PAYLOAD_BYTES);
  return end;
}

function scanMetadata(p: usize, record: usize): usize {
  const end = skipValue(p);
  if (end == 0 || end - p > metadataBytesMax) return 0;
  store<u32>(record, <u32>(p - INPUT), METADATA_AT);
  store<u32>(record, <u32>(end - p), METADATA_BYTES);
  return end;
}

function scanTenant(p: usize): usize {
  if (load<u8>(p) != QUOTE) return 0;
  const end = endOfPlainString(p + 1);
  if (end == 0 || !isTenantId(p + 1, end - p - 1)) return 0;
  eventTenant = p + 1;
  eventTenantBytes = end - p - 1;
  return end + 1;
}

function scanTimestamp(p: usize, record: usize): usize {
  if (load<u8>(p) != QUOTE) return 0;
  const end = endOfPlainString(p + 1);
  if (end == 0) return 0;
  const instant = parseTimestamp(p + 1, end - p - 1);
  if (instant == NO_TIMESTAMP || instant > latest) return 0;
  store<u64>(record, instant, TIMESTAMP);
  store<u32>(record, load<u32>(record, FLAGS) | FLAG_TIMESTAMP, FLAGS);
  return end + 1;
}

/** Digits alone: a sign, a fraction or an exponent is the other path's. What follows them is checked by the caller. */
function scanExpectedVersion(start: usize, record: usize): usize {
  let p = start;
  let value: u64 = 0;
  let digit: u32 = <u32>load<u8>(p) - 0x30;
  if (digit == 0 && <u32>load<u8>(p, 1) - 0x30 < 10) return 0;
  for (; digit < 10; digit = <u32>load<u8>(++p) - 0x30) {
    if (p - start >= VERSION_DIGITS_MAX) return 0;
    value = value * 10 + digit;
  }
  if (p == start) return 0;
  store<u64>(record, value, EXPECTED_VERSION);
  store<u32>(record, load<u32>(record, FLAGS) | FLAG_EXPECTED_VERSION, FLAGS);
  return p;
}
