import { parseStoredEventObject, type StoredEvent } from '../events/stored-event.ts';
import { badAnswer } from '../http/allsource-error.ts';
import { isRecord } from '../http/is-record.ts';
import { numberMember, parseObject, type WireObject } from '../http/wire.ts';

/** What the store says over the WebSocket. */
export type StreamFrame =
  | {
      readonly kind: 'event';
      readonly phase: 'replay' | 'live';
      readonly position: number | null;
      readonly event: StoredEvent;
    }
  | { readonly kind: 'caught_up'; readonly replayed: number }
  | { readonly kind: 'lagged'; readonly missed: number }
  | { readonly kind: 'other' };

/** Reads one message. Frames of a type that is not known are passed over. */
export function parseStreamFrame(data: unknown): StreamFrame {
  if (typeof data !== 'string') return { kind: 'other' };
  const frame = parseObject(data);
  switch (frame['type']) {
    case undefined:
      return eventFrame('live', frame, data);
    case 'replay':
      return replayFrame(frame, data);
    case 'replay_complete':
      return { kind: 'caught_up', replayed: numberMember(frame, 'replayed') };
    case 'lagged':
      return { kind: 'lagged', missed: numberMember(frame, 'missed') };
    default:
      return { kind: 'other' };
  }
}

/** What stands around the event in a replay frame of this store. */
const REPLAY_HEAD = /^\{"type":"replay","position":\d+,"event":(?=\{)/;

/** The position of a replay frame of this store, without parsing it; null for any other message. */
export function replayedPosition(text: string): number | null {
  const digits = /^\{"type":"replay","position":(\d{1,16}),/.exec(text)?.[1];
  return digits === undefined ? null : Number(digits);
}

function replayFrame(frame: WireObject, text: string): StreamFrame {
  if (!isRecord(frame['event'])) throw badAnswer('a replayed event is missing');
  const head = REPLAY_HEAD.exec(text)?.[0];
  const json = head === undefined ? null : text.slice(head.length, -1);
  const replayed = eventFrame('replay', frame['event'], json);
  return { ...replayed, position: numberMember(frame, 'position') };
}

// A live event is bare; its position is in its id.
function eventFrame(
  phase: 'replay' | 'live',
  object: WireObject,
  json: string | null,
): Extract<StreamFrame, { kind: 'event' }> {
  const event = parseStoredEventObject(object, json);
  return { kind: 'event', phase, position: event.position, event };
}
