import { parseStoredEventObject, type StoredEvent } from '../events/stored-event.ts';
import { badAnswer } from '../http/allsource-error.ts';
import { listMember, optionalNumber, textMember, type WireObject } from '../http/wire.ts';

/** A named reader with durable progress. */
export interface Consumer {
  readonly id: string;
  /** The event types it is for: exact, or `order.*`; none: all. */
  readonly eventTypes: readonly string[];
  /** The position up to which everything is dealt with; 0 when nothing is. */
  readonly cursorPosition: number;
}

/** An event and its place in the whole log, which is what a consumer acknowledges. */
export interface PositionedEvent<Event = StoredEvent> {
  readonly position: number;
  readonly event: Event;
}

/** Reads a consumer. */
export function parseConsumer(answer: WireObject): Consumer {
  const filters = answer['event_type_filters'];
  return {
    id: textMember(answer, 'consumer_id'),
    eventTypes: Array.isArray(filters)
      ? filters.filter((filter): filter is string => typeof filter === 'string')
      : [],
    cursorPosition: optionalNumber(answer, 'cursor_position') ?? 0,
  };
}

/** Reads the answer of a poll. */
export function parsePolled(answer: WireObject): PositionedEvent[] {
  return listMember(answer, 'events').map((row) => {
    const event = parseStoredEventObject(row);
    if (event.position === null) throw badAnswer('an event of a consumer has no position');
    return { position: event.position, event };
  });
}
