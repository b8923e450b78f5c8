/** What the Rust SDK decodes: the members it requires, and those it takes when they are there. */
import {
  boolean,
  integer,
  list,
  type Members,
  membersOf,
  optional,
  present,
  text,
} from './shape.ts';
import { SdkDecodeError } from './transport.ts';

export interface RustEvent {
  readonly id: string;
  readonly eventType: string;
  readonly entityId: string;
  readonly payload: unknown;
  readonly metadata: unknown;
  readonly timestamp: string;
  readonly version: number | null;
  readonly tenantId: string | null;
}

export function rustEvent(value: unknown): RustEvent {
  const event = membersOf(value, 'an event');
  return {
    id: text(event, 'id'),
    eventType: text(event, 'event_type'),
    entityId: text(event, 'entity_id'),
    payload: present(event, 'payload'),
    metadata: event['metadata'] ?? null,
    timestamp: text(event, 'timestamp'),
    version: optional(event, 'version', integer),
    tenantId: optional(event, 'tenant_id', text),
  };
}

export interface RustEvents {
  readonly events: readonly RustEvent[];
  readonly count: number;
  readonly totalCount: number | null;
  readonly hasMore: boolean | null;
}

/** `events` has the alias `data`: serde takes either, and refuses both together as a duplicate field. */
export function rustEvents(value: unknown): RustEvents {
  const answer = membersOf(value, 'the answer');
  if ('events' in answer && 'data' in answer) throw new SdkDecodeError('duplicate field `events`');
  return {
    events: list(answer, 'events' in answer ? 'events' : 'data', rustEvent),
    count: integer(answer, 'count'),
    totalCount: optional(answer, 'total_count', integer),
    hasMore: optional(answer, 'has_more', boolean),
  };
}

export interface RustIngested {
  readonly eventId: string;
  readonly timestamp: string;
  readonly version: number | null;
}

export function rustIngested(value: unknown): RustIngested {
  const answer = membersOf(value, 'the answer');
  return {
    eventId: text(answer, 'event_id'),
    timestamp: text(answer, 'timestamp'),
    version: optional(answer, 'version', integer),
  };
}

export interface RustBatch {
  readonly total: number;
  readonly ingested: number;
  readonly events: readonly RustIngested[];
}

export function rustBatch(value: unknown): RustBatch {
  const answer = membersOf(value, 'the answer');
  return {
    total: integer(answer, 'total'),
    ingested: integer(answer, 'ingested'),
    events: list(answer, 'events', rustIngested),
  };
}

export interface RustConsumer {
  readonly consumerId: string;
  readonly eventTypeFilters: readonly string[];
  readonly cursorPosition: number | null;
}

export function rustConsumer(value: unknown): RustConsumer {
  const answer = membersOf(value, 'the answer');
  return {
    consumerId: text(answer, 'consumer_id'),
    eventTypeFilters: optional(answer, 'event_type_filters', texts) ?? [],
    cursorPosition: optional(answer, 'cursor_position', integer),
  };
}

export interface RustEntities {
  readonly entities: readonly {
    readonly entityId: string;
    readonly eventCount: number;
    readonly lastEventType: string;
    readonly lastEventAt: string;
  }[];
  readonly total: number;
  readonly hasMore: boolean;
}

export function rustEntities(value: unknown): RustEntities {
  const answer = membersOf(value, 'the answer');
  const entities = list(answer, 'entities', (item) => {
    const entity = membersOf(item, 'an entity');
    return {
      entityId: text(entity, 'entity_id'),
      eventCount: integer(entity, 'event_count'),
      lastEventType: text(entity, 'last_event_type'),
      lastEventAt: text(entity, 'last_event_at'),
    };
  });
  return { entities, total: integer(answer, 'total'), hasMore: boolean(answer, 'has_more') };
}

export interface RustDuplicates {
  readonly duplicates: readonly {
    readonly key: unknown;
    readonly entityIds: readonly string[];
    readonly count: number;
  }[];
  readonly total: number;
  readonly hasMore: boolean;
}

export function rustDuplicates(value: unknown): RustDuplicates {
  const answer = membersOf(value, 'the answer');
  const duplicates = list(answer, 'duplicates', (item) => {
    const group = membersOf(item, 'a group');
    return {
      key: present(group, 'key'),
      entityIds: texts(group, 'entity_ids'),
      count: integer(group, 'count'),
    };
  });
  return { duplicates, total: integer(answer, 'total'), hasMore: boolean(answer, 'has_more') };
}

