import { problem } from '../errors/problem.ts';
import { canonicalJson } from '../json/canonical-json.ts';
import { JsonScanner, JsonSyntaxError } from '../json/json-scanner.ts';
import { LIMITS } from '../limits/limits.ts';
import { quoted } from '../model/names.ts';
import { WantedMember } from './wanted-member.ts';

const NEAR_BYTES = 48;
const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * A filter over payloads: a JSON object, each member of which must equal the payload's member of that name. Equality is that of JSON
 * values: types differ ("1" is not 1), numbers are equal by value and the order of members does not matter.
 *
 * Payloads are looked through as bytes, and only as far as their own members: nothing is parsed but a value of a wanted name that cannot be compared as it stands.
 */
export class PayloadFilter {
  readonly #wanted: readonly WantedMember[];
  /** False when a text of the filter has no bytes of its own, as a half of a pair of code units has none. */
  readonly #isPlain: boolean;

  /** Reads the filter's text; throws a problem when it is not a JSON object. */
  constructor(text: string) {
    const members = new Map<string, WantedMember>();
    try {
      const scanner = new JsonScanner(Buffer.from(text), LIMITS.jsonDepthMax);
      scanner.skipWhitespace();
      visitMembers(scanner, (name, value) => members.set(name, new WantedMember(name, value)));
      scanner.expectEnd();
    } catch (error) {
      if (error instanceof JsonSyntaxError) throw filterFault(text, error.message);
      throw error;
    }
    this.#wanted = [...members.values()];
    this.#isPlain = this.#wanted.every((one) => one.isPlain);
  }

  /** The filter as one text: the same for all filters that mean the same. */
  get canonicalText(): string {
    const members = this.#wanted.map(({ name, canonical }) => [name, canonical] as const);
    return JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : Number(a > b))));
  }

  /** True when the payload is an object with all members of the filter. The payload must be valid JSON. */
  matches(payload: Uint8Array): boolean {
    const bytes = Buffer.isBuffer(payload)
      ? payload
      : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    // With escapes in it, a name can be written in many ways.
    if (!this.#isPlain || bytes.indexOf(BACKSLASH) !== -1) return this.#matchesDecoded(bytes);
    if (this.#wanted.some(({ quotedName }) => bytes.indexOf(quotedName) === -1)) return false;
    return this.#matchesPlain(bytes);
  }

  /** A payload without a backslash: a string ends at the next quote, and says what its bytes say. */
  #matchesPlain(bytes: Buffer): boolean {
    const start = afterSpace(bytes, 0);
    if (bytes[start] !== OPEN_BRACE) return false;
    const equal = new Set<WantedMember>();
    let at = afterSpace(bytes, start + 1);
    while (bytes[at] === QUOTE) {
      const nameEnd = afterQuote(bytes, at + 1);
      const wanted = this.#named(bytes, at, nameEnd);
      const valueStart = afterSpace(bytes, afterSpace(bytes, nameEnd) + 1);
      const valueEnd = endOfValue(bytes, valueStart);
      // Of members with the same name the last counts, so the verdict on a name may change until the end.
      if (wanted?.equals(bytes.subarray(valueStart, valueEnd)) === true) equal.add(wanted);
      else if (wanted !== null) equal.delete(wanted);
      at = afterSpace(bytes, valueEnd);
      if (bytes[at] === COMMA) at = afterSpace(bytes, at + 1);
    }
    return equal.size === this.#wanted.length;
  }

  #named(bytes: Buffer, start: number, end: number): WantedMember | null {
    for (const one of this.#wanted) if (one.isNamed(bytes, start, end)) return one;
    return null;
  }

  #matchesDecoded(bytes: Buffer): boolean {
    const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
    scanner.skipWhitespace();
    if (scanner.peek() !== OPEN_BRACE) return false;
    const equal = new Set<WantedMember>();
    visitMembers(scanner, (name, value) => {
      const wanted = this.#wanted.find((one) => one.name === name);
      if (wanted === undefined) return;
      if (canonicalJson(value) === wanted.canonical) equal.add(wanted);
      else equal.delete(wanted);
    });
    return equal.size === this.#wanted.length;
  }
}

/** Behind the white space that begins at `at`. */
function afterSpace(bytes: Buffer, at: number): number {
  let next = at;
  while ((bytes[next] as number) <= 0x20) next++;
  return next;
}

/** Behind the quote that follows next; the end where there is none. */
function afterQuote(bytes: Buffer, from: number): number {
  // Most strings are short, and a call for each costs more than looking.
  const near = Math.min(from + NEAR_BYTES, bytes.length);
  for (let at = from; at < near; at++) if (bytes[at] === QUOTE) return at + 1;
  const quote = bytes.indexOf(QUOTE, near);
  return quote === -1 ? bytes.length : quote + 1;
}

/** Where the value ends that begins at `at`, in valid JSON without a backslash. */
function endOfValue(bytes: Buffer, at: number): number {
  const first = bytes[at];
  if (first === QUOTE) return afterQuote(bytes, at + 1);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return endOfNested(bytes, at);
  let end = at;
  for (; end < bytes.length; end++) {
    const c = bytes[end] as number;
    if (c === COMMA || c === CLOSE_BRACE || c === CLOSE_BRACKET || c <= 0x20) break;
  }
  return end;
}

function endOfNested(bytes: Buffer, at: number): number {
  let depth = 0;
  for (let i = at; i < bytes.length; i++) {
    const c = bytes[i];
    if (c === QUOTE) i = afterQuote(bytes, i + 1) - 1;
    else if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++;
    else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) depth--;
    if (depth === 0) return i + 1;
  }
  return bytes.length;
}

function visitMembers(
  scanner: JsonScanner,
  onMember: (name: string, value: Uint8Array) => void,
): void {
  scanner.visitObject(0, (name) => {
    const start = scanner.at;
    scanner.skipValue(1);
    onMember(name, scanner.bytes.subarray(start, scanner.at));
  });
}

function filterFault(text: string, reason: string): Error {
  return problem(
    'invalid_parameter',
    `'payload_filter' is ${quoted(text)}; allowed is a JSON object such as {"status":"open"} (${reason}).`,
    { parameter: 'payload_filter' },
  );
}
