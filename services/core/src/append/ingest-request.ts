/**
 * Reads the body of an append into event drafts. It takes two passes: the first walks the bytes once, checks the JSON grammar
 * and notes where each member lies; the second judges the members. So a body that is not JSON is answered as such whatever its
 * shape, and payload and metadata stay the client's own bytes. As in JSON.parse, the last of several members with one name counts.
 */
import { type ProblemMembers, problem } from '@allsource/shared/errors';
import { decodeJsonString, JsonScanner, wholeNumberOf } from '@allsource/shared/json';
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
  tenantIdFault,
  type Version,
  version,
} from '@allsource/shared/model';
import { jsonProblem, requireUtf8 } from '@allsource/service-kit/http';

/** One event of a request that has passed all checks that need no state. */
export interface EventDraft {
  readonly type: string;
  readonly entity: string;
  readonly payload: Buffer;
  readonly metadata: Buffer | null;
  /** When the client says it happened; null = when it is recorded. */
  readonly timestamp: Micros | null;
  /** The version the entity must be at; null = any. */
  readonly expectedVersion: Version | null;
}

/** A request's events and the tenant it names, if any. */
export interface IngestRequest {
  readonly tenant: string | null;
  readonly events: readonly EventDraft[];
}

export interface IngestLimits {
  readonly payloadBytesMax: number;
  readonly batchEventsMax: number;
}

export interface IngestContext {
  readonly limits: IngestLimits;
  readonly now: Micros;
}

const MEMBERS = [
  'event_type',
  'entity_id',
  'payload',
  'metadata',
  'tenant_id',
  'expected_version',
  'timestamp',
] as const;
type Member = (typeof MEMBERS)[number];
const KNOWN_MEMBERS: ReadonlySet<string> = new Set(MEMBERS);

interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where an event and its members lie; an element that is no object has none. */
export interface RawEvent extends Span {
  readonly members: ReadonlyMap<Member, Span> | null;
}

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** Reads the body of a single append: one event object. Throws a problem for anything else. */
export function parseSingleRequest(body: Buffer, context: IngestContext): IngestRequest {
  const raw = scanDocument(body, scanElement);
  const reader = new EventReader({ body, raw, context, place: { pointer: '' } });
  return { tenant: reader.tenant(), events: [reader.draft()] };
}

/** Reads the body of a batch append: `{"events": [...]}`. Throws a problem that names the index of the first bad event. */
export function parseBatchRequest(body: Buffer, context: IngestContext): IngestRequest {
  const raws = scanDocument(body, scanBatch);
  if (raws === null) {
    throw problem(
      'invalid_body',
      `The body must be an object with a list of events: {"events": [...]}.`,
      { pointer: '/events' },
    );
  }
  const { batchEventsMax } = context.limits;
  if (raws.length > batchEventsMax) {
    throw problem(
      'batch_too_large',
      `The batch holds ${raws.length} events; at most ${batchEventsMax} are allowed. Send it in parts.`,
      {
        limit_events: batchEventsMax,
        events: raws.length,
      },
    );
  }
  const readers = raws.map(
    (raw, index) =>
      new EventReader({ body, raw, context, place: { pointer: `/events/${index}`, index } }),
  );
  const events = readers.map((reader) => reader.draft());
  return { tenant: commonTenant(readers), events };
}

function commonTenant(readers: readonly EventReader[]): string | null {
  const tenant = readers[0]?.tenant() ?? null;
  for (const reader of readers) {
    const named = reader.tenant();
    if (named !== tenant)
      throw otherTenantFault(reader, { all: 'events of a batch', named, tenant });
  }
  return tenant;
}

