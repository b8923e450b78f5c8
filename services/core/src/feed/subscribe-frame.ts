/**
 * What a WebSocket client may say: which live events it wants. Two forms are known to existing clients; each replaces all filters.
 *
 *     {"type":"subscribe","filters":["asset.*","trade.placed"]}                 an empty list = all
 *     {"entity_id":..?,"event_type":..?,"event_type_prefixes":[..]?}            the first two exact, the last plain prefixes
 *
 * Anything else is ignored, as there is no answer on the wire that a client would understand.
 */
import { LIMITS } from '@allsource/shared/limits';
import { TypeFilter } from '@allsource/shared/protocol';
import { EventFilter } from './event-filter.ts';

export type SubscribeFrame =
  | { readonly kind: 'filter'; readonly filter: EventFilter }
  | { readonly kind: 'ignored' }
  /** More filters than `LIMITS.filtersMax`. Ignoring it would send the client what it did not ask for. */
  | { readonly kind: 'too_many' };

const IGNORED: SubscribeFrame = { kind: 'ignored' };

/** Reads the text of one message. */
export function parseSubscribeFrame(text: string): SubscribeFrame {
  const message = parseObject(text);
  if (message === null) return IGNORED;
  if (message['type'] === 'subscribe') return parseFilters(message['filters']);
  if (Object.hasOwn(message, 'type')) return IGNORED;
  return parseLegacy(message);
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

function parseFilters(value: unknown): SubscribeFrame {
  const patterns = textList(value);
  if (patterns === null) return IGNORED;
  if (patterns.length > LIMITS.filtersMax) return { kind: 'too_many' };
  return { kind: 'filter', filter: new EventFilter({ types: new TypeFilter(patterns) }) };
}

function parseLegacy(message: Record<string, unknown>): SubscribeFrame {
  const { entity_id: entity, event_type: exactType, event_type_prefixes: prefixes } = message;
  if (entity === undefined && exactType === undefined && prefixes === undefined) return IGNORED;
  const entityText = optionalText(entity);
  const typeText = optionalText(exactType);
  const prefixList = textList(prefixes ?? []);
  if (entityText === undefined || typeText === undefined || prefixList === null) return IGNORED;
  if (prefixList.length > LIMITS.filtersMax) return { kind: 'too_many' };
  const types = TypeFilter.ofPrefixes(prefixList);
  const entities = entityText === null ? [] : [entityText];
  return { kind: 'filter', filter: new EventFilter({ types, exactType: typeText, entities }) };
}

/** A text, null where there is none, undefined for anything else. */
function optionalText(value: unknown): string | null | undefined {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' ? value : undefined;
}

function textList(value: unknown): string[] | null {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
}
