/**
 * The answers of an append. Existing AllSource clients read different members of them, so they are supersets: the flat members
 * for some, `data` for others.
 */
import { formatTimestamp } from '@allsource/shared/model';
import { eventMembersJson, type Frame, type FrameEvent } from '@allsource/shared/protocol';

function acknowledgement(event: FrameEvent): string {
  return `"event_id":"${event.id}","timestamp":"${formatTimestamp(event.timestamp)}","version":${event.version}`;
}

/** The answer to a single append. */
export function singleAnswer(frame: Frame): string {
  const event = frame.event(0);
  return `{${acknowledgement(event)},"position":${event.position},"data":{"event_id":"${event.id}",${eventMembersJson(event)}}}`;
}

/**
 * The answer to a batch append, in input order. `data` repeats the acknowledgements, or holds whole events when the caller asked for them
 * (`Prefer: return=representation`).
 */
export function batchAnswer(frame: Frame | null, isRepresentation: boolean): string {
  if (frame === null) return '{"total":0,"ingested":0,"count":0,"events":[],"data":[]}';
  const events = [...frame.events()];
  const acknowledged = events.map((event) => `{${acknowledgement(event)}}`).join(',');
  const data = isRepresentation
    ? events.map((event) => `{"event_id":"${event.id}",${eventMembersJson(event)}}`).join(',')
    : acknowledged;
  const count = frame.eventCount;
  return `{"total":${count},"ingested":${count},"count":${count},"events":[${acknowledged}],"data":[${data}]}`;
}
