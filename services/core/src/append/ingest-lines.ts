/**
 * Reads a group of lines, one event object each, into event drafts: the path in TypeScript, which also says what is wrong with a line. Lines are
 * judged in their order, and the first bad one is the answer. A blank line counts as a line and for nothing else.
 */
import { type Problem, problem } from '@allsource/shared/errors';
import { invalidUtf8At, JsonScanner, JsonSyntaxError } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import {
  type EventDraft,
  EventReader,
  type IngestContext,
  type IngestRequest,
  otherTenantFault,
  scanElement,
} from './ingest-request.ts';

const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

interface Line {
  readonly number: number;
  readonly bytes: Buffer;
}

/** Reads whole lines, of which the first has the number `firstLine`. Throws a problem that names the first bad line. */
export function parseLines(body: Buffer, context: IngestContext, firstLine = 1): IngestRequest {
  const events: EventDraft[] = [];
  let tenant: string | null = null;
  for (const line of eventLines(body, firstLine)) {
    const reader = readerOf(line, context);
    events.push(reader.draft());
    const named = reader.tenant();
    if (events.length === 1) tenant = named;
    if (named !== tenant) {
      throw otherTenantFault(reader, { all: 'lines', named, tenant });
    }
  }
  return { tenant, events };
}

/** The number of the line that the event at `index` of a good group stands on. */
export function lineOfEvent(body: Buffer, index: number, firstLine: number): number {
  let left = index;
  for (const { number } of eventLines(body, firstLine)) if (left-- === 0) return number;
  return firstLine;
}

/** The lines that are not blank. */
function* eventLines(body: Buffer, firstLine: number): Generator<Line> {
  let number = firstLine;
  for (let start = 0; start < body.length; number++) {
    const feed = body.indexOf(LINE_FEED, start);
    const end = feed === -1 ? body.length : feed;
    const bytes = body.subarray(start, end);
    if (!isBlank(bytes)) yield { number, bytes };
    start = end + 1;
  }
}

function isBlank(bytes: Buffer): boolean {
  const scanner = new JsonScanner(bytes, 0);
  scanner.skipWhitespace();
  return scanner.at === bytes.length;
}

function readerOf({ number, bytes }: Line, context: IngestContext): EventReader {
  const badAt = invalidUtf8At(bytes);
  if (badAt !== null) throw notJson(number, `it is not valid UTF-8 at byte ${badAt}`, badAt);
  if (number === 1 && bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK))
    throw notJson(number, 'it begins with a byte order mark (EF BB BF); send UTF-8 without one');
  const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
  try {
    scanner.skipWhitespace();
    const raw = scanElement(scanner);
    scanner.expectEnd();
    return new EventReader({ body: bytes, raw, context, place: { pointer: '', line: number } });
  } catch (error) {
    throw error instanceof JsonSyntaxError ? syntaxProblem(number, error) : error;
  }
}

function syntaxProblem(line: number, error: JsonSyntaxError): Problem {
  const { offset, tooDeep } = error;
  if (!tooDeep) return notJson(line, error.message, offset);
  const limit = LIMITS.jsonDepthMax;
  const detail = `Line ${line} nests deeper than ${limit} levels; nothing of its group was stored.`;
  return problem('json_too_deep', detail, { pointer: '', line, limit_depth: limit, offset });
}

/** `offset` counts the bytes of the line. */
function notJson(line: number, reason: string, offset = 0): Problem {
  const detail = `Line ${line} is not JSON: ${reason}. Nothing of its group was stored.`;
  return problem('malformed_json', detail, { pointer: '', line, offset });
}
