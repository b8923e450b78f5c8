import { decodeJsonString, JsonScanner } from '@allsource/shared/json';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COLON = 0x3a;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const NAMES_MAX = 16;
const LENGTH_MAX = 500;

interface WantedName {
  readonly name: string;
  /** As it stands in a payload that writes it without escapes. */
  readonly quoted: Buffer;
}

/**
 * A numeric field of payloads: names of members joined by dots, or a JSON pointer where names have dots. Payloads are looked through as bytes; nothing is parsed but the
 * number.
 */
export class PayloadField {
  readonly text: string;
  readonly #names: readonly WantedName[];

  /** Throws `invalid_parameter`. */
  constructor(text: string, parameter = 'field') {
    this.text = text;
    this.#names = namesOf(text).map((name) => ({ name, quoted: Buffer.from(`"${name}"`) }));
    const isGood =
      text.length <= LENGTH_MAX &&
      this.#names.length <= NAMES_MAX &&
      this.#names.every(({ name }) => name !== '');
    if (isGood) return;
    throw problem(
      'invalid_parameter',
      `'${parameter}' is ${quoted(text)}; allowed are up to ${NAMES_MAX} names of members joined by dots, such as order.total, or a JSON pointer such as /order/total.`,
      { parameter },
    );
  }

  /** The number that stands there; null where there is none, or one that is beyond all doubles. The payload must be valid JSON. */
  numberIn(payload: Buffer): number | null {
    const scanner = new JsonScanner(payload, LIMITS.jsonDepthMax);
    scanner.skipWhitespace();
    for (const wanted of this.#names) {
      const start = memberStart(scanner, wanted);
      if (start === -1) return null;
      scanner.at = start;
    }
    return numberAt(scanner);
  }
}

/** Where the value of a member begins, of the last one of that name; -1 where there is none. */
function memberStart(scanner: JsonScanner, wanted: WantedName): number {
  if (!scanner.take(OPEN_BRACE)) return -1;
  let start = -1;
  scanner.skipWhitespace();
  if (scanner.take(CLOSE_BRACE)) return -1;
  do {
    scanner.skipWhitespace();
    const isWanted = isNamed(scanner, wanted);
    scanner.skipWhitespace();
    scanner.expect(COLON);
    scanner.skipWhitespace();
    if (isWanted) start = scanner.at;
    scanner.skipValue(1);
    scanner.skipWhitespace();
  } while (scanner.take(COMMA));
  return start;
}

/** Moves past a name, and says whether it is the one. Names without escapes are compared as bytes, which costs a fraction of decoding them. */
function isNamed(scanner: JsonScanner, { name, quoted: bytes }: WantedName): boolean {
  const { at } = scanner;
  scanner.skipString();
  const length = scanner.at - at;
  if (length === bytes.length) {
    let i = 1;
    while (i < length && scanner.bytes[at + i] === bytes[i]) i++;
    if (i === length) return true;
  }
  // An escape takes more bytes than what it stands for.
  if (length <= bytes.length || !scanner.bytes.subarray(at, scanner.at).includes(BACKSLASH))
    return false;
  return decodeJsonString(scanner.bytes, at, scanner.at) === name;
}

function numberAt(scanner: JsonScanner): number | null {
  const first = scanner.peek();
  if (first !== MINUS && (first < ZERO || first > NINE)) return null;
  const start = scanner.at;
  scanner.skipValue();
  const { bytes } = scanner;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, scanner.at - start);
  const number = Number(text.toString('latin1'));
  return Number.isFinite(number) ? number : null;
}

function namesOf(text: string): string[] {
  if (!text.startsWith('/')) return text.split('.');
  return text
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}
