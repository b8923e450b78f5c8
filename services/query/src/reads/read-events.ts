import type { Position } from '@allsource/shared/model';
import type { EventQuery } from '@allsource/shared/protocol';
import type { EventHistory, StoredEvent } from '../history/event-history.ts';
import { windowNumbers } from './answer-order.ts';
import { FoundEvents } from './found-events.ts';
import { type Search, visitMatches } from './visit-matches.ts';

/** Which events are wanted, whose, and up to where in the log. */
export interface EventsWanted {
  readonly tenant: string;
  readonly query: EventQuery;
  readonly untilPosition: Position;
}

/** One page of events and what is known of all events meant. */
export interface EventPage {
  /** Events of the page. */
  readonly count: number;
  /** All events meant, before the window. */
  readonly totalCount: number;
  readonly hasMore: boolean;
  /** The events of the page, in the order of the query; cut out of the store one by one. */
  readonly events: Iterable<StoredEvent>;
}

/** Finds the events that a query means. The counts are exact. */
export async function readEvents(history: EventHistory, wanted: EventsWanted): Promise<EventPage> {
  const { query } = wanted;
  const found = await findEvents(history, wanted);
  const rest = Math.max(0, found.count - query.offset);
  const count = query.limit === null ? rest : Math.min(rest, query.limit);
  return {
    count,
    totalCount: found.count,
    hasMore: query.offset + count < found.count,
    events: eventsOf(found, windowNumbers(found, query.order, query)),
  };
}

async function findEvents(history: EventHistory, wanted: EventsWanted): Promise<FoundEvents> {
  const found = new FoundEvents();
  await visitMatches(history, searchOf(wanted), (match) => found.add(match));
  return found;
}

function searchOf({ tenant, query, untilPosition }: EventsWanted): Search {
  const selection = {
    tenant,
    entity: query.entity ?? undefined,
    type: query.type ?? undefined,
    typePrefix: query.typePrefix ?? undefined,
    excludedTypePrefixes: query.excludedTypePrefixes,
    since: query.since ?? undefined,
    until: query.until ?? undefined,
    untilPosition,
  };
  return { selection, payloadFilter: query.payloadFilter };
}

function* eventsOf(found: FoundEvents, numbers: Iterable<number>): Generator<StoredEvent> {
  for (const number of numbers) yield found.event(number);
}
