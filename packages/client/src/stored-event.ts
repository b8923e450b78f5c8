import { JsonScanner, JsonSyntaxError, rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { badAnswer } from './allsource-error.ts';
import {
  numberMember,
  optionalNumber,
  optionalText,
  parseObject,
  textMember,
  type WireObject,
} from './wire.ts';

/** An event as the store returns it. */
export interface StoredEvent {
  readonly id: string;
  readonly eventType: string;
  readonly entityId: string;
  readonly tenantId: string | null;
  /** Parsed with JSON.parse: numbers beyond 2^53 lose digits here and keep them in `json`. */
  readonly payload: unknown;
  readonly metadata: unknown;
  readonly timestamp: string;
  readonly recordedAt: string | null;
  /** Place of the event in its entity's history, from 1. */
  readonly version: number;
  /** Place of the event in the whole log; null where the answer does not say. */
  readonly position: number | null;
  /** The event's JSON text exactly as the server sent it. */
  readonly json: string;
}

/** Which events are meant; conditions that are not given do not apply. */
export interface EventFilter {
  readonly entityId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly eventTypePrefix?: string | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly asOf?: string | undefined;
  readonly order?: 'asc' | 'desc' | undefined;
  /** Most events in all; without it every one. */
  readonly limit?: number | undefined;
  /** Events fetched at a time. */
  readonly pageSize?: number | undefined;
}

/** Reads one event. */
export function parseStoredEvent(json: string): StoredEvent {
  const event: WireObject = parseObject(json);
  return {
    id: textMember(event, 'id'),
    eventType: textMember(event, 'event_type'),
    entityId: textMember(event, 'entity_id'),
    tenantId: optionalText(event, 'tenant_id'),
    payload: event['payload'],
    metadata: event['metadata'] ?? null,
    timestamp: textMember(event, 'timestamp'),
    recordedAt: optionalText(event, 'recorded_at'),
    version: numberMember(event, 'version'),
    position: optionalNumber(event, 'position'),
    json,
  };
}

export interface EventPage {
  readonly events: readonly StoredEvent[];
  readonly hasMore: boolean;
  /** Where the next page begins; null when the server names no cursor. */
  readonly nextCursor: string | null;
}

// The depth of a payload's limit, below the event, the list and the answer.
const ANSWER_DEPTH_MAX = LIMITS.jsonDepthMax + 3;

/** Reads one page of `GET /api/v1/events/query`. The text of each event is kept as it came. */
export function parseEventPage(bytes: Uint8Array): EventPage {
  const jsons: string[] = [];
  let hasMore = false;
  let nextCursor: string | null = null;
  try {
    const scanner = new JsonScanner(bytes, ANSWER_DEPTH_MAX);
    scanner.skipWhitespace();
    scanner.visitObject(0, (key) => {
      const start = scanner.at;
      if (key === 'events') scanner.visitArray(1, () => jsons.push(takeValue(scanner)));
      else scanner.skipValue(1);
      if (key === 'has_more') hasMore = sliceText(bytes, start, scanner.at) === 'true';
      if (key === 'next_cursor') nextCursor = cursorIn(sliceText(bytes, start, scanner.at));
    });
    scanner.expectEnd();
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw badAnswer(error.message, error);
    throw error;
  }
  return { events: jsons.map(parseStoredEvent), hasMore, nextCursor };
}

/** The text of a JSON string; null for any other value. */
function cursorIn(json: string): string | null {
  const value: unknown = JSON.parse(json);
  return typeof value === 'string' ? value : null;
}

function takeValue(scanner: JsonScanner): string {
  const start = scanner.at;
  scanner.skipValue(2);
  return sliceText(scanner.bytes, start, scanner.at);
}

function sliceText(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

/** The text of one member of a JSON object, as it came; null when there is none. */
export function memberJson(bytes: Uint8Array, name: string): string | null {
  return rawMembers(bytes)?.get(name) ?? null;
}
