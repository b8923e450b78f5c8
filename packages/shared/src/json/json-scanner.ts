/**
 * Walks JSON text as bytes: it checks the grammar of RFC 8259 and says where each value lies, without building objects. Text that
 * passes is text that JSON.parse takes, and text that fails is text that JSON.parse refuses, except that nesting over the given depth
 * fails here. The caller makes sure that the bytes are valid UTF-8 (invalid-utf8.ts).
 */

/** Why a text is not JSON, and at which byte. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
  readonly offset: number;
  readonly tooDeep: boolean;

  constructor(reason: string, offset: number, tooDeep = false) {
    super(`${reason} at byte ${offset}`);
    this.offset = offset;
    this.tooDeep = tooDeep;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COLON = 0x3a;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
// The characters that may follow a backslash, except u: " / \ b f n r t
const SIMPLE_ESCAPES = new Set([0x22, 0x2f, 0x5c, 0x62, 0x66, 0x6e, 0x72, 0x74]);

export class JsonScanner {
  readonly bytes: Uint8Array;
  readonly #depthMax: number;
  /** The byte looked at next. */
  at = 0;

  /** Scans `bytes` from `start`. Objects and arrays may nest `depthMax` deep. */
  constructor(bytes: Uint8Array, depthMax: number, start = 0) {
    this.bytes = bytes;
    this.#depthMax = depthMax;
    this.at = start;
  }

  /** The byte at the cursor, or -1 at the end. */
  peek(): number {
    return this.at < this.bytes.length ? (this.bytes[this.at] as number) : -1;
  }

  /** Moves past spaces, tabs, line feeds and carriage returns. */
  skipWhitespace(): void {
    const { bytes } = this;
    while (this.at < bytes.length) {
      const c = bytes[this.at];
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }

  /** True, and moves past it, when the cursor stands at this byte. */
  take(byte: number): boolean {
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  /** Moves past this byte or throws a {@link JsonSyntaxError}. */
  expect(byte: number): void {
    if (!this.take(byte))
      this.#fail(`expected '${String.fromCharCode(byte)}' but found ${this.#shown()}`);
  }

  /** Throws unless only white space follows. */
  expectEnd(): void {
    this.skipWhitespace();
    if (this.at < this.bytes.length)
      this.#fail(`unexpected ${this.#shown()} after the end of the document`);
  }

  /** Moves past one value of any kind. `depth` counts the objects and arrays around it. */
  skipValue(depth = 0): void {
    const c = this.peek();
    if (c === QUOTE) this.skipString();
    else if (c === OPEN_BRACE) this.#skipObject(depth + 1);
    else if (c === OPEN_BRACKET) this.#skipArray(depth + 1);
    else if (c === 0x74) this.#skipLiteral('true');
    else if (c === 0x66) this.#skipLiteral('false');
    else if (c === 0x6e) this.#skipLiteral('null');
    else this.#skipNumber();
  }

  /**
   * Visits the members of the object at the cursor in order. `onMember` is called with the cursor at the value and the key's
   * decoded text; it must move past the value. `depth` counts the objects and arrays around this object.
   */
  visitObject(depth: number, onMember: (key: string) => void): void {
    this.#enter(depth + 1);
    this.expect(OPEN_BRACE);
    this.skipWhitespace();
    if (this.take(CLOSE_BRACE)) return;
    do {
      this.skipWhitespace();
      const keyStart = this.at;
      this.skipString();
      const key = decodeJsonString(this.bytes, keyStart, this.at);
      this.skipWhitespace();
      this.expect(COLON);
      this.skipWhitespace();
      onMember(key);
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACE);
  }

  /** Visits the elements of the array at the cursor; `onElement` must move past the element. */
  visitArray(depth: number, onElement: () => void): void {
    this.#enter(depth + 1);
    this.expect(OPEN_BRACKET);
    this.skipWhitespace();
    if (this.take(CLOSE_BRACKET)) return;
    do {
      this.skipWhitespace();
      onElement();
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACKET);
  }

  /** Moves past the string at the cursor, its quotes included. */
  skipString(): void {
    const { bytes } = this;
    this.expect(QUOTE);
    while (this.at < bytes.length) {
      const c = bytes[this.at] as number;
      if (c === QUOTE) {
        this.at++;
        return;
      }
      if (c < 0x20) this.#fail('a control character must be escaped inside a string');
      if (c === BACKSLASH) this.#skipEscape();
      else this.at++;
    }
    this.#fail('the string does not end');
  }

  #skipEscape(): void {
    this.at++;
    const c = this.peek();
    if (SIMPLE_ESCAPES.has(c)) {
      this.at++;
      return;
    }
    if (c !== 0x75) this.#fail('bad escape in a string');
    for (let i = 1; i <= 4; i++) {
      const digit = this.bytes[this.at + i];
      if (digit === undefined || !isHexDigit(digit))
        this.#fail('\\u needs four hexadecimal digits');
    }
    this.at += 5;
  }

  #skipObject(depth: number): void {
    this.#enter(depth);
    this.at++;
    this.skipWhitespace();
    if (this.take(CLOSE_BRACE)) return;
    do {
      this.skipWhitespace();
      this.skipString();
      this.skipWhitespace();
      this.expect(COLON);
      this.skipWhitespace();
      this.skipValue(depth);
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACE);
  }

  #skipArray(depth: number): void {
    this.#enter(depth);
    this.at++;
    this.skipWhitespace();
    if (this.take(CLOSE_BRACKET)) return;
    do {
      this.skipWhitespace();
      this.skipValue(depth);
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACKET);
  }

  #enter(depth: number): void {
    if (depth > this.#depthMax) {
      throw new JsonSyntaxError(
        `the JSON nests deeper than ${this.#depthMax} levels`,
        this.at,
        true,
      );
    }
  }

  #skipLiteral(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) this.#fail(`expected '${word}'`);
    }
    this.at += word.length;
  }

  #skipNumber(): void {
    const start = this.at;
    this.take(MINUS);
    if (!this.take(ZERO)) this.#skipDigits(start);
    if (this.take(DOT)) this.#skipDigits(start);
    const c = this.peek();
    if (c === 0x65 || c === 0x45) {
      this.at++;
      if (!this.take(0x2b)) this.take(MINUS);
      this.#skipDigits(start);
    }
  }

  #skipDigits(numberStart: number): void {
    const start = this.at;
    while (isDigit(this.peek())) this.at++;
    if (this.at > start) return;
    this.#fail(
      start === numberStart ? `expected a value but found ${this.#shown()}` : 'expected a digit',
    );
  }

  #shown(): string {
    const c = this.peek();
    if (c === -1) return 'the end';
    return c > 0x20 && c < 0x7f
      ? `'${String.fromCharCode(c)}'`
      : `byte 0x${c.toString(16).padStart(2, '0')}`;
  }

  #fail(reason: string): never {
    throw new JsonSyntaxError(reason, this.at);
  }
}

function isDigit(c: number): boolean {
  return c >= ZERO && c <= NINE;
}

function isHexDigit(c: number): boolean {
  return isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);
}

/** The text of a JSON string that a scanner has passed; `start` and `end` include the quotes. */
export function decodeJsonString(bytes: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  if (!text.includes(BACKSLASH)) return text.toString('utf8', 1, text.length - 1);
  return JSON.parse(text.toString('utf8')) as string;
}
