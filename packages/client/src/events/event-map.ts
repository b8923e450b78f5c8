import type { NewEvent } from './append.ts';
import type { StoredEvent } from './stored-event.ts';

/** The events of a store that says nothing about its types: any type, payloads unknown. */
export type AnyEvents = Record<string, unknown>;

/** The event types of an event map: an object type whose members are the payloads by event type. */
export type EventTypeOf<Events extends object> = Extract<keyof Events, string>;

/**
 * The stored events of a map as a union that `eventType` tells apart.
 *
 * @example
 * ```ts
 * type Events = { 'order.placed': { total: number }; 'order.paid': { by: string } };
 *
 * function describe(event: EventOf<Events>): string {
 *   switch (event.eventType) {
 *     case 'order.placed':
 *       return `placed for ${event.payload.total}`;
 *     case 'order.paid':
 *       return `paid by ${event.payload.by}`;
 *   }
 * }
 * ```
 */
export type EventOf<
  Events extends object,
  Type extends EventTypeOf<Events> = EventTypeOf<Events>,
> = { [K in Type]: StoredEvent<K, Events[K]> }[Type];

/** The events of a map as they are appended. */
export type NewEventOf<Events extends object> = {
  [K in EventTypeOf<Events>]: NewEvent<K, Events[K]>;
}[EventTypeOf<Events>];

/**
 * Turns an event as it came into an event of the map, or throws. Without one the types are what you say they are: payloads are not looked at.
 */
export type EventParser<Events extends object> = (event: StoredEvent) => EventOf<Events>;

/** Reads events through the caller's parser; without one the caller's word is taken for their types. */
export function typed<Events extends object>(
  event: StoredEvent,
  parse: EventParser<Events> | undefined,
): EventOf<Events> {
  return parse === undefined ? (event as EventOf<Events>) : parse(event);
}