export interface RustProjections {
  readonly names: readonly string[];
  readonly total: number;
}

export function rustProjections(value: unknown): RustProjections {
  const answer = membersOf(value, 'the answer');
  const names = list(answer, 'projections', (item) => text(membersOf(item, 'one'), 'name'));
  return { names, total: integer(answer, 'total') };
}

/** The state of an answer, as an `Option`: null when nothing was found. */
export function rustState(value: unknown): unknown {
  const answer = membersOf(value, 'the answer');
  return boolean(answer, 'found') ? present(answer, 'state') : null;
}

export interface RustStatePage {
  readonly states: readonly { readonly entityId: string; readonly state: unknown }[];
  readonly total: number;
  readonly hasMore: boolean;
}

/** A page of states. An answer longer than what was asked for is an error: the server ignored the limit. */
export function rustStatePage(value: unknown, limit: number | undefined): RustStatePage {
  const answer = membersOf(value, 'the answer');
  const states = list(answer, 'states', (item) => {
    const row = membersOf(item, 'a state');
    return { entityId: text(row, 'entity_id'), state: present(row, 'state') };
  });
  if (limit !== undefined && states.length > limit) throw new SdkDecodeError('ignored the limit');
  return { states, total: integer(answer, 'total'), hasMore: boolean(answer, 'has_more') };
}

export interface RustStateRow {
  readonly entityId: string;
  readonly state: unknown;
  readonly found: boolean;
}

export function rustStateRows(value: unknown): RustStateRow[] {
  const answer = membersOf(value, 'the answer');
  integer(answer, 'total');
  return list(answer, 'states', (item) => {
    const row = membersOf(item, 'a state');
    return {
      entityId: text(row, 'entity_id'),
      state: present(row, 'state'),
      found: boolean(row, 'found'),
    };
  });
}

export interface RustReplayRun {
  readonly replayId: string;
  readonly projectionName: string;
  readonly status: string;
  readonly processedEvents: number;
  readonly totalEvents: number;
}

/** All members are required; the two that may be null must be there. */
export function rustReplayRun(value: unknown): RustReplayRun {
  const run = membersOf(membersOf(value, 'the answer')['data'], 'data');
  for (const name of ['started_at', 'updated_at']) text(run, name);
  for (const name of ['completed_at', 'error_message']) present(run, name);
  for (const name of ['progress_percentage', 'events_per_second']) number(run, name);
  integer(run, 'failed_events');
  return {
    replayId: text(run, 'replay_id'),
    projectionName: text(run, 'projection_name'),
    status: text(run, 'status'),
    processedEvents: integer(run, 'processed_events'),
    totalEvents: integer(run, 'total_events'),
  };
}

/** The preview of a replay: every member is required. */
export function rustReplayAnalysis(value: unknown): Members {
  const analysis = membersOf(membersOf(value, 'the answer')['data'], 'data');
  for (const name of ANALYSIS_TEXTS) text(analysis, name);
  for (const name of ANALYSIS_INTEGERS) integer(analysis, name);
  for (const name of ['first_event_at', 'last_event_at']) present(analysis, name);
  boolean(analysis, 'ready_to_replay');
  texts(analysis, 'warnings');
  list(analysis, 'event_type_distribution', (item) => {
    const type = membersOf(item, 'a type');
    return [text(type, 'event_type'), integer(type, 'count'), number(type, 'share')];
  });
  list(analysis, 'sampled_entities', (item) => {
    const entity = membersOf(item, 'an entity');
    return [text(entity, 'entity_id'), integer(entity, 'event_count')];
  });
  list(analysis, 'checks', (item) => {
    const check = membersOf(item, 'a check');
    return ['key', 'label', 'status', 'detail'].map((name) => text(check, name));
  });
  return analysis;
}

const ANALYSIS_TEXTS = [
  'projection_name',
  'projection_title',
  'projection_kind',
  'projection_status',
  'analysis_scope',
  'analyzed_at',
] as const;
const ANALYSIS_INTEGERS = [
  'current_entity_count',
  'total_events',
  'sampled_events',
  'sampled_entity_count',
] as const;

function texts(members: Members, name: string): string[] {
  return list(members, name, (item) => {
    if (typeof item !== 'string') throw new SdkDecodeError(`'${name}' holds a non-string`);
    return item;
  });
}

function number(members: Members, name: string): number {
  const value = members[name];
  if (typeof value !== 'number') throw new SdkDecodeError(`'${name}' is not a number`);
  return value;
}
