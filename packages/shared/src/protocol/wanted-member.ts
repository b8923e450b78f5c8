import { canonicalJson } from '../json/canonical-json.ts';

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
/** A number that is written in one way only. */
const PLAIN_INTEGER = /^(?:0|-?[1-9]\d*)$/;

/** A member that a payload must have, in the forms that payloads are compared with. */
export class WantedMember {
  readonly name: string;
  /** False when the name or a string value is not well-formed Unicode: bytes cannot tell it then. */
  readonly isPlain: boolean;
  /** As the name stands in a payload that writes it without escapes. */
  readonly quotedName: Buffer;
  /** The value as one text: the same for all texts of equal values. */
  readonly canonical: string;
  /** A string's bytes with its quotes, for strings that need no escapes; a number's or literal's bytes as the filter has them. */
  readonly #bytes: Buffer;
  readonly #isPlainInteger: boolean;

  constructor(name: string, value: Uint8Array) {
    this.name = name;
    this.isPlain = name.isWellFormed() && isWellFormed(value);
    this.quotedName = Buffer.from(`"${name}"`);
    this.canonical = canonicalJson(value);
    this.#bytes = value[0] === QUOTE ? unescaped(value) : Buffer.from(value);
    this.#isPlainInteger = PLAIN_INTEGER.test(this.#bytes.toString('latin1'));
  }

  /** True when the bytes from `start` to before `end`, a string with its quotes and without escapes, are the name. */
  isNamed(bytes: Buffer, start: number, end: number): boolean {
    const { quotedName } = this;
    if (end - start !== quotedName.length) return false;
    for (let i = 0; i < quotedName.length; i++)
      if (bytes[start + i] !== quotedName[i]) return false;
    return true;
  }

  /** True when a value of a payload without a backslash equals this one. */
  equals(value: Buffer): boolean {
    if (value.equals(this.#bytes)) return true;
    const first = value[0] as number;
    const own = this.#bytes[0] as number;
    // Without escapes a string says what its bytes say, and the bytes differ.
    if (first === QUOTE || own === QUOTE) return false;
    const isNested = first === OPEN_BRACE || first === OPEN_BRACKET;
    if (isNested) return first === own && canonicalJson(value) === this.canonical;
    if (!isNumber(first) || !isNumber(own)) return false;
    if (this.#isPlainInteger && PLAIN_INTEGER.test(value.toString('latin1'))) return false;
    return canonicalJson(value) === this.canonical;
  }
}

function isWellFormed(value: Uint8Array): boolean {
  if (value[0] !== QUOTE) return true;
  const text: unknown = JSON.parse(Buffer.from(value).toString('utf8'));
  return String(text).isWellFormed();
}

/** A string of JSON with its escapes decoded, in quotes. */
function unescaped(value: Uint8Array): Buffer {
  const text: unknown = JSON.parse(Buffer.from(value).toString('utf8'));
  return Buffer.from(`"${String(text)}"`);
}

/** True for a byte that a number begins with. */
function isNumber(first: number): boolean {
  return first === 0x2d || (first >= 0x30 && first <= 0x39);
}
