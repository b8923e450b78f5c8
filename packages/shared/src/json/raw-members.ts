import { LIMITS } from '../limits/limits.ts';
import { JsonScanner } from './json-scanner.ts';

/**
 * The members of a JSON object as raw text, in the order in which they first appear; of members with the same name the last wins,
 * as in JSON.parse. Values are the bytes as sent, so no number changes. A Map, so that names such as __proto__ are plain data.
 * Returns null when the text is not an object. The text must be valid JSON.
 */
export function rawMembers(text: Uint8Array): Map<string, string> | null {
  const scanner = new JsonScanner(text, LIMITS.jsonDepthMax);
  scanner.skipWhitespace();
  if (scanner.peek() !== 0x7b) return null;
  const members = new Map<string, string>();
  const buffer = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  scanner.visitObject(0, (key) => {
    const start = scanner.at;
    scanner.skipValue(1);
    members.set(key, buffer.toString('utf8', start, scanner.at));
  });
  return members;
}

/** Prints raw members as a JSON object. */
export function formatRawMembers(members: ReadonlyMap<string, string>): string {
  const parts: string[] = [];
  for (const [key, value] of members) parts.push(`${JSON.stringify(key)}:${value}`);
  return `{${parts.join(',')}}`;
}
