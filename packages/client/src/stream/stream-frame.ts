import { parseStoredEventObject, type StoredEvent } from '../events/stored-event.ts';
import { badAnswer } from '../http/allsource-error.ts';
import { isRecord } from '../http/is-record.ts';
import { numberMember, objectMember, parseObject, type WireObject } from '../http/wire.ts';

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
      return eventFrame('live', frame);
    case 'replay':
      return replayFrame(frame);
    case 'replay_complete':
      return { kind: 'caught_up', replayed: numberMember(frame, 'replayed') };
    case 'lagged':
      return { kind: 'lagged', missed: numberMember(frame, 'missed') };
    default:
      return { kind: 'other' };
  }
}

function replayFrame(frame: WireObject): StreamFrame {
  if (!isRecord(frame['event'])) throw badAnswer('a replayed event is missing');
  const replayed = eventFrame('replay', objectMember(frame, 'event'));
  return { ...replayed, position: numberMember(frame, 'position') };
}

// A live event is bare; its position is in its id.
function eventFrame(
  phase: 'replay' | 'live',
  object: WireObject,
): Extract<StreamFrame, { kind: 'event' }> {
  const event = parseStoredEventObject(object);
  return { kind: 'event', phase, position: event.position, event };
}
