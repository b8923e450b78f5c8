/**
 * One text for each JSON value: two JSON texts have the same canonical text exactly when they are the same value. Members of objects
 * are sorted by name (of members with the same name the last counts), strings are printed by JSON.stringify, and numbers are
 * compared by their decimal value, so `1`, `1.0` and `10e-1` are equal while 9007199254740993 and 9007199254740992 are not.
 */
import { LIMITS } from '../limits/limits.ts';
import { decodeJsonString, JsonScanner } from './json-scanner.ts';

/** The canonical text of a JSON value. The text must be valid JSON; a {@link JsonSyntaxError} is thrown where it is not. */
export function canonicalJson(text: Uint8Array): string {
  const scanner = new JsonScanner(text, LIMITS.jsonDepthMax);
  scanner.skipWhitespace();
  const canonical = canonicalValue(scanner, 0);
  scanner.expectEnd();
  return canonical;
}

function canonicalValue(scanner: JsonScanner, depth: number): string {
  const start = scanner.at;
  const first = String.fromCharCode(scanner.peek());
  if (first === '{') return canonicalObject(scanner, depth);
  if (first === '[') return canonicalArray(scanner, depth);
  scanner.skipValue(depth);
  if (first === '"') return JSON.stringify(decodeJsonString(scanner.bytes, start, scanner.at));
  const text = Buffer.from(scanner.bytes.subarray(start, scanner.at)).toString('latin1');
  return first === '-' || (first >= '0' && first <= '9') ? canonicalNumber(text) : text;
}

function canonicalObject(scanner: JsonScanner, depth: number): string {
  const members = new Map<string, string>();
  scanner.visitObject(depth, (key) => members.set(key, canonicalValue(scanner, depth + 1)));
  const names = [...members.keys()].sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${members.get(name)}`).join(',')}}`;
}

function canonicalArray(scanner: JsonScanner, depth: number): string {
  const elements: string[] = [];
  scanner.visitArray(depth, () => elements.push(canonicalValue(scanner, depth + 1)));
  return `[${elements.join(',')}]`;
}

const EXPONENT_DIGITS_MAX = 20;
const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

/** A decimal number as sign, digits without zeros at either end, and a power of ten. */
function canonicalNumber(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  // Nobody means an exponent this long; printing it as it is keeps its cost in proportion.
  if (exponent.length > EXPONENT_DIGITS_MAX) return text;
  const power =
    BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${power}`;
}
