/**
 * Gives the events of the event table their versions: the first step of a commit. The entity table holds the newest state as placed, also of
 * what is not durable yet. Nothing else is kept to take it back: each placed event knows its own version and the position of
 * its entity's event before it, so an event is undone by putting back (version - 1, that position), newest first. Within a commit that
 * is read from the event table; of commits on their way to the disk it is read from their frames (frame-fold.ts).
 *
 * Invariants: versions are gapless for each entity (I-3); after a conflict the entity table is as it was before.
 */
import {
  answerAt,
  CONTEXT_HASH,
  CONTEXT_TENANT,
  ENTITY_AT,
  ENTITY_BYTES,
  EVENT_BYTES,
  eventTable,
  EXPECTED_VERSION,
  FLAG_EXPECTED_VERSION,
  FLAGS,
  HASH,
  INPUT,
  PREVIOUS_POSITION,
  VERSION,
} from './layout';
import {
  findEntity,
  findOrAddEntity,
  removeEntity,
  SLOT_POSITION,
  SLOT_VERSION,
} from './entity-table';
import { hashInto, setHashPrefix } from './sip-hash';

/** All events were placed. */
const PLACED: i32 = -1;
/** The entity table cannot grow. */
const TABLE_FULL: i32 = -2;

let conflictVersion: u64 = 0;
let foundPosition: u64 = 0;

/** The version that the entity of a conflict is at. */
export function currentVersion(): f64 {
  return <f64>conflictVersion;
}

/**
 * Names whose entities follow: the context holds the space, the number of bytes of the tenant, and the tenant, padded with zeros to
 * `bytes`, a multiple of 8.
 */
export function selectTenant(bytes: usize): void {
  setHashPrefix(CONTEXT_TENANT, bytes);
}

/** Places `count` events from `firstPosition` on. Returns PLACED, TABLE_FULL, or the index of the event whose condition does not hold. */
export function placeEvents(count: i32, firstPosition: f64): i32 {
  const first = <u64>firstPosition;
  for (let index: i32 = 0; index < count; index++) {
    const record = eventTable() + <usize>index * EVENT_BYTES;
    hashInto(record + HASH, INPUT + load<u32>(record, ENTITY_AT), load<u16>(record, ENTITY_BYTES));
    const slot = findOrAddEntity(record + HASH);
    if (slot == 0) {
      undoEvents(index);
      return TABLE_FULL;
    }
    const version = load<u64>(slot, SLOT_VERSION);
    const hasCondition = (load<u32>(record, FLAGS) & FLAG_EXPECTED_VERSION) != 0;
    if (hasCondition && load<u64>(record, EXPECTED_VERSION) != version) {
      if (version == 0) removeEntity(record + HASH);
      undoEvents(index);
      conflictVersion = version;
      return index;
    }
    store<u64>(record, version + 1, VERSION);
    store<u64>(record, load<u64>(slot, SLOT_POSITION), PREVIOUS_POSITION);
    store<u64>(slot, version + 1, SLOT_VERSION);
    store<u64>(slot, first + <u64>index, SLOT_POSITION);
  }
  return PLACED;
}

/** Takes back the first `count` events of the event table, the last of them first. */
export function undoEvents(count: i32): void {
  for (let index = count - 1; index >= 0; index--) {
    const record = eventTable() + <usize>index * EVENT_BYTES;
    undoEvent(record + HASH, load<u64>(record, VERSION), load<u64>(record, PREVIOUS_POSITION));
  }
}

/** Takes back the newest event of an entity. */
export function undoEvent(hash: usize, version: u64, previousPosition: u64): void {
  if (version == 1) {
    removeEntity(hash);
    return;
  }
  const slot = findEntity(hash);
  if (slot == 0) return;
  store<u64>(slot, version - 1, SLOT_VERSION);
  store<u64>(slot, previousPosition, SLOT_POSITION);
}

/**
 * Looks up the entity of the selected tenant whose id, `bytes` bytes, stands where answers are made; leaves input and event table alone. Returns
 * its version as placed, 0 when it is unknown.
 */
export function lookUp(bytes: usize): f64 {
  hashInto(CONTEXT_HASH, answerAt(), bytes);
  const slot = findEntity(CONTEXT_HASH);
  foundPosition = slot == 0 ? 0 : load<u64>(slot, SLOT_POSITION);
  return slot == 0 ? 0 : <f64>load<u64>(slot, SLOT_VERSION);
}

/** The position of the newest event, as placed, of the entity that was looked up last. */
export function lookedUpPosition(): f64 {
  return <f64>foundPosition;
}
