/**
 * (space, tenant, entity) -> version and position of its newest event, as placed; keyed by a 128-bit hash of the name (sip-hash.ts). It
 * only grows, a segment at a time, and no step of its growth touches more than one segment.
 *
 *     hash A, 64 bits: [lane 8][directory 28][.....]      hash B: [...][place in the segment 11]
 *
 *     directory: 2^depth entries       segment: 2048 slots of 32 bytes = one page of memory
 *     +-----------------+              slot 0      8 mark (1)  4 entities  4 depth of the segment
 *                                                4 address of the segment  12 zero
 *     | page number     |--+           slot 1..    8 hash A  8 hash B  8 version  8 position;  hash A 0 = free
 *     | page number     |--+--> page               linear probing from the place that B names
 *     | page number     |-----> page
 *     +-----------------+
 *
 * It is an extendible hash: a segment that holds SEGMENT_ENTITIES_MAX is split in two by the next bit of its address, and the directory, 4 bytes
 * an entry, doubles when a segment is deeper than it. Uniform hashes would fill all segments at the same moment: all of them would split within
 * a short time, and the table would swing between 83 % and 41 % full. Therefore the first four bits of an address are a lane, and the lanes get
 * shares of the hashes that grow by 2^(1/16) from lane to lane. At any time the lanes stand at evenly spread points between two splits, so that the
 * splits come evenly spread too, and the table takes a constant 32 / 0.83 / ln 2 = 56 bytes an entity at any size.
 */
import { answerAt, DIRECTORY, INPUT, LANES, PAGE_BYTES, segmentsAt, SPLIT_SCRATCH } from './layout';

const SLOT_BYTES: usize = 32;
const SLOT_MASK: u32 = 2047;
const SEGMENT_ENTITIES_MAX: u32 = 1700;
const LANE_BITS: u32 = 4;
/** 2^20 entries fill the directory's region; memory ends at 65,536 segments before that. */
const DIRECTORY_DEPTH_MAX: u32 = 20;
/** Memory is taken in steps, for each step makes JavaScript renew its views. */
const GROWTH_PAGES: i32 = 256;
const HEADER_MARK: u64 = 1;
const HEADER_COUNT: usize = 8;
const HEADER_DEPTH: usize = 12;
const HEADER_ADDRESS: usize = 16;
const LANE_STARTS: usize = memory.data<u8>([
  12, 24, 36, 49, 62, 76, 91, 107, 123, 139, 157, 175, 194, 214, 235,
]);

export const SLOT_VERSION: usize = 16;
export const SLOT_POSITION: usize = 24;

let depth: u32 = LANE_BITS;
let nextSegment: usize = 0;
let memoryEnd: usize = 0;
let entities: u32 = 0;

/** Makes the lanes and their first segments. Returns false when there is no memory for them. */
export function makeTable(): bool {
  for (let byte: u32 = 0, lane: u32 = 0; byte < 256; byte++) {
    if (lane < 15 && byte >= load<u8>(LANE_STARTS + lane)) lane++;
    store<u8>(LANES + byte, lane);
  }
  nextSegment = segmentsAt();
  memoryEnd = <usize>memory.size() * PAGE_BYTES;
  for (let lane: usize = 0; lane < 1 << LANE_BITS; lane++) {
    const segment = takeSegment();
    if (segment == 0) return false;
    clearSegment(segment, LANE_BITS, (<u32>lane) << 28);
    store<u32>(DIRECTORY + lane * 4, <u32>(segment / PAGE_BYTES));
  }
  return true;
}

export function entityCount(): u32 {
  return entities;
}

/** Bytes of the table: its segments and its directory. */
export function tableBytes(): f64 {
  return <f64>(nextSegment - segmentsAt()) + <f64>((<usize>4) << depth);
}

export function segmentCount(): u32 {
  return <u32>((nextSegment - segmentsAt()) / PAGE_BYTES);
}

/**
 * Copies the segments from `first` to `end` without their free slots, end to end to where answers are made, which must have room for as many
 * pages. Returns the number of bytes. A segment that is split while others are copied loses entities only to one that comes behind.
 */
export function copySegments(first: u32, end: u32): usize {
  let target = answerAt();
  for (let ordinal = first; ordinal < end; ordinal++) {
    const segment = segmentsAt() + <usize>ordinal * PAGE_BYTES;
    for (let slot = segment; slot < segment + PAGE_BYTES; slot += SLOT_BYTES) {
      if (load<u64>(slot) == 0) continue;
      copySlot(target, slot);
      target += SLOT_BYTES;
    }
  }
  return target - answerAt();
}

/** Makes the table one without segments, which is good for loading only. */
export function beginLoading(): void {
  nextSegment = segmentsAt();
  depth = LANE_BITS;
  entities = 0;
  memory.fill(DIRECTORY, 0, (<usize>4) << LANE_BITS);
}

/**
 * Takes in `bytes` bytes of copied segments, which stand where requests do, in the order they were copied in; a later slot of an entity replaces an earlier
 * one. Returns false when they make no sense or memory is used up.
 */
