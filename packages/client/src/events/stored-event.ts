import { JsonScanner, JsonSyntaxError, rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { positionOfEventId } from './event-position.ts';
import { badAnswer } from '../http/allsource-error.ts';
import {
  numberMember,
  optionalNumber,
  optionalText,
  parseObject,
  textMember,
  type WireObject,
} from '../http/wire.ts';

/** An event as the store returns it. */
export interface StoredEvent<TType extends string = string, TPayload = unknown> {
  readonly id: string;
  readonly eventType: TType;
  readonly entityId: string;
  readonly tenantId: string | null;
  /** Parsed with JSON.parse: numbers beyond 2^53 lose digits here and keep them in `json`. */
  readonly payload: TPayload;
  readonly metadata: unknown;
  readonly timestamp: string;
  readonly recordedAt: string | null;
  /** Place of the event in its entity's history, from 1. */
  readonly version: number;
  /** Place of the event in the whole log; null where the answer does not say. */
  readonly position: number | null;
  /** The event's JSON text exactly as the server sent it; of a polled event, printed from what was parsed. */
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
  return storedEvent(parseObject(json), json);
}

/** Reads one event that is parsed already; where its text is not at hand it is printed anew. */
export function parseStoredEventObject(event: WireObject, json: string | null = null): StoredEvent {
  return storedEvent(event, json);
}

function storedEvent(event: WireObject, json: string | null): StoredEvent {
  const id = textMember(event, 'id');
  return {
    id,
    eventType: textMember(event, 'event_type'),
    entityId: textMember(event, 'entity_id'),
    tenantId: optionalText(event, 'tenant_id'),
    payload: event['payload'],
    metadata: event['metadata'] ?? null,
    timestamp: textMember(event, 'timestamp'),
    recordedAt: optionalText(event, 'recorded_at'),
    version: numberMember(event, 'version'),
    position: optionalNumber(event, 'position') ?? positionOfEventId(id),
    json: json ?? JSON.stringify(event),
  };
}

/** One page of events. */
export interface EventPage<Event = StoredEvent> {
  readonly events: readonly Event[];
  /** How many events the page has. */
  readonly count: number;
  readonly hasMore: boolean;
  /** Where the next page begins; null when the server names no cursor. */
  readonly nextCursor: string | null;
  /** How many events are meant in all; null when the server does not say. */
  readonly totalCount: number | null;
  /** The version of the entity asked about; null when none was. */
  readonly entityVersion: number | null;
  /** The position of the log that the page is true at; null when the server does not say. */
  readonly position: number | null;
}

/** The depth of a payload's limit, below the event, the list and the answer. */
function answerDepthMax(): number {
  return LIMITS.jsonDepthMax + 3;
}

/** Reads one page of `GET /api/v1/events/query`. The text of each event is kept as it came. */
export function parseEventPage(bytes: Uint8Array): EventPage {
  const jsons: string[] = [];
  const others: Record<string, unknown> = {};
  try {
    const scanner = new JsonScanner(bytes, answerDepthMax());
    scanner.skipWhitespace();
    scanner.visitObject(0, (key) => {
      const start = scanner.at;
      if (key === 'events') {
        scanner.visitArray(1, () => jsons.push(takeValue(scanner)));
        return;
      }
      scanner.skipValue(1);
      others[key] = JSON.parse(sliceText(bytes, start, scanner.at));
    });
    scanner.expectEnd();
  } catch (error) {
    if (error instanceof JsonSyntaxError) throw badAnswer(error.message, error);
    throw error;
  }
  return {
    events: jsons.map(parseStoredEvent),
    count: jsons.length,
    hasMore: others['has_more'] === true,
    nextCursor: optionalText(others, 'next_cursor'),
    totalCount: optionalNumber(others, 'total_count'),
    entityVersion: optionalNumber(others, 'entity_version'),
    position: optionalNumber(others, 'position'),
  };
}

function takeValue(scanner: JsonScanner): string {
  const start = scanner.at;
  scanner.skipValue(2);
  return sliceText(scanner.bytes, start, scanner.at);
}

const TEXT = /* @__PURE__ */ new TextDecoder();

function sliceText(bytes: Uint8Array, start: number, end: number): string {
  return TEXT.decode(bytes.subarray(start, end));
}

/** The text of one member of a JSON object, as it came; null when there is none. */
export function memberJson(bytes: Uint8Array, name: string): string | null {
  return rawMembers(bytes)?.get(name) ?? null;
}
