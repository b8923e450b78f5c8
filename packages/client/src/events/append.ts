import { type Instant, instantText } from './instant.ts';
import { jsonText } from '../http/json-text.ts';
import type { CallOptions } from '../http/connection.ts';
import { listMember, numberMember, parseObject, textMember } from '../http/wire.ts';

/** An event to append. */
export interface NewEvent<TType extends string = string, TPayload = unknown> {
  /** Lowercase words joined by dots, past tense: `order.placed`. */
  readonly eventType: TType;
  readonly entityId: string;
  /** Any JSON. `undefined` is none, and refused. */
  readonly payload: TPayload;
  readonly metadata?: unknown;
  /** When it happened; without it the server takes the time at which it records the event. */
  readonly timestamp?: Instant;
  /** The version the entity must be at; 0: it must not exist. Without it any. */
  readonly expectedVersion?: number;
}

/** An event as JSON text that is sent byte for byte, so that no number in it changes. It must be one JSON object in the wire's names. */
export interface RawEvent {
  readonly json: Uint8Array | string;
}

export interface AppendOptions extends CallOptions {
  /** Makes the append repeatable: the server appends the events of one key once. Without it one is made for this call. */
  readonly idempotencyKey?: string | undefined;
}

export interface AppendedEvent {
  readonly eventId: string;
  readonly timestamp: string;
  /** The entity's version after this event. */
  readonly version: number;
}

export interface AppendResult {
  /** One for each event, in the order given. */
  readonly events: readonly AppendedEvent[];
  /** True when the server had stored these events before, under the same idempotency key, and only repeats its answer. */
  readonly isReplayed: boolean;
}

/** The body of a batch append. */
export function batchBody(events: readonly (NewEvent | RawEvent)[]): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [TEXT.encode('{"events":[')];
  for (const [index, event] of events.entries()) {
    if (index > 0) parts.push(COMMA);
    parts.push(eventBytes(event));
  }
  parts.push(TEXT.encode(']}'));
  return joined(parts);
}

const TEXT = /* @__PURE__ */ new TextEncoder();
const COMMA = Uint8Array.of(0x2c);

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The JSON text of one event. */
export function eventBody(event: NewEvent | RawEvent): Uint8Array<ArrayBuffer> {
  return joined([eventBytes(event)]);
}

function eventBytes(event: NewEvent | RawEvent): Uint8Array {
  if ('json' in event) return typeof event.json === 'string' ? TEXT.encode(event.json) : event.json;
  const { eventType, entityId, payload, metadata, timestamp, expectedVersion } = event;
  return TEXT.encode(
    jsonText({
      event_type: eventType,
      entity_id: entityId,
      payload,
      metadata,
      timestamp: instantText(timestamp),
      expected_version: expectedVersion,
    }),
  );
}

/** Reads the answer of a batch append. */
export function parseBatchAnswer(text: string, headers: Headers): AppendResult {
  const answer = parseObject(text);
  return {
    // The gateway answers the list as `data`, core as `events` too.
    events: listMember(answer, 'events' in answer ? 'events' : 'data').map(parseAppended),
    isReplayed: isReplayed(headers),
  };
}

/** Reads the answer of a single append. */
export function parseSingleAnswer(text: string, headers: Headers): AppendResult {
  const answer = parseObject(text);
  const data = answer['data'];
  const event = 'event_id' in answer ? answer : { ...(data as object | undefined) };
  return { events: [parseAppended(event)], isReplayed: isReplayed(headers) };
}

function parseAppended(event: Record<string, unknown>): AppendedEvent {
  return {
    eventId: textMember(event, 'event_id'),
    timestamp: textMember(event, 'timestamp'),
    version: numberMember(event, 'version'),
  };
}

function isReplayed(headers: Headers): boolean {
  return headers.get('idempotent-replayed') === 'true';
}
