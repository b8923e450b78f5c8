/**
 * Frames and the entity table: folding a durable frame in (recovery), and taking back a frame that will never be durable. The frame lies in the
 * frame region; its tenant has been selected. Both rest on what each span says of its entity: its version, and the position before.
 */
import { CONTEXT_HASH, frameAt } from './layout';
import { findOrAddEntity, SLOT_POSITION, SLOT_VERSION } from './entity-table';
import { undoEvent } from './placement';
import { hashInto } from './sip-hash';

const SPAN_BYTES: usize = 64;

function textOf(frame: usize): usize {
  return frame + load<u32>(frame, 44);
}

function spansOf(frame: usize): usize {
  return textOf(frame) - <usize>load<u32>(frame, 40) * SPAN_BYTES;
}

function hashOf(span: usize, text: usize): usize {
  hashInto(CONTEXT_HASH, text + load<u32>(span, 40) + load<u16>(span, 52), load<u16>(span, 54));
  return CONTEXT_HASH;
}

/** Folds the frame in. Returns false when the entity table cannot grow. */
export function applyFrame(): bool {
  const frame = frameAt();
  const text = textOf(frame);
  let position = load<u64>(frame, 16);
  for (let span = spansOf(frame); span < text; span += SPAN_BYTES) {
    const slot = findOrAddEntity(hashOf(span, text));
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
    undoEvent(hashOf(span, text), load<u64>(span, 24), load<u64>(span, 32));
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
