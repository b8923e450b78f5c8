/**
 * One pass over a request of events as JSON: validates it, notes where each event's members begin, hashes its entity to 64 bits and counts that entity's
 * version. A second pass over what it noted writes the answer. AssemblyScript: compiled to WebAssembly by ../compile-probe.ts.
 *
 * It measures what the machine allows and is no store: it knows neither escapes in names nor duplicate keys, does not check UTF-8, trusts the sizes of
 * what it gets, never grows its table and takes two entities with one hash for one. Addresses are in bytes of linear memory.
 */
export const INPUT_AT: usize = 1 << 20;
export const INPUT_BYTES_MAX: u32 = 7 << 20;
/** 16 bytes an event: where type, entity, payload and metadata begin. This is what goes into the file. */
export const STARTS_AT: usize = 8 << 20;
/** 32 bytes an event: the lengths of these four, the entity's hash, its version, the type's hash. */
export const PLACES_AT: usize = 10 << 20;
export const ANSWER_AT: usize = 14 << 20;
/** The entity table, open addressing, 16 bytes a slot: hash, version. */
const TABLE_AT: usize = 32 << 20;
const TABLE_SLOTS: u32 = 1 << 22;
/** The texts of an answer; the server writes them here. */
export const TIMESTAMP_AT: usize = 120 << 20;
export const ID_TEXT_AT: usize = TIMESTAMP_AT + 64;
export const TIMESTAMP_TEXT_AT: usize = TIMESTAMP_AT + 80;
export const VERSION_TEXT_AT: usize = TIMESTAMP_AT + 96;
const TIMESTAMP_BYTES = 24;
const ID_TEXT_BYTES = 13; // {"event_id":"
const TIMESTAMP_TEXT_BYTES = 15; // ","timestamp":"
const VERSION_TEXT_BYTES = 12; // ","version":
const DEPTH_MAX = 64;

let at: usize = 0;
let end: usize = 0;

/** Scans a batch, {"events":[...]}, or one event. Returns the number of events, or -1 when the request is not of that form. */
export function scan(bytes: u32, isBatch: bool): i32 {
  at = INPUT_AT;
  end = INPUT_AT + bytes;
  skipSpace();
  if (!isBatch) return event(0) && isAtEnd() ? 1 : -1;
  if (!takes(0x7b) || !str() || !takes(0x3a) || !takes(0x5b)) return -1;
  let count = 0;
  do {
    skipSpace();
    if (!event(count)) return -1;
    count++;
  } while (takes(0x2c));
  return takes(0x5d) && takes(0x7d) && isAtEnd() ? count : -1;
}

function event(index: u32): bool {
  if (!takes(0x7b)) return false;
  const starts = STARTS_AT + index * 16;
  const places = PLACES_AT + index * 32;
  memory.fill(starts, 0, 16);
  memory.fill(places, 0, 32);
  do {
    skipSpace();
    const name = at + 1;
    if (!str()) return false;
    const nameBytes = at - 1 - name;
    if (!takes(0x3a)) return false;
    skipSpace();
    const value = at;
    if (!json(0)) return false;
    const member = memberOf(load<u32>(name), nameBytes);
    if (member < 0) continue;
    // Of type and entity, what stands between the quotes counts.
    const quote: u32 = member < 2 ? 1 : 0;
    store<u32>(starts + member * 4, <u32>(value - INPUT_AT) + quote);
    store<u32>(places + member * 4, <u32>(at - value) - 2 * quote);
  } while (takes(0x2c));
  if (!takes(0x7d)) return false;
  return place(starts, places);
}

/** Which member a name is, by its first four letters and its length: 0 type, 1 entity, 2 payload, 3 metadata, -1 another. */
function memberOf(letters: u32, nameBytes: usize): i32 {
  if (letters == 0x6e657665 && nameBytes == 10) return 0;
  if (letters == 0x69746e65 && nameBytes == 9) return 1;
  if (letters == 0x6c796170 && nameBytes == 7) return 2;
  if (letters == 0x6174656d && nameBytes == 8) return 3;
  return -1;
}

