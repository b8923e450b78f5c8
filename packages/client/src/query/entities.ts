import { isRecord } from '../http/is-record.ts';
import {
  listMember,
  numberMember,
  optionalText,
  textMember,
  type WireObject,
} from '../http/wire.ts';

/** One page of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** How many there are in all. */
  readonly total: number;
  readonly hasMore: boolean;
}

/** An entity and what is known of its events. */
export interface EntitySummary {
  readonly entityId: string;
  readonly eventCount: number;
  readonly lastEventType: string | null;
  readonly lastEventAt: string | null;
}

export interface ListEntitiesParams {
  /** Only entities with events of such types; counts and last events are of these. */
  readonly eventTypePrefix?: string | undefined;
  readonly payload?: Readonly<Record<string, unknown>> | undefined;
  /** By the last event; `desc` without it. */
  readonly order?: 'asc' | 'desc' | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

/** Entities whose latest events agree. */
export interface DuplicateGroup {
  /** The values in which they agree, by field. */
  readonly key: Readonly<Record<string, unknown>>;
  readonly entityIds: readonly string[];
  readonly count: number;
}

export interface DetectDuplicatesParams {
  readonly eventTypePrefix: string;
  /** The top-level members of payloads that are compared. */
  readonly groupBy: readonly string[];
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

/** Reads the answer of `GET /api/v1/entities`. */
export function parseEntities(answer: WireObject): Page<EntitySummary> {
  const items = listMember(answer, 'entities').map((row) => ({
    entityId: textMember(row, 'entity_id'),
    eventCount: numberMember(row, 'event_count'),
    lastEventType: optionalText(row, 'last_event_type'),
    lastEventAt: optionalText(row, 'last_event_at'),
  }));
  return pageOf(answer, items);
}

/** Reads the answer of `GET /api/v1/entities/duplicates`. */
export function parseDuplicates(answer: WireObject): Page<DuplicateGroup> {
  const items = listMember(answer, 'duplicates').map((row) => ({
    key: isRecord(row['key']) ? row['key'] : {},
    entityIds: Array.isArray(row['entity_ids']) ? row['entity_ids'].map(String) : [],
    count: numberMember(row, 'count'),
  }));
  return pageOf(answer, items);
}

/** A list with what the answer says about it. */
export function pageOf<Item>(answer: WireObject, items: readonly Item[]): Page<Item> {
  return { items, total: numberMember(answer, 'total'), hasMore: answer['has_more'] === true };
}
