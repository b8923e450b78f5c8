import { rawMembers } from '@allsource/shared/json';
import type { Micros, Position } from '@allsource/shared/model';
import type { EventHistory, StoredEvent } from '../history/event-history.ts';

/** Which entity, and up to where. */
export interface EntityWanted {
  readonly tenant: string;
  readonly entity: string;
  /** Only events that happened at or before this instant; null = all. */
  readonly asOf: Micros | null;
  readonly untilPosition: Position;
}

/** What an entity's events add up to. */
export interface EntityState {
  /** In stream order. Never empty. */
  readonly events: readonly StoredEvent[];
  readonly lastEvent: StoredEvent;
  /** The payloads' members laid over each other, each value the bytes of the last event that has the member. */
  readonly members: ReadonlyMap<string, string>;
}

/**
 * Folds the events of an entity, in stream order whatever their timestamps say: the order in which they were accepted is the order in
 * which their authors saw the entity. Payloads that are no objects have no members. Null when there is no event.
 */
export function readEntityState(history: EventHistory, wanted: EntityWanted): EntityState | null {
  const { tenant, entity, asOf, untilPosition } = wanted;
  const selection = { tenant, entity, untilPosition, until: asOf ?? undefined };
  const events = [...history.select(selection)];
  const lastEvent = events.at(-1);
  if (lastEvent === undefined) return null;
  const members = new Map<string, string>();
  for (const event of events) {
    for (const [name, value] of rawMembers(event.payload()) ?? []) members.set(name, value);
  }
  return { events, lastEvent, members };
}
