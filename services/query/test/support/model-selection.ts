/** What a selection of the history should find, computed in the plainest way from a list of all events. */
import { type Micros, micros, position } from '@allsource/shared/model';
import type { EventSelection, StoredEvent } from '../../src/history/event-history.ts';
import { type GeneratedLog, type ModelEvent, TENANTS, TYPES } from './generated-log.ts';
import type { Random } from './random.ts';

/** A stored event as plain values, read one by one. */
export function plain(event: StoredEvent): ModelEvent {
  return {
    position: event.position,
    id: event.id,
    tenant: event.tenant,
    type: event.type,
    entity: event.entity,
    version: event.version,
    partition: event.partition,
    timestamp: event.timestamp,
    recordedAt: event.recordedAt,
    payload: event.payload().toString(),
    metadata: event.metadata()?.toString() ?? null,
  };
}

export function modelSelect(events: readonly ModelEvent[], wanted: EventSelection): ModelEvent[] {
  return events.filter(
    (event) =>
      event.tenant === wanted.tenant &&
      (wanted.entity === undefined || event.entity === wanted.entity) &&
      (wanted.type === undefined || event.type === wanted.type) &&
      (wanted.typePrefix === undefined || event.type.startsWith(wanted.typePrefix)) &&
      !(wanted.excludedTypePrefixes ?? []).some((prefix) => event.type.startsWith(prefix)) &&
      (wanted.since === undefined || event.timestamp >= wanted.since) &&
      (wanted.until === undefined || event.timestamp <= wanted.until) &&
      (wanted.recordedUntil === undefined || event.recordedAt <= wanted.recordedUntil) &&
      (wanted.afterPosition === undefined || event.position > wanted.afterPosition) &&
      (wanted.untilPosition === undefined || event.position <= wanted.untilPosition),
  );
}

export function randomSelection(random: Random, log: GeneratedLog): EventSelection {
  const maybe = <T>(value: T): T | undefined => (random.chance(0.35) ? value : undefined);
  const time = (): Micros => micros(random.pick(log.events).timestamp);
  return {
    tenant: random.pick([...TENANTS, 'nobody']),
    entity: maybe(random.pick([random.pick(log.events).entity, 'unknown'])),
    type: maybe(random.pick([...TYPES, 'unknown'])),
    typePrefix: maybe(random.pick(['order.', 'user', 'x'])),
    excludedTypePrefixes: maybe([random.pick(['order.p', 'note'])]),
    since: maybe(time()),
    until: maybe(time()),
    recordedUntil: maybe(micros(random.pick(log.events).recordedAt)),
    afterPosition: maybe(position(random.below(log.head + 2))),
    untilPosition: maybe(position(random.below(log.head + 2))),
  };
}