/** The problem of an event that names another tenant than the first one of its batch or group. */
export function otherTenantFault(
  reader: EventReader,
  found: {
    readonly all: string;
    readonly named: string | null;
    readonly tenant: string | null;
  },
): Error {
  const [named, tenant] = [found.named, found.tenant].map((name) =>
    name === null ? 'none' : quoted(name),
  );
  const detail = `All ${found.all} must name the same tenant_id; this one names ${named} and the first one ${tenant}.`;
  return reader.fault('invalid_body', detail, { member: 'tenant_id' });
}

function scanDocument<T>(body: Buffer, scan: (scanner: JsonScanner) => T): T {
  if (body.length === 0) throw problem('malformed_json', 'The body is empty; send a JSON object.');
  requireUtf8(body);
  const scanner = new JsonScanner(body, LIMITS.jsonDepthMax);
  try {
    scanner.skipWhitespace();
    const result = scan(scanner);
    scanner.expectEnd();
    return result;
  } catch (error) {
    throw jsonProblem(error);
  }
}

function scanBatch(scanner: JsonScanner): RawEvent[] | null {
  let raws: RawEvent[] | null = null;
  if (scanner.peek() !== OPEN_BRACE) {
    scanner.skipValue();
    return null;
  }
  scanner.visitObject(0, (key) => {
    if (key !== 'events') scanner.skipValue();
    else if (scanner.peek() === OPEN_BRACKET) raws = scanEvents(scanner);
    else {
      scanner.skipValue();
      raws = null;
    }
  });
  return raws;
}

function scanEvents(scanner: JsonScanner): RawEvent[] {
  const raws: RawEvent[] = [];
  scanner.visitArray(0, () => raws.push(scanElement(scanner)));
  return raws;
}

/** Notes where the members of an event lie. */
export function scanElement(scanner: JsonScanner): RawEvent {
  const isObject = scanner.peek() === OPEN_BRACE;
  const start = scanner.at;
  if (isObject) return { members: scanMembers(scanner), start, end: scanner.at };
  scanner.skipValue();
  return { members: null, start, end: scanner.at };
}

// Depth starts at 0 for each member's value, so that the limit means the same for a payload alone and in a batch.
function scanMembers(scanner: JsonScanner): Map<Member, Span> {
  const members = new Map<Member, Span>();
  scanner.visitObject(0, (key) => {
    const start = scanner.at;
    scanner.skipValue();
    if (KNOWN_MEMBERS.has(key)) members.set(key as Member, { start, end: scanner.at });
  });
  return members;
}

function whereText({ index, line }: { readonly index?: number; readonly line?: number }): string {
  if (index !== undefined) return ` (event ${index} of the batch; nothing of it was stored)`;
  return line === undefined ? '' : ` (line ${line}; nothing of its group was stored)`;
}

interface EventReaderOptions {
  readonly body: Buffer;
  readonly raw: RawEvent;
  readonly context: IngestContext;
  /** Where the event stands, for the problem: in a batch, or on a line. */
  readonly place: { readonly pointer: string; readonly index?: number; readonly line?: number };
}

/** Judges the members of one event. */
export class EventReader {
  readonly #body: Buffer;
  readonly #raw: RawEvent;
  readonly #context: IngestContext;
  readonly #place: EventReaderOptions['place'];

  constructor({ body, raw, context, place }: EventReaderOptions) {
    this.#body = body;
    this.#raw = raw;
    this.#context = context;
    this.#place = place;
  }

