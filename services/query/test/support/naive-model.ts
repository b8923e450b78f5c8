/** What the routes should answer, computed in the plainest way from a list of all events. */
import { canonicalJson } from '@allsource/shared/json';
import { formatTimestamp, micros } from '@allsource/shared/model';
import type { ModelEvent } from './generated-log.ts';

export interface ModelQuery {
  readonly entity?: string | undefined;
  readonly type?: string | undefined;
  readonly typePrefix?: string | undefined;
  readonly excluded?: readonly string[] | undefined;
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly asOf?: number | undefined;
  readonly recordedUntil?: number | undefined;
  readonly payloadFilter?: string | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
  readonly order?: string | undefined;
}

const canonical = (text: string) => canonicalJson(Buffer.from(text));

/** Top-level members as canonical text. Only small texts without nested names that look like members come here. */
function members(payload: string): Map<string, string> {
  const found = new Map<string, string>();
  if (!payload.trimStart().startsWith('{')) return found;
  // Numbers are kept apart as text before JSON.parse could round them.
  const marked = payload.replaceAll(
    /(?<=[:[,]\s*)-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g,
    (n) => `"#${n}"`,
  );
  const parsed: object = JSON.parse(marked);
  for (const name of Object.getOwnPropertyNames(parsed)) {
    const value: unknown = Object.getOwnPropertyDescriptor(parsed, name)?.value;
    found.set(name, canonical(JSON.stringify(value).replaceAll(/"#([^"]+)"/g, '$1')));
  }
  return found;
}

function passesFilter(event: ModelEvent, filter: string | undefined): boolean {
  if (filter === undefined) return true;
  if (!event.payload.trimStart().startsWith('{')) return false;
  const payload = members(event.payload);
  return [...members(filter)].every(([name, value]) => payload.get(name) === value);
}

function matching(events: readonly ModelEvent[], tenant: string, query: ModelQuery): ModelEvent[] {
  return events.filter(
    (event) =>
      event.tenant === tenant &&
      (query.entity === undefined || event.entity === query.entity) &&
      (query.type === undefined || event.type === query.type) &&
      (query.typePrefix === undefined || event.type.startsWith(query.typePrefix)) &&
      !(query.excluded ?? []).some((prefix) => event.type.startsWith(prefix)) &&
      (query.since === undefined || event.timestamp >= query.since) &&
      (query.until === undefined || event.timestamp <= query.until) &&
      (query.asOf === undefined || event.timestamp <= query.asOf) &&
      (query.recordedUntil === undefined || event.recordedAt <= query.recordedUntil) &&
      passesFilter(event, query.payloadFilter),
  );
}

function windowOf<T>(rows: readonly T[], { offset = 0, limit }: ModelQuery): T[] {
  return rows.slice(offset, limit === undefined ? undefined : offset + limit);
}

export function modelQuery(events: readonly ModelEvent[], tenant: string, query: ModelQuery) {
  const sorted = matching(events, tenant, query).sort(
    (a, b) => a.timestamp - b.timestamp || a.version - b.version || a.position - b.position,
  );
  if (query.order?.toLowerCase() === 'desc') sorted.reverse();
  const page = windowOf(sorted, query);
  return {
    page,
    total: sorted.length,
    hasMore: (query.offset ?? 0) + page.length < sorted.length,
  };
}

/** The latest event of each entity and how many it has. */
function latest(events: readonly ModelEvent[]): Map<string, { event: ModelEvent; count: number }> {
  const found = new Map<string, { event: ModelEvent; count: number }>();
  for (const event of events) {
    const known = found.get(event.entity);
    const isLater = known === undefined || event.timestamp >= known.event.timestamp;
    found.set(event.entity, {
      event: isLater ? event : known.event,
      count: (known?.count ?? 0) + 1,
    });
  }
  return found;
}

const byText = (a: string, b: string) => (a < b ? -1 : Number(a > b));
const shownTime = (timestamp: number) => formatTimestamp(micros(timestamp));

export function modelEntities(events: readonly ModelEvent[], tenant: string, query: ModelQuery) {
  const sign = query.order === 'asc' ? 1 : -1;
  const all = [...latest(matching(events, tenant, query)).values()].sort(
    (a, b) =>
      sign * (a.event.timestamp - b.event.timestamp) || byText(a.event.entity, b.event.entity),
  );
  const rows = windowOf(all, query);
  return {
    entities: rows.map(({ event, count }) => ({
      entity_id: event.entity,
      event_count: count,
      last_event_type: event.type,
      last_event_at: shownTime(event.timestamp),
    })),
    total: all.length,
    has_more: (query.offset ?? 0) + rows.length < all.length,
  };
}

export function modelEventTypes(events: readonly ModelEvent[], tenant: string) {
  const own = events.filter((event) => event.tenant === tenant);
  const types = [...new Set(own.map((event) => event.type))].map((type) => {
    const ofType = own.filter((event) => event.type === type);
    const last = Math.max(...ofType.map((event) => event.timestamp));
    return { event_type: type, event_count: ofType.length, last_event_at: shownTime(last) };
  });
  return types.sort((a, b) => b.event_count - a.event_count || byText(a.event_type, b.event_type));
}

export interface ModelDuplicatesQuery {
  readonly typePrefix: string;
  readonly groupBy: readonly string[];
  readonly limit: number | undefined;
}

export function modelDuplicates(
  events: readonly ModelEvent[],
  tenant: string,
  { typePrefix, groupBy, limit }: ModelDuplicatesQuery,
) {
  const groups = new Map<string, ModelEvent[]>();
  for (const { event } of latest(matching(events, tenant, { typePrefix })).values()) {
    const own = members(event.payload);
    const key = JSON.stringify(groupBy.map((name) => own.get(name) ?? 'null'));
    groups.set(key, [...(groups.get(key) ?? []), event]);
  }
  const found = [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group) => group.sort((a, b) => byText(a.entity, b.entity)))
    .sort((a, b) => b.length - a.length || byText(a[0]?.entity ?? '', b[0]?.entity ?? ''));
  const rows = windowOf(found, { limit });
  return {
    duplicates: rows.map((group) => ({
      key: Object.fromEntries(
        groupBy.map((name) => [
          name,
          JSON.parse(members(group[0]?.payload ?? '').get(name) ?? 'null'),
        ]),
      ),
      entity_ids: group.map((event) => event.entity),
      count: group.length,
    })),
    total: found.length,
    has_more: rows.length < found.length,
  };
}

export interface ModelStateQuery {
  readonly tenant: string;
  readonly entity: string;
  readonly asOf: number | undefined;
}

export function modelState(
  events: readonly ModelEvent[],
  { tenant, entity, asOf }: ModelStateQuery,
) {
  const own = matching(events, tenant, { entity, asOf });
  const last = own.at(-1);
  if (last === undefined) return null;
  const merged = new Map<string, unknown>();
  for (const event of own) {
    const payload: unknown = JSON.parse(event.payload);
    if (!event.payload.trimStart().startsWith('{')) continue;
    for (const name of Object.getOwnPropertyNames(payload))
      merged.set(name, Object.getOwnPropertyDescriptor(payload, name)?.value);
  }
  return {
    entity_id: entity,
    last_updated: shownTime(last.timestamp),
    event_count: own.length,
    version: last.version,
    as_of: asOf === undefined ? null : shownTime(asOf),
    // Built by JSON.parse, so that __proto__ is plain data here too.
    current_state: JSON.parse(
      `{${[...merged].map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`,
    ),
    history: own.map((event) => ({
      event_id: event.id,
      type: event.type,
      timestamp: shownTime(event.timestamp),
      version: event.version,
      payload: JSON.parse(event.payload),
    })),
  };
}