/** Counts the entity's version. */
function place(starts: usize, places: usize): bool {
  const typeBytes = load<i32>(places);
  const entityBytes = load<i32>(places, 4);
  if (typeBytes <= 0 || entityBytes <= 0 || load<i32>(places, 8) <= 0) return false;
  const key = hash(INPUT_AT + load<u32>(starts, 4), entityBytes);
  store<u64>(places, key, 16);
  store<u32>(places, nextVersion(key), 24);
  store<u32>(places, <u32>hash(INPUT_AT + load<u32>(starts), typeBytes), 28);
  return true;
}

function nextVersion(key: u64): u32 {
  for (let slot = <u32>key & (TABLE_SLOTS - 1); ; slot = (slot + 1) & (TABLE_SLOTS - 1)) {
    const entry = TABLE_AT + <usize>slot * 16;
    const known = load<u64>(entry);
    if (known != key && known != 0) continue;
    const version = known == 0 ? 1 : load<u32>(entry, 8) + 1;
    store<u64>(entry, key);
    store<u32>(entry, version, 8);
    return version;
  }
}

function hash(from: usize, bytes: i32): u64 {
  let state: u64 = 0x9e3779b185ebca87;
  let done = 0;
  for (; done + 8 <= bytes; done += 8)
    state = rotr((state ^ load<u64>(from + done)) * 0xc2b2ae3d27d4eb4f, 29);
  let rest: u64 = 0;
  for (let shift: u64 = 0; done < bytes; done++, shift += 8)
    rest |= (<u64>load<u8>(from + done)) << shift;
  state = (state ^ rest ^ <u64>bytes) * 0x165667b19e3779f9;
  state = (state ^ (state >> 32)) * 0xc2b2ae3d27d4eb4f;
  return state ^ (state >> 29);
}

function json(depth: i32): bool {
  if (depth > DEPTH_MAX) return false;
  skipSpace();
  switch (load<u8>(at)) {
    case 0x22:
      return str();
    case 0x7b:
      return object(depth);
    case 0x5b:
      return array(depth);
    case 0x74:
      return word(load<u32>(at) == 0x65757274, 4); // true
    case 0x66:
      return word(load<u32>(at, 1) == 0x65736c61, 5); // false
    case 0x6e:
      return word(load<u32>(at) == 0x6c6c756e, 4); // null
    default:
      return num();
  }
}

function object(depth: i32): bool {
  at++;
  if (takes(0x7d)) return true;
  do {
    skipSpace();
    if (load<u8>(at) != 0x22 || !str() || !takes(0x3a) || !json(depth + 1)) return false;
  } while (takes(0x2c));
  return takes(0x7d);
}

function array(depth: i32): bool {
  at++;
  if (takes(0x5d)) return true;
  do if (!json(depth + 1)) return false;
  while (takes(0x2c));
  return takes(0x5d);
}

/** Passes a string, from its opening quote to behind its closing one; 16 bytes at a time as long as none of them is special. */
function str(): bool {
  at++;
  while (true) {
    if (at + 16 <= end) {
      const bytes = v128.load(at);
      const quotes = i8x16.eq(bytes, i8x16.splat(0x22));
      const escapes = i8x16.eq(bytes, i8x16.splat(0x5c));
      const controls = i8x16.lt_u(bytes, i8x16.splat(0x20));
      const special = i8x16.bitmask(v128.or(v128.or(quotes, escapes), controls));
      if (special == 0) {
        at += 16;
        continue;
      }
      at += ctz(special);
    }
    if (at >= end) return false;
    const byte = load<u8>(at);
    if (byte < 0x20) return false;
    if (byte == 0x22) {
      at++;
      return true;
    }
    if (byte == 0x5c) at += load<u8>(at, 1) == 0x75 ? 6 : 2;
    else at++;
  }
}

