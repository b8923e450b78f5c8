/**
 * Frames and the entity table: folding a durable frame in (recovery), and taking back a frame that will never be durable. The frame lies in the
 * frame region; its tenant has been selected. Both rest on what each span says of its entity: its version, and the position before.
 */
import { CONTEXT_HASH, FOLD_HASHES, frameAt } from './layout';
import { findOrAddEntity, SLOT_POSITION, SLOT_VERSION, touchEntity } from './entity-table';
import { undoEvent } from './placement';
import { hashInto } from './sip-hash';

const SPAN_BYTES: usize = 64;
const FOLDED_AT_ONCE: usize = 64;

function textOf(frame: usize): usize {
  return frame + load<u32>(frame, 44);
}

function spansOf(frame: usize): usize {
  return textOf(frame) - <usize>load<u32>(frame, 40) * SPAN_BYTES;
}

function hashSpan(target: usize, span: usize, text: usize): void {
  hashInto(target, text + load<u32>(span, 40) + load<u16>(span, 52), load<u16>(span, 54));
}

/** Folds the frame in. Returns false when the entity table cannot grow. */
export function applyFrame(): bool {
  const frame = frameAt();
  const text = textOf(frame);
  let position = load<u64>(frame, 16);
  for (let span = spansOf(frame); span < text; span += FOLDED_AT_ONCE * SPAN_BYTES) {
    const end = min(span + FOLDED_AT_ONCE * SPAN_BYTES, text);
    if (!foldSpans(span, end, text, position)) return false;
    position += (end - span) / SPAN_BYTES;
  }
  return true;
}

/**
 * A large table lies in main memory, and to wait for one slot after the other takes most of the time of a fold. So the slots of some spans are asked for
 * one right behind the other, which lets the processor fetch them side by side, before any is worked on.
 */
function foldSpans(first: usize, end: usize, text: usize, firstPosition: u64): bool {
  let hash = FOLD_HASHES;
  for (let span = first; span < end; span += SPAN_BYTES, hash += 16) hashSpan(hash, span, text);
  let seen: u64 = 0;
  for (let at = FOLD_HASHES; at < hash; at += 16) seen |= touchEntity(at);
  store<u64>(CONTEXT_HASH, seen);
  let position = firstPosition;
  hash = FOLD_HASHES;
  for (let span = first; span < end; span += SPAN_BYTES, hash += 16) {
    const slot = findOrAddEntity(hash);
    if (slot == 0) return false;
    store<u64>(slot, load<u64>(span, 24), SLOT_VERSION);
    store<u64>(slot, position, SLOT_POSITION);
    position++;
  }
  return true;
}

/** Takes the frame back. The frames placed after it have been taken back before. */
export function undoFrame(): void {
  const text = textOf(frameAt());
  const spans = spansOf(frameAt());
  for (let span = text - SPAN_BYTES; span >= spans; span -= SPAN_BYTES) {
    hashSpan(CONTEXT_HASH, span, text);
    undoEvent(CONTEXT_HASH, load<u64>(span, 24), load<u64>(span, 32));
  }
}

/** The entities whose first event is in the frame. */
export function newEntities(): u32 {
  const text = textOf(frameAt());
  let count: u32 = 0;
  for (let span = spansOf(frameAt()); span < text; span += SPAN_BYTES)
    count += u32(load<u64>(span, 24) == 1);
  return count;
}