export function loadSegments(bytes: usize): bool {
  let from = INPUT;
  while (from < INPUT + bytes) {
    const count = load<u32>(from, HEADER_COUNT);
    const end = from + SLOT_BYTES + <usize>count * SLOT_BYTES;
    if (load<u64>(from) != HEADER_MARK || count > SEGMENT_ENTITIES_MAX || end > INPUT + bytes)
      return false;
    if (!loadSegment(from, end)) return false;
    from = end;
  }
  return true;
}

/** Ends the loading. Returns false when segments are missing. */
export function endLoading(): bool {
  for (let entry: usize = 0; entry < (<usize>1) << depth; entry++)
    if (load<u32>(DIRECTORY + entry * 4) == 0) return false;
  return true;
}

function loadSegment(header: usize, end: usize): bool {
  const segmentDepth = load<u32>(header, HEADER_DEPTH);
  const address = load<u32>(header, HEADER_ADDRESS);
  if (segmentDepth < LANE_BITS || segmentDepth > DIRECTORY_DEPTH_MAX) return false;
  while (depth < segmentDepth) if (!doubleDirectory()) return false;
  const span: usize = 1 << (depth - segmentDepth);
  const first = <usize>(address >> (32 - segmentDepth)) * span;
  let known: usize = 0;
  for (let entry = first; entry < first + span; entry++)
    known += usize(load<u32>(DIRECTORY + entry * 4) != 0);
  if (known != 0 && known != span) return false;
  for (let slot = header + SLOT_BYTES; slot < end; slot += SLOT_BYTES) {
    const isElsewhere = (addressOf(load<u64>(slot)) ^ address) >> (32 - segmentDepth) != 0;
    if (load<u64>(slot) <= HEADER_MARK || isElsewhere) return false;
  }
  return known == 0 ? placeSegment(header, end, first, span) : addSlots(header, end);
}

/** A segment that nothing was loaded for yet: its slots are put into a page of their own. */
function placeSegment(header: usize, end: usize, first: usize, span: usize): bool {
  const segment = takeSegment();
  if (segment == 0) return false;
  clearSegment(segment, load<u32>(header, HEADER_DEPTH), load<u32>(header, HEADER_ADDRESS));
  const count = load<u32>(header, HEADER_COUNT);
  store<u32>(segment, count, HEADER_COUNT);
  entities += count;
  for (let slot = header + SLOT_BYTES; slot < end; slot += SLOT_BYTES)
    copySlot(probe(segment, load<u64>(slot), load<u64>(slot, 8)), slot);
  for (let entry = first; entry < first + span; entry++)
    store<u32>(DIRECTORY + entry * 4, <u32>(segment / PAGE_BYTES));
  return true;
}

/** A segment that was split off while the table was copied: one that was copied before holds older slots of the same entities. */
function addSlots(header: usize, end: usize): bool {
  for (let from = header + SLOT_BYTES; from < end; from += SLOT_BYTES) {
    const slot = findOrAddEntity(from);
    if (slot == 0) return false;
    copySlot(slot, from);
  }
  return true;
}

function copySlot(target: usize, source: usize): void {
  v128.store(target, v128.load(source));
  v128.store(target, v128.load(source, 16), 16);
}

function takeSegment(): usize {
  if (nextSegment == memoryEnd) {
    const pages = min(GROWTH_PAGES, 65536 - memory.size());
    if (pages <= 0 || memory.grow(pages) == -1) return 0;
    memoryEnd += <usize>pages * PAGE_BYTES;
    // The last page is left alone: its end would be address 0.
    if (memoryEnd == 0) memoryEnd -= PAGE_BYTES;
  }
  const segment = nextSegment;
  nextSegment += PAGE_BYTES;
  return segment;
}

function clearSegment(segment: usize, itsDepth: u32, address: u32): void {
  memory.fill(segment, 0, PAGE_BYTES);
  store<u64>(segment, HEADER_MARK);
  store<u32>(segment, itsDepth, HEADER_DEPTH);
  store<u32>(segment, address, HEADER_ADDRESS);
}

/** The bits that lead to a segment, from the highest. */
function addressOf(a: u64): u32 {
  return ((<u32>load<u8>(LANES + <usize>(a >> 56))) << 28) | <u32>((a >> 28) & 0xfffffff);
}

// 0 and 1 as a first word mean a free slot and a segment's header.
function wordA(hash: usize): u64 {
  const a = load<u64>(hash);
  return a > HEADER_MARK ? a : a + 2;
}

function segmentOf(address: u32): usize {
  return <usize>load<u32>(DIRECTORY + <usize>(address >> (32 - depth)) * 4) * PAGE_BYTES;
}

