/**
 * How many events of each type the frame in the frame region holds, so that nobody has to make a string of every event's type to count them. Types
 * are few and mostly come in runs; the rest goes through a small table keyed by the same hash as entities, so that no choice of types makes it slow.
 *
 *     result, at `typeCountsAt`: for each type 4 bytes index of its first event, 4 bytes count
 *     then the table: at least twice as many slots as events, up to SLOT_COUNT_MAX, of 4 bytes: 1 + the type's place in the
 *     result, 0 = free
 */
import { CONTEXT_HASH, frameAt, TYPE_SLOTS } from './layout';
import { hashInto } from './sip-hash';

const SPAN_BYTES: usize = 64;
/** More types than this are not counted here. */
const TYPES_MAX: u32 = 4096;
const SLOT_COUNT_MAX: u32 = 16384;
const RESULT: usize = TYPE_SLOTS;
const SLOTS: usize = RESULT + <usize>TYPES_MAX * 8;

let slotMask: u32 = 0;

export function typeCountsAt(): usize {
  return RESULT;
}

/** Counts; returns the number of types, or -1 when there are too many. */
export function countTypes(): i32 {
  const frame = frameAt();
  const text = frame + load<u32>(frame, 44);
  const count = load<u32>(frame, 40);
  slotMask = min<u32>(SLOT_COUNT_MAX, 1 << (33 - clz(count))) - 1;
  memory.fill(SLOTS, 0, <usize>(slotMask + 1) * 4);
  const spans = text - <usize>count * SPAN_BYTES;
  let types: u32 = 0;
  let entry: usize = 0;
  for (let index: u32 = 0; index < count; index++) {
    const span = spans + <usize>index * SPAN_BYTES;
    if (entry == 0 || !isSameType(span, span - SPAN_BYTES, text)) {
      entry = entryOf(span, spans, text, types);
      if (entry == 0) return -1;
      if (load<u32>(entry, 4) == 0) {
        store<u32>(entry, index);
        types++;
      }
    }
    store<u32>(entry, load<u32>(entry, 4) + 1, 4);
  }
  return types;
}

function isSameType(span: usize, other: usize, text: usize): bool {
  const bytes = load<u16>(span, 52);
  return (
    bytes == load<u16>(other, 52) &&
    memory.compare(text + load<u32>(span, 40), text + load<u32>(other, 40), bytes) == 0
  );
}

/** The result entry of a span's type; a fresh one has the count 0. Returns 0 when the result is full. */
function entryOf(span: usize, spans: usize, text: usize, types: u32): usize {
  hashInto(CONTEXT_HASH, text + load<u32>(span, 40), load<u16>(span, 52));
  let place: u32 = load<u32>(CONTEXT_HASH) & slotMask;
  while (true) {
    const slot = SLOTS + <usize>place * 4;
    const known = load<u32>(slot);
    if (known == 0) {
      if (types == TYPES_MAX) return 0;
      store<u32>(slot, types + 1);
      const fresh = RESULT + <usize>types * 8;
      store<u64>(fresh, 0);
      return fresh;
    }
    const entry = RESULT + <usize>(known - 1) * 8;
    if (isSameType(span, spans + <usize>load<u32>(entry) * SPAN_BYTES, text)) return entry;
    place = (place + 1) & slotMask;
  }
}
