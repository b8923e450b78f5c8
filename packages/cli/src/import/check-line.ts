/**
 * Judges a line before it is sent, by the rules that do not depend on the server: one bad line would make the server refuse its whole batch. The line is
 * only looked at; what is sent is its text as it stands in the file.
 */
import {
  decodeJsonString,
  invalidUtf8At,
  JsonScanner,
  JsonSyntaxError,
} from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import {
  entityIdFault,
  eventTypeFault,
  parseTimestamp,
  quoted,
  tenantIdFault,
} from '@allsource/shared/model';
import type { Line } from './line-splitter.ts';

export type LineCheck =
  | { readonly kind: 'blank' }
  | {
      readonly kind: 'event';
      /** True when the event says which version it expects. */
      readonly isConditional: boolean;
      /** The tenant it names; null when it names none. */
      readonly tenant: string | null;
    }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

interface Span {
  readonly start: number;
  readonly end: number;
}

const OPEN_BRACE = 0x7b;
const QUOTE = 0x22;
const MEMBERS: ReadonlySet<string> = new Set([
  'event_type',
  'entity_id',
  'payload',
  'metadata',
  'tenant_id',
  'timestamp',
  'expected_version',
]);

/** Says what a line is. */
export function checkLine(line: Line): LineCheck {
  if (line.isTooLong)
    return refused('body_too_large', `The line is longer than ${LIMITS.bodyBytesMax} bytes.`);
  const badAt = invalidUtf8At(line.bytes);
  if (badAt !== null)
    return refused('malformed_json', `The line is not valid UTF-8 at byte ${badAt}.`);
  try {
    return checkEvent(line.bytes);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    if (error.tooDeep) return refused('json_too_deep', `${sentence(error.message)}.`);
    return refused('malformed_json', `The line is not JSON: ${error.message}.`);
  }
}

function checkEvent(bytes: Uint8Array): LineCheck {
  const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
  scanner.skipWhitespace();
  if (scanner.peek() === -1) return { kind: 'blank' };
  if (scanner.peek() !== OPEN_BRACE) {
    scanner.skipValue();
    scanner.expectEnd();
    return refused('invalid_body', 'The line is not a JSON object.');
  }
  const members = new Members(bytes);
  scanner.visitObject(0, (key) => {
    const start = scanner.at;
    scanner.skipValue();
    if (MEMBERS.has(key)) members.set(key, { start, end: scanner.at });
  });
  scanner.expectEnd();
  return judge(members);
}

function judge(members: Members): LineCheck {
  const tenant = members.text('tenant_id');
  const fault =
    nameFault(members, 'event_type', eventTypeFault) ??
    nameFault(members, 'entity_id', entityIdFault) ??
    payloadFault(members) ??
    timestampFault(members) ??
    (tenant === null ? null : faultOf('invalid_tenant_id', tenantIdFault(tenant))) ??
    notTextFault(members, 'tenant_id');
  if (fault !== null) return fault;
  return { kind: 'event', isConditional: members.isGiven('expected_version'), tenant };
}

type Refused = Extract<LineCheck, { kind: 'refused' }>;

function refused(code: string, reason: string): Refused {
  return { kind: 'refused', code, reason };
}

function faultOf(code: string, reason: string | null): Refused | null {
  return reason === null ? null : refused(code, reason);
}

function nameFault(
  members: Members,
  name: 'event_type' | 'entity_id',
  fault: (value: string) => string | null,
): Refused | null {
  if (!members.isGiven(name)) return refused('invalid_body', `'${name}' is missing.`);
  const text = members.text(name);
  if (text === null) return refused('invalid_body', `'${name}' must be a string.`);
  return faultOf(`invalid_${name}`, fault(text));
}

function payloadFault(members: Members): Refused | null {
  if (!members.has('payload')) return refused('invalid_body', "'payload' is missing.");
  const bytes = members.bytesOf('metadata');
  if (bytes <= LIMITS.metadataBytesMax) return null;
  return refused(
    'payload_too_large',
    `'metadata' is ${bytes} bytes; at most ${LIMITS.metadataBytesMax} are allowed.`,
  );
}

function timestampFault(members: Members): Refused | null {
  if (!members.isGiven('timestamp')) return null;
  const text = members.text('timestamp');
  if (text === null) return refused('invalid_body', "'timestamp' must be a string.");
  if (parseTimestamp(text) !== null) return null;
  return refused(
    'invalid_timestamp',
    `'timestamp' is ${quoted(text)}; allowed is an RFC 3339 instant with a zone, such as 2026-01-31T12:00:00Z.`,
  );
}

function notTextFault(members: Members, name: string): Refused | null {
  return members.isGiven(name) && members.text(name) === null
    ? refused('invalid_body', `'${name}' must be a string.`)
    : null;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Where the members of an event lie in the line. Of members with one name the last counts. */
class Members {
  readonly #bytes: Uint8Array;
  readonly #spans = new Map<string, Span>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  set(name: string, span: Span): void {
    this.#spans.set(name, span);
  }

  has(name: string): boolean {
    return this.#spans.has(name);
  }

  /** True when the member is there and not the literal null. */
  isGiven(name: string): boolean {
    const span = this.#spans.get(name);
    return span !== undefined && this.#bytes[span.start] !== 0x6e;
  }

  bytesOf(name: string): number {
    const span = this.#spans.get(name);
    return span === undefined ? 0 : span.end - span.start;
  }

  /** The decoded text of a member that is a string, else null. */
  text(name: string): string | null {
    const span = this.#spans.get(name);
    return span !== undefined && this.#bytes[span.start] === QUOTE
      ? decodeJsonString(this.#bytes, span.start, span.end)
      : null;
  }
}
