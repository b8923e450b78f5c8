import { eventJson, type Frame, type FrameEvent } from '@allsource/shared/protocol';

const TEXTS = new WeakMap<Frame, string[]>();

/** The JSON text of an event. All subscribers of a live frame share one text; it goes when the frame goes. */
export function liveEventText(event: FrameEvent): string {
  const { frame, index } = event;
  let texts = TEXTS.get(frame);
  if (texts === undefined) {
    texts = [];
    TEXTS.set(frame, texts);
  }
  const text = texts[index] ?? eventJson(event);
  texts[index] = text;
  return text;
}
