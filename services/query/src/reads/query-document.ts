/**
 * A query over events as a JSON document: its members are those of the query parameters (`{"entity_id": "order-1", "limit": 10}`), or conditions stand in
 * `where` (`{"from": "events", "where": {"and": [{"op": "eq", "field": "event_type", "value": "order.placed"}]}}`). Both become parameters, so that a document
 * means, is checked and is refused as the same query in a URL.
 *
 * Only what can be carried out is taken: alternatives (`or`) and other comparisons are refused, never passed over.
 */
import { problem } from '@allsource/shared/errors';
import { formatRawMembers, JsonScanner, rawMembers, wholeNumberOf } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { PayloadFilter } from '@allsource/shared/protocol';

/** Conditions, which may stand in `where` too. */
const CONDITIONS = [
  'entity_id',
  'event_type',
  'event_type_prefix',
  'exclude_event_type_prefix',
  'since',
  'until',
  'as_of',
  'as_of_recorded',
];
const TEXTS = [...CONDITIONS, 'order', 'cursor', 'consistency', 'tenant_id'];
const COUNTS = ['limit', 'offset', 'min_position'];
const FLAGS = ['explain', 'upcast'];
const PAYLOAD = 'payload.';
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const PAYLOAD_FILTER = 'payload_filter';

/** The parameters that a document stands for. `text` is a JSON object. Members that are not known are passed over, as parameters are. */
export function parametersOfDocument(text: Uint8Array): Map<string, string> {
  const members = rawMembers(text) ?? new Map<string, string>();
  const parameters = new Map<string, string>();
  requireEvents(members.get('from'));
  const take = (names: readonly string[], valueOf: typeof textValue) => {
    for (const name of names) {
      const value = valueOf(members.get(name), `/${name}`);
      if (value !== null) parameters.set(name, value);
    }
  };
  take(TEXTS, textValue);
  take(COUNTS, countValue);
  take(FLAGS, flagValue);
  const filter = members.get(PAYLOAD_FILTER);
  // As text or as an object; its numbers keep their text.
  if (filter !== undefined && filter !== 'null')
    parameters.set(PAYLOAD_FILTER, filter.startsWith('"') ? String(JSON.parse(filter)) : filter);
  const where = members.get('where');
  if (where !== undefined && where !== 'null') takeWhere(parameters, where);
  return parameters;
}

function requireEvents(from: string | undefined): void {
  if (from === undefined || from === 'null' || from === '"events"') return;
  throw documentFault('/from', `'from' is ${quoted(from)}; allowed is "events"`);
}

/** A text as parameters have it; null for what is not there. */
function textValue(raw: string | undefined, pointer: string): string | null {
  if (raw === undefined || raw === 'null') return null;
  const value: unknown = raw.startsWith('"') ? JSON.parse(raw) : null;
  if (value === '')
    throw documentFault(pointer, `${lastOf(pointer)} is empty; name one, or leave it out`);
  if (typeof value === 'string') return value;
  throw valueFault(raw, pointer, 'a text');
}

function countValue(raw: string | undefined, pointer: string): string | null {
  if (raw === undefined || raw === 'null') return null;
  const count = wholeNumberOf(raw);
  if (count !== null) return String(count);
  throw valueFault(raw, pointer, 'a whole number of at least 0');
}

function flagValue(raw: string | undefined, pointer: string): string | null {
  if (raw === undefined || raw === 'null') return null;
  if (raw === 'true' || raw === 'false') return raw;
  throw valueFault(raw, pointer, 'true or false');
}

function takeWhere(parameters: Map<string, string>, where: string): void {
  const filter = parameters.get(PAYLOAD_FILTER);
  const payload = filter === undefined ? new Map<string, string>() : membersOfFilter(filter);
  const conditions = conditionsOf(where, '/where', 0);
  if (conditions.length > LIMITS.filtersMax)
    throw documentFault(
      '/where',
      `'where' has ${conditions.length} conditions; at most ${LIMITS.filtersMax} are allowed`,
    );
  for (const { field, value, pointer } of conditions) {
    const isPayload = field.startsWith(PAYLOAD);
    const name = isPayload ? field.slice(PAYLOAD.length) : field;
    const taken = isPayload ? payload : parameters;
    if (taken.has(name))
      throw documentFault(pointer, `there are two conditions on ${quoted(field)}`);
    if (isPayload) taken.set(name, value);
    else taken.set(name, conditionValue(value, pointer));
  }
  if (payload.size > 0) parameters.set(PAYLOAD_FILTER, formatRawMembers(payload));
}