/** The slot of a hash, or the free slot where it would go; they differ in their first word. There is always a free slot. */
function probe(segment: usize, a: u64, b: u64): usize {
  let place: u32 = <u32>b & SLOT_MASK;
  while (true) {
    const slot = segment + <usize>place * SLOT_BYTES;
    const found = load<u64>(slot);
    if (found == 0 || (found == a && load<u64>(slot, 8) == b)) return slot;
    place = (place + 1) & SLOT_MASK;
  }
}

/** The first word of the slot where the entity's search begins: asked for so that it is at hand when the search comes. */
export function touchEntity(hash: usize): u64 {
  const segment = segmentOf(addressOf(wordA(hash)));
  return load<u64>(segment + <usize>(load<u32>(hash, 8) & SLOT_MASK) * SLOT_BYTES);
}

/** The slot of the entity whose hash stands at `hash`; 0 when it is unknown. */
export function findEntity(hash: usize): usize {
  const a = wordA(hash);
  const slot = probe(segmentOf(addressOf(a)), a, load<u64>(hash, 8));
  return load<u64>(slot) == 0 ? 0 : slot;
}

/** The same, but a new entity gets a slot with version 0 and position 0. Returns 0 when memory is used up. */
export function findOrAddEntity(hash: usize): usize {
  const a = wordA(hash);
  const b = load<u64>(hash, 8);
  const address = addressOf(a);
  const segment = segmentOf(address);
  const slot = probe(segment, a, b);
  if (load<u64>(slot) != 0) return slot;
  const count = load<u32>(segment, 8);
  if (count >= SEGMENT_ENTITIES_MAX) return split(segment, address) ? findOrAddEntity(hash) : 0;
  store<u32>(segment, count + 1, 8);
  entities++;
  store<u64>(slot, a);
  store<u64>(slot, b, 8);
  return slot;
}

/** Takes an entity out again. The slots behind it move up, so that every chain of probes stays without a gap. */
export function removeEntity(hash: usize): void {
  const a = wordA(hash);
  const segment = segmentOf(addressOf(a));
  const slot = probe(segment, a, load<u64>(hash, 8));
  if (load<u64>(slot) == 0) return;
  store<u32>(segment, load<u32>(segment, 8) - 1, 8);
  entities--;
  let gap: u32 = <u32>((slot - segment) / SLOT_BYTES);
  for (let place = (gap + 1) & SLOT_MASK; ; place = (place + 1) & SLOT_MASK) {
    const from = segment + <usize>place * SLOT_BYTES;
    if (place == 0) continue; // The header stays where it is.
    if (load<u64>(from) == 0) break;
    const home: u32 = <u32>load<u64>(from, 8) & SLOT_MASK;
    // It may move into the gap unless it would then stand before its home.
    if (((place - home) & SLOT_MASK) < ((place - gap) & SLOT_MASK)) continue;
    memory.copy(segment + <usize>gap * SLOT_BYTES, from, SLOT_BYTES);
    gap = place;
  }
  memory.fill(segment + <usize>gap * SLOT_BYTES, 0, SLOT_BYTES);
}

/** Moves the half of a segment's entities whose next address bit is 1 to a segment of their own. Returns false when memory is used up. */
function split(segment: usize, address: u32): bool {
  const segmentDepth = load<u32>(segment, 12);
  if (segmentDepth == depth && !doubleDirectory()) return false;
  const other = takeSegment();
  if (other == 0) return false;
  memory.copy(SPLIT_SCRATCH, segment, PAGE_BYTES);
  const lower = load<u32>(SPLIT_SCRATCH, HEADER_ADDRESS);
  clearSegment(segment, segmentDepth + 1, lower);
  clearSegment(other, segmentDepth + 1, lower | (0x80000000 >> segmentDepth));
  for (
    let from = SPLIT_SCRATCH + SLOT_BYTES;
    from < SPLIT_SCRATCH + PAGE_BYTES;
    from += SLOT_BYTES
  ) {
    const a = load<u64>(from);
    if (a == 0) continue;
    const isUpper = ((addressOf(a) << segmentDepth) & 0x80000000) != 0;
    const target = isUpper ? other : segment;
    memory.copy(probe(target, a, load<u64>(from, 8)), from, SLOT_BYTES);
    store<u32>(target, load<u32>(target, 8) + 1, 8);
  }
  // All entries of the segment lie side by side; the upper half of them leads to the other segment.
  const span: usize = 1 << (depth - segmentDepth);
  const first: usize = (<usize>address >> (32 - segmentDepth)) * span;
  for (let entry = first + span / 2; entry < first + span; entry++) {
    store<u32>(DIRECTORY + entry * 4, <u32>(other / PAGE_BYTES));
  }
  return true;
}

function doubleDirectory(): bool {
  if (depth == DIRECTORY_DEPTH_MAX) return false;
  for (let entry: i32 = (1 << depth) - 1; entry >= 0; entry--) {
    const page = load<u32>(DIRECTORY + <usize>entry * 4);
    store<u32>(DIRECTORY + <usize>entry * 8, page);
    store<u32>(DIRECTORY + <usize>entry * 8, page, 4);
  }
  depth++;
  return true;
}
