/** Reading what a client sends to the in-memory store, with the rules and the errors of the real one. Payloads stay the client's own text. */
import { problem, type ProblemMembers } from '@allsource/shared/errors';
import { JsonScanner, JsonSyntaxError, rawMembers, wholeNumberOf } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import {
  EVENT_TIMESTAMP_MIN,
  entityIdFault,
  eventTypeFault,
  formatTimestamp,
  type Micros,
  micros,
  parseTimestamp,
  quoted,
} from '@allsource/shared/model';

/** An event that has passed all checks that need no state. */
export interface MemoryDraft {
  readonly type: string;
  readonly entity: string;
  readonly payload: string;
  readonly metadata: string | null;
  readonly timestamp: Micros | null;
  readonly expectedVersion: number | null;
}

type RawMembers = ReadonlyMap<string, string>;
/** An event of a batch has its index; a single one has none. */
type Place = number | null;

/** The event of a single append. */
export function parseSingle(body: Uint8Array, now: Micros): MemoryDraft[] {
  requireJson(body);
  return [parseDraft(rawMembers(body), null, now)];
}

/** The events of a batch append. */
export function parseBatch(body: Uint8Array, now: Micros): MemoryDraft[] {
  requireJson(body);
  const list = rawMembers(body)?.get('events');
  if (list === undefined || !list.startsWith('['))
    throw problem(
      'invalid_body',
      'The body must be an object with a list of events: {"events": [...]}.',
      {
        pointer: '/events',
      },
    );
  const elements = rawElements(list);
  const limit = LIMITS.batchEventsMax;
  if (elements.length > limit)
    throw problem(
      'batch_too_large',
      `The batch holds ${elements.length} events; at most ${limit} are allowed. Send it in parts.`,
      { limit_events: limit, events: elements.length },
    );
  return elements.map((element, index) => parseDraft(rawMembers(Buffer.from(element)), index, now));
}

/** Throws `malformed_json` for what is not JSON, and `json_too_deep` for JSON that is nested too deeply. */
export function requireJson(body: Uint8Array): void {
  if (body.length > LIMITS.bodyBytesMax)
    throw problem(
      'body_too_large',
      `The body is ${body.length} bytes; at most ${LIMITS.bodyBytesMax} are allowed.`,
    );
  try {
    const scanner = new JsonScanner(body, LIMITS.jsonDepthMax + 3);
    scanner.skipWhitespace();
    scanner.skipValue();
    scanner.skipWhitespace();
    scanner.expectEnd();
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw problem(error.tooDeep ? 'json_too_deep' : 'malformed_json', error.message);
  }
}

/** The elements of a JSON list as they were sent. */
export function rawElements(list: string): string[] {
  const bytes = Buffer.from(list);
  const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax + 2);
  const elements: string[] = [];
  scanner.visitArray(0, () => {
    const start = scanner.at;
    scanner.skipValue(1);
    elements.push(bytes.toString('utf8', start, scanner.at));
  });
  return elements;
}

function parseDraft(raw: RawMembers | null, index: Place, now: Micros): MemoryDraft {
  if (raw === null) throw fault('invalid_body', 'An event must be a JSON object.', { index });
  return {
    type: name(raw, { member: 'event_type', index, faultOf: eventTypeFault }),
    entity: name(raw, { member: 'entity_id', index, faultOf: entityIdFault }),
    payload: limited(raw, { member: 'payload', index, bytesMax: LIMITS.payloadBytesMax }),
    metadata:
      given(raw, 'metadata') === null
        ? null
        : limited(raw, { member: 'metadata', index, bytesMax: LIMITS.metadataBytesMax }),
    timestamp: timestamp(raw, index, now),
    expectedVersion: expectedVersion(raw, index),
  };
}

function fault(
  code: Parameters<typeof problem>[0],
  detail: string,
  { index, ...members }: ProblemMembers & { readonly index: Place },
): Error {
  const where = index === null ? '' : ` (event ${index} of the batch; nothing of it was stored)`;
  return problem(code, detail + where, { ...(index === null ? {} : { index }), ...members });
}

function given(raw: RawMembers, member: string): string | null {
  const value = raw.get(member);
  return value === undefined || value === 'null' ? null : value;
}

function text(raw: RawMembers, member: string, index: Place): string | null {
  const value = given(raw, member);
  if (value === null) return null;
  if (value.startsWith('"')) return JSON.parse(value) as string;
  throw fault('invalid_body', `'${member}' is ${quoted(value)}; it must be a string.`, { index });
}

interface NamedMember {
  readonly member: 'event_type' | 'entity_id';
  readonly index: Place;
  readonly faultOf: (value: string) => string | null;
}

function name(raw: RawMembers, { member, index, faultOf }: NamedMember): string {
  const value = text(raw, member, index);
  if (value === null) throw fault('invalid_body', `'${member}' is missing.`, { index });
  const sentence = faultOf(value);
  if (sentence === null) return value;
  throw fault(member === 'event_type' ? 'invalid_event_type' : 'invalid_entity_id', sentence, {
    index,
  });
}

interface LimitedMember {
  readonly member: 'payload' | 'metadata';
  readonly index: Place;
  readonly bytesMax: number;
}

function limited(raw: RawMembers, { member, index, bytesMax }: LimitedMember): string {
  const value = raw.get(member);
  if (value === undefined) throw fault('invalid_body', `'${member}' is missing.`, { index });
  const bytes = Buffer.byteLength(value);
  if (bytes <= bytesMax) return value;
  throw fault(
    'payload_too_large',
    `'${member}' is ${bytes} bytes; at most ${bytesMax} are allowed.`,
    { index, limit_bytes: bytesMax, bytes },
  );
}

function timestamp(raw: RawMembers, index: Place, now: Micros): Micros | null {
  const value = text(raw, 'timestamp', index);
  if (value === null) return null;
  const instant = parseTimestamp(value);
  if (instant === null || instant < EVENT_TIMESTAMP_MIN)
    throw fault(
      'invalid_timestamp',
      `'timestamp' is ${quoted(value)}; allowed is an RFC 3339 instant with a zone, from 1700 on, such as 2026-01-31T12:00:00Z.`,
      { index },
    );
  if (instant <= micros(now + LIMITS.clockSkewMs * 1000)) return instant;
  throw fault(
    'future_timestamp',
    `'timestamp' is ${quoted(value)}, which is in the future; the server's clock says ${formatTimestamp(now)}.`,
    { index },
  );
}

function expectedVersion(raw: RawMembers, index: Place): number | null {
  const value = given(raw, 'expected_version');
  if (value === null) return null;
  const number = wholeNumberOf(value);
  if (number !== null) return number;
  throw fault(
    'invalid_body',
    `'expected_version' is ${quoted(value)}; allowed is a whole number of at least 0, where 0 means that the entity has no events.`,
    { index },
  );
}
