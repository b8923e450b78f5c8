/** The reads of the in-memory store: queries, entities, the state of one. */
import { problem } from '@allsource/shared/errors';
import { canonicalJson, formatRawMembers, rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, quoted } from '@allsource/shared/model';
import {
  compareEvents,
  type EventQuery,
  matchesEventQuery,
  type Parameters,
  parseEventQuery,
  windowOf,
} from '@allsource/shared/protocol';
import { type MemoryEvent, memoryEventJson, type MemoryLog } from './memory-log.ts';

/** Answers `GET /api/v1/events/query`. A cursor is the number of events passed over, and of this store only. */
export function answerQuery(log: MemoryLog, parameters: Parameters): string {
  const query = parseEventQuery(parameters, LIMITS.pageEventsDefault);
  const sorted = matching(log, query).sort(compareEvents(query.order));
  const cursor = parameters.integer('cursor', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const offset = cursor ?? query.offset;
  const { page, totalCount, hasMore } = windowOf(sorted, { ...query, offset });
  const events = page.map((event) => memoryEventJson(event, true)).join(',');
  const version = query.entity === null ? '' : `,"entity_version":${log.versionOf(query.entity)}`;
  const next = hasMore ? `,"next_cursor":"${offset + page.length}"` : '';
  return `{"events":[${events}],"count":${page.length},"total_count":${totalCount},"has_more":${hasMore}${version}${next},"position":${log.head}}`;
}

function matching(log: MemoryLog, query: EventQuery): MemoryEvent[] {
  return log.events.filter((event) =>
    matchesEventQuery(query, event, () => Buffer.from(event.payload)),
  );
}

/** Answers `GET /api/v1/events/{id}`. */
export function answerEvent(log: MemoryLog, id: string): string {
  const event = log.events.find((one) => one.id === id);
  if (event === undefined) throw problem('event_not_found', `Event ${quoted(id)} not found.`);
  return `{"event":${memoryEventJson(event, true)},"found":true}`;
}

interface EntityRow {
  readonly entity: string;
  readonly events: MemoryEvent[];
}

function entityRows(log: MemoryLog, query: EventQuery): EntityRow[] {
  const rows = new Map<string, EntityRow>();
  for (const event of matching(log, query)) {
    const row = rows.get(event.entity) ?? { entity: event.entity, events: [] };
    row.events.push(event);
    rows.set(event.entity, row);
  }
  for (const { events } of rows.values()) events.sort(compareEvents('asc'));
  return [...rows.values()];
}

/** Answers `GET /api/v1/entities`. */
export function answerEntities(log: MemoryLog, parameters: Parameters): object {
  const query = { ...parseEventQuery(parameters), entity: null, type: null };
  const sign = (parameters.choice('order', ['asc', 'desc']) ?? 'desc') === 'asc' ? 1 : -1;
  const rows = entityRows(log, query)
    .map(({ entity, events }) => ({ entity, count: events.length, last: events.at(-1) }))
    .sort(
      (a, b) =>
        sign * ((a.last?.timestamp ?? 0) - (b.last?.timestamp ?? 0)) ||
        (a.entity < b.entity ? -1 : 1),
    );
  const { page, totalCount, hasMore } = windowOf(rows, query);
  const entities = page.map(({ entity, count, last }) => ({
    entity_id: entity,
    event_count: count,
    last_event_type: last?.type,
    last_event_at: last === undefined ? null : formatTimestamp(last.timestamp),
  }));
  return { entities, total: totalCount, has_more: hasMore };
}

/** Answers `GET /api/v1/entities/duplicates`. */
export function answerDuplicates(log: MemoryLog, parameters: Parameters): string {
  parameters.requiredText('event_type_prefix');
  parameters.requiredText('group_by');
  const fields = parameters.texts('group_by');
  const query = { ...parseEventQuery(parameters), entity: null, type: null, payloadFilter: null };
  const groups = new Map<string, { key: Map<string, string>; entities: string[] }>();
  for (const { entity, events } of entityRows(log, query)) {
    const members = rawMembers(Buffer.from(events.at(-1)?.payload ?? '{}'));
    const key = new Map(fields.map((field) => [field, members?.get(field) ?? 'null']));
    const name = [...key.values()].map((value) => canonicalJson(Buffer.from(value))).join('\n');
    const group = groups.get(name) ?? { key, entities: [] };
    group.entities.push(entity);
    groups.set(name, group);
  }
  const found = [...groups.values()]
    .filter(({ entities }) => entities.length > 1)
    .map(({ key, entities }) => ({ key, entities: entities.sort() }))
    .sort(
      (a, b) =>
        b.entities.length - a.entities.length ||
        ((a.entities[0] ?? '') < (b.entities[0] ?? '') ? -1 : 1),
    );
  const { page, totalCount, hasMore } = windowOf(found, query);
  const rows = page.map(
    ({ key, entities }) =>
      `{"key":${formatRawMembers(key)},"entity_ids":${JSON.stringify(entities)},"count":${entities.length}}`,
  );
  return `{"duplicates":[${rows.join(',')}],"total":${totalCount},"has_more":${hasMore}}`;
}

/** Answers `GET /api/v1/entities/{id}/state`. */
export function answerState(log: MemoryLog, entity: string, parameters: Parameters): object {
  const query = { ...parseEventQuery(parameters), entity };
  const events = matching(log, query).sort(compareEvents('asc'));
  const last = events.at(-1);
  if (last === undefined)
    throw problem('entity_not_found', `The entity ${quoted(entity)} has no events.`);
  const state: Record<string, unknown> = {};
  for (const { payload } of events) {
    const value: unknown = JSON.parse(payload);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      Object.assign(state, value);
  }
  return {
    entity_id: entity,
    last_updated: formatTimestamp(last.timestamp),
    event_count: events.length,
    as_of: parameters.text('as_of'),
    current_state: state,
    history: events.map((event) => ({
      event_id: event.id,
      type: event.type,
      timestamp: formatTimestamp(event.timestamp),
      payload: JSON.parse(event.payload) as unknown,
    })),
  };
}