function num(): bool {
  if (load<u8>(at) == 0x2d) at++;
  if (load<u8>(at) == 0x30) at++;
  else if (!digits()) return false;
  if (load<u8>(at) == 0x2e) {
    at++;
    if (!digits()) return false;
  }
  if ((load<u8>(at) | 0x20) != 0x65) return true;
  at++;
  if (load<u8>(at) == 0x2b || load<u8>(at) == 0x2d) at++;
  return digits();
}

function digits(): bool {
  const from = at;
  while (at < end && <u32>load<u8>(at) - 0x30 < 10) at++;
  return at > from;
}

function word(isIt: bool, bytes: usize): bool {
  at += bytes;
  return isIt;
}

/** Passes space and then the byte, if that is what comes. */
function takes(byte: u8): bool {
  skipSpace();
  if (load<u8>(at) != byte) return false;
  at++;
  return true;
}

function skipSpace(): void {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return;
    at++;
  }
}

function isAtEnd(): bool {
  skipSpace();
  return at == end;
}

/** Writes {"event_id":"...","timestamp":"...","version":N} for each event, with commas between. Returns the bytes written. */
export function answer(count: i32, milliseconds: u64, seed: u64): i32 {
  let to = ANSWER_AT;
  for (let index = 0; index < count; index++) {
    if (index > 0) {
      store<u8>(to, 0x2c);
      to++;
    }
    to = copied(to, ID_TEXT_AT, ID_TEXT_BYTES);
    to = eventId(to, milliseconds, seed + <u64>index * 0x9e3779b97f4a7c15);
    to = copied(to, TIMESTAMP_TEXT_AT, TIMESTAMP_TEXT_BYTES);
    to = copied(to, TIMESTAMP_AT, TIMESTAMP_BYTES);
    to = copied(to, VERSION_TEXT_AT, VERSION_TEXT_BYTES);
    to = decimal(to, load<u32>(PLACES_AT + index * 32, 24));
    store<u8>(to, 0x7d);
    to++;
  }
  return <i32>(to - ANSWER_AT);
}

function copied(to: usize, from: usize, bytes: usize): usize {
  memory.copy(to, from, bytes);
  return to + bytes;
}

/** A UUID of version 7: the time, then what the seed makes. */
function eventId(start: usize, milliseconds: u64, random: u64): usize {
  let to = start;
  for (let byte: u64 = 0; byte < 6; byte++) {
    to = hex(to, <u32>(milliseconds >> (40 - 8 * byte)) & 255);
    if (byte == 3 || byte == 5) to = dash(to);
  }
  to = dash(hex(hex(to, 0x70 | (<u32>(random >> 60) & 15)), <u32>(random >> 48) & 255));
  to = dash(hex(hex(to, 0x80 | (<u32>(random >> 40) & 63)), <u32>(random >> 32) & 255));
  const more = (random ^ (random >> 31)) * 0xbf58476d1ce4e5b9;
  for (let byte: u64 = 0; byte < 6; byte++) to = hex(to, <u32>(more >> (8 * byte)) & 255);
  return to;
}

function hex(to: usize, byte: u32): usize {
  const high = byte >> 4;
  const low = byte & 15;
  store<u8>(to, high < 10 ? 0x30 + high : 0x57 + high);
  store<u8>(to, low < 10 ? 0x30 + low : 0x57 + low, 1);
  return to + 2;
}

function dash(to: usize): usize {
  store<u8>(to, 0x2d);
  return to + 1;
}

function decimal(to: usize, value: u32): usize {
  let length: usize = 1;
  for (let rest = value; rest >= 10; rest /= 10) length++;
  let rest = value;
  for (let digit = to + length - 1; digit >= to; digit--) {
    store<u8>(digit, 0x30 + (rest % 10));
    rest /= 10;
  }
  return to + length;
}