  draft(): EventDraft {
    const { members, start, end } = this.#raw;
    if (members === null) {
      const found = quoted(this.#body.toString('utf8', start, end));
      throw this.fault('invalid_body', `An event must be a JSON object; this one is ${found}.`);
    }
    return {
      type: this.#name('event_type', eventTypeFault),
      entity: this.#name('entity_id', entityIdFault),
      payload: this.#payload(),
      metadata: this.#metadata(),
      timestamp: this.#timestamp(),
      expectedVersion: this.#expectedVersion(),
    };
  }

  tenant(): string | null {
    const text = this.#optionalString('tenant_id');
    const nameFault = text === null ? null : tenantIdFault(text);
    if (nameFault !== null)
      throw this.fault('invalid_tenant_id', nameFault, { member: 'tenant_id' });
    return text;
  }

  fault(
    code: Parameters<typeof problem>[0],
    detail: string,
    { member, ...facts }: ProblemMembers & { readonly member?: Member } = {},
  ): Error {
    const { pointer, ...place } = this.#place;
    return problem(code, detail + whereText(place), {
      pointer: member === undefined ? pointer : `${pointer}/${member}`,
      ...place,
      ...facts,
    });
  }

  #name(member: 'event_type' | 'entity_id', faultOf: (value: string) => string | null): string {
    const text = this.#optionalString(member);
    if (text === null) throw this.fault('invalid_body', `'${member}' is missing.`, { member });
    const nameFault = faultOf(text);
    if (nameFault === null) return text;
    throw this.fault(
      member === 'event_type' ? 'invalid_event_type' : 'invalid_entity_id',
      nameFault,
      { member },
    );
  }

  #payload(): Buffer {
    const span = this.#raw.members?.get('payload');
    if (span === undefined)
      throw this.fault('invalid_body', `'payload' is missing.`, { member: 'payload' });
    return this.#limited('payload', span, this.#context.limits.payloadBytesMax);
  }

  #metadata(): Buffer | null {
    const span = this.#given('metadata');
    return span === null ? null : this.#limited('metadata', span, LIMITS.metadataBytesMax);
  }

  #limited(member: 'payload' | 'metadata', span: Span, bytesMax: number): Buffer {
    const bytes = span.end - span.start;
    if (bytes <= bytesMax) return this.#body.subarray(span.start, span.end);
    throw this.fault(
      'payload_too_large',
      `'${member}' is ${bytes} bytes; at most ${bytesMax} are allowed.`,
      {
        member,
        limit_bytes: bytesMax,
        bytes,
      },
    );
  }

  #timestamp(): Micros | null {
    const text = this.#optionalString('timestamp');
    if (text === null) return null;
    const instant = parseTimestamp(text);
    if (instant === null || instant < EVENT_TIMESTAMP_MIN) {
      const detail = `'timestamp' is ${quoted(text)}; allowed is an RFC 3339 instant with a zone, from 1700 on, such as 2026-01-31T12:00:00Z.`;
      throw this.fault('invalid_timestamp', detail, { member: 'timestamp' });
    }
    const latest = micros(this.#context.now + LIMITS.clockSkewMs * 1000);
    if (instant <= latest) return instant;
    const detail = `'timestamp' is ${quoted(text)}, which is in the future; the server's clock says ${formatTimestamp(this.#context.now)}.`;
    throw this.fault('future_timestamp', detail, { member: 'timestamp' });
  }

  #expectedVersion(): Version | null {
    const span = this.#given('expected_version');
    if (span === null) return null;
    const text = this.#body.toString('latin1', span.start, span.end);
    const number = wholeNumberOf(text);
    if (number !== null) return version(number);
    const detail = `'expected_version' is ${quoted(text)}; allowed is a whole number of at least 0, where 0 means that the entity has no events.`;
    throw this.fault('invalid_body', detail, { member: 'expected_version' });
  }

  #optionalString(member: Member): string | null {
    const span = this.#given(member);
    if (span === null) return null;
    if (this.#body[span.start] === QUOTE) return decodeJsonString(this.#body, span.start, span.end);
    const found = this.#body.toString('utf8', span.start, span.end);
    throw this.fault('invalid_body', `'${member}' is ${quoted(found)}; it must be a string.`, {
      member,
    });
  }

  /** Where a member lies; null when it is absent or the literal null. */
  #given(member: Member): Span | null {
    const span = this.#raw.members?.get(member);
    if (span === undefined) return null;
    return this.#body.toString('latin1', span.start, span.end) === 'null' ? null : span;
  }
}
