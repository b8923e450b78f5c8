import type { Frame, FrameEvent } from '@allsource/shared/protocol';

// About two milliseconds of folding between two turns of the event loop.
const EVENTS_A_TURN = 128;

/** Frames in stretches that are folded between two turns of the event loop. */
export function* stretchesOf(frames: readonly Frame[]): Generator<readonly Frame[]> {
  let stretch: Frame[] = [];
  let events = 0;
  for (const frame of frames) {
    stretch.push(frame);
    events += frame.eventCount;
    if (events < EVENTS_A_TURN) continue;
    yield stretch;
    stretch = [];
    events = 0;
  }
  if (stretch.length > 0) yield stretch;
}

/** Bytes of the names, payload and metadata of an event. */
export function textBytesOf(event: FrameEvent): number {
  const { typeBytes, entityBytes, payload, metadata } = event;
  return typeBytes.length + entityBytes.length + payload.length + (metadata?.length ?? 0);
}
