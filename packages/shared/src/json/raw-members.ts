import { LIMITS } from '../limits/limits.ts';
import { decodeJsonString, JsonScanner } from './json-scanner.ts';

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Members of an object whose names are remembered, and the longest such name. */
const NAMES_MAX = 64;
const NAME_BYTES_MAX = 64;

interface KnownName {
  /** With its quotes. */
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * The name that each place of an object had last. Objects of one kind have the same names in the same places, and to compare bytes is several times
 * cheaper than to decode them.
 */
const lastNames: KnownName[] = [];

/**
 * The members of a JSON object as raw text, in the order in which they first appear; of members with the same name the last wins,
 * as in JSON.parse. Values are the bytes as sent, so no number changes. A Map, so that names such as __proto__ are plain data.
 * Returns null when the text is not an object. The text must be valid JSON.
 */
export function rawMembers(text: Uint8Array): Map<string, string> | null {
  const members = new Map<string, string>();
  return visitRawMembers(text, (name, value) => members.set(name, value)) ? members : null;
}

/** Calls `visit` with each member of a JSON object as raw text, in order. Returns false when the text is not an object. The text must be valid JSON. */
export function visitRawMembers(
  text: Uint8Array,
  visit: (name: string, value: string) => void,
): boolean {
  const scanner = new JsonScanner(text, LIMITS.jsonDepthMax);
  scanner.skipWhitespace();
  if (!scanner.take(OPEN_BRACE)) return false;
  scanner.skipWhitespace();
  if (scanner.take(CLOSE_BRACE)) return true;
  const buffer = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  let place = 0;
  do {
    scanner.skipWhitespace();
    const name = nameAt(scanner, place++);
    scanner.skipWhitespace();
    scanner.expect(COLON);
    scanner.skipWhitespace();
    const start = scanner.at;
    scanner.skipValue(1);
    visit(name, buffer.toString('utf8', start, scanner.at));
    scanner.skipWhitespace();
  } while (scanner.take(COMMA));
  scanner.expect(CLOSE_BRACE);
  return true;
}

function nameAt(scanner: JsonScanner, place: number): string {
  const { bytes, at } = scanner;
  const last = lastNames[place];
  if (last !== undefined && startsWith(bytes, at, last.bytes)) {
    scanner.at = at + last.bytes.length;
    return last.text;
  }
  scanner.skipString();
  const text = decodeJsonString(bytes, at, scanner.at);
  if (place < NAMES_MAX && scanner.at - at <= NAME_BYTES_MAX)
    lastNames[place] = { bytes: bytes.slice(at, scanner.at), text };
  return text;
}

function startsWith(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  if (bytes[at] !== QUOTE) return false;
  for (let i = 1; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

/** Prints raw members as a JSON object. */
export function formatRawMembers(members: ReadonlyMap<string, string>): string {
  const parts: string[] = [];
  for (const [key, value] of members) parts.push(`${JSON.stringify(key)}:${value}`);
  return `{${parts.join(',')}}`;
}