/** What a filter beside `where` asks of payloads, to be joined with the conditions there. */
function membersOfFilter(text: string): Map<string, string> {
  // Refuses what is no JSON object, in the words of the parameter.
  void new PayloadFilter(text);
  return rawMembers(Buffer.from(text)) ?? new Map<string, string>();
}

function conditionValue(raw: string, pointer: string): string {
  const value = textValue(raw, `${pointer}/value`);
  if (value !== null) return value;
  throw valueFault(raw, `${pointer}/value`, 'a text');
}

interface Condition {
  readonly field: string;
  /** Raw JSON. */
  readonly value: string;
  readonly pointer: string;
}

/** The conditions that must all hold. */
function conditionsOf(raw: string, pointer: string, depth: number): Condition[] {
  const members = rawMembers(Buffer.from(raw));
  const all = members?.get('and') ?? members?.get('or');
  if (members === null || depth > LIMITS.jsonDepthMax) throw shapeFault(raw, pointer);
  if (all === undefined) return [comparison(members, raw, pointer)];
  const parts = elementsOf(all);
  const isOr = members.has('or');
  if (parts === null || members.size !== 1) throw shapeFault(raw, pointer);
  if (isOr && parts.length > 1)
    throw documentFault(
      `${pointer}/or`,
      "'or' with more than one alternative is not carried out; ask for each alternative by itself",
    );
  const name = isOr ? 'or' : 'and';
  return parts.flatMap((part, i) => conditionsOf(part, `${pointer}/${name}/${i}`, depth + 1));
}

function comparison(members: Map<string, string>, raw: string, pointer: string): Condition {
  const value = members.get('value');
  const field = textValue(members.get('field'), `${pointer}/field`);
  if (value === undefined || field === null) throw shapeFault(raw, pointer);
  const op = textValue(members.get('op'), `${pointer}/op`) ?? 'eq';
  if (op !== 'eq')
    throw documentFault(`${pointer}/op`, `'op' is ${quoted(op)}; the one allowed is eq`);
  if (CONDITIONS.includes(field) || field.startsWith(PAYLOAD)) return { field, value, pointer };
  throw documentFault(
    `${pointer}/field`,
    `'field' is ${quoted(field)}; allowed are ${CONDITIONS.join(', ')} and payload.<name>`,
  );
}

/** The elements of a JSON array as raw text; null for anything else. */
function elementsOf(raw: string): string[] | null {
  const bytes = Buffer.from(raw);
  const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
  const elements: string[] = [];
  if (!scanner.take(OPEN_BRACKET)) return null;
  scanner.skipWhitespace();
  if (scanner.take(CLOSE_BRACKET)) return elements;
  do {
    scanner.skipWhitespace();
    const start = scanner.at;
    scanner.skipValue(1);
    elements.push(bytes.toString('utf8', start, scanner.at));
    scanner.skipWhitespace();
  } while (scanner.take(COMMA));
  return elements;
}

function valueFault(raw: string, pointer: string, allowed: string): Error {
  return documentFault(pointer, `${lastOf(pointer)} is ${quoted(raw)}; allowed is ${allowed}`);
}

/** The name of the member that a pointer leads to. */
function lastOf(pointer: string): string {
  return quoted(pointer.slice(pointer.lastIndexOf('/') + 1));
}

function shapeFault(raw: string, pointer: string): Error {
  return documentFault(
    pointer,
    `${quoted(raw)} is no condition; allowed are {"op":"eq","field":...,"value":...} and {"and":[...]}`,
  );
}

function documentFault(pointer: string, detail: string): Error {
  return problem('invalid_body', `${detail}.`, { pointer });
}
