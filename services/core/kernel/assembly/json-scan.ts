/**
 * Steps over JSON values byte by byte, 16 bytes at a time inside strings. Each function takes the address of a value's first byte and returns the
 * address behind the value, or 0 when it is not a value by RFC 8259 or nests too deep. The same language as JsonScanner of packages/shared,
 * which says why a text is refused; here 0 only means "ask the other path".
 *
 * No function looks at the end of the input. Zero bytes lie behind it (layout.ts), a zero byte is refused everywhere, so every
 * loop ends there; what remains to check at the very end is that the document stopped where the input does.
 */

export const QUOTE: u32 = 0x22;
export const OPEN_BRACE: u32 = 0x7b;
export const CLOSE_BRACE: u32 = 0x7d;
export const OPEN_BRACKET: u32 = 0x5b;
export const CLOSE_BRACKET: u32 = 0x5d;
export const COLON: u32 = 0x3a;
export const COMMA: u32 = 0x2c;
const BACKSLASH: u32 = 0x5c;
const MINUS: u32 = 0x2d;
const PLUS: u32 = 0x2b;
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const LOWER_U: u32 = 0x75;
const WORD_NULL: u32 = 0x6c6c756e;
const WORD_TRUE: u32 = 0x65757274;
const WORD_ALSE: u32 = 0x65736c61;

const DEPTH_MAX: i32 = 64;

export function skipSpace(start: usize): usize {
  let p = start;
  while (true) {
    const c: u32 = load<u8>(p);
    if (c > 0x20) return p;
    if (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09) return p;
    p++;
  }
}

/** The bits of the bytes among the 16 at `p` that end a run of ordinary string bytes: a quote, a backslash, a control character. */
function specialBytes(p: usize): i32 {
  const block = v128.load(p);
  return i8x16.bitmask(
    v128.or(
      v128.or(i8x16.eq(block, i8x16.splat(0x22)), i8x16.eq(block, i8x16.splat(0x5c))),
      i8x16.lt_u(block, i8x16.splat(0x20)),
    ),
  );
}

/** `p` stands behind the opening quote. */
export function skipString(start: usize): usize {
  let p = start;
  while (true) {
    const special = specialBytes(p);
    if (special == 0) {
      p += 16;
      continue;
    }
    p += ctz(special);
    const c: u32 = load<u8>(p);
    if (c == QUOTE) return p + 1;
    if (c != BACKSLASH) return 0;
    p = skipEscape(p);
    if (p == 0) return 0;
  }
}

/** Like skipString, for a string without escapes; 0 for one with. */
export function skipStringWithoutEscapes(start: usize): usize {
  let p = start;
  while (true) {
    const special = specialBytes(p);
    if (special == 0) {
      p += 16;
      continue;
    }
    p += ctz(special);
    return load<u8>(p) == QUOTE ? p + 1 : 0;
  }
}

/** The closing quote of a string of printable ASCII without escapes; 0 for any other. `start` stands behind the opening quote. */
export function endOfPlainString(start: usize): usize {
  let p = start;
  while (true) {
    const block = v128.load(p);
    const quotes = i8x16.eq(block, i8x16.splat(0x22));
    // As signed bytes, those from 0x80 on are below the space too; 0x7f is the one control character above it.
    const others = v128.or(
      v128.or(i8x16.eq(block, i8x16.splat(0x5c)), i8x16.eq(block, i8x16.splat(0x7f))),
      i8x16.lt_s(block, i8x16.splat(0x20)),
    );
    const special = i8x16.bitmask(v128.or(quotes, others));
    if (special == 0) {
      p += 16;
      continue;
    }
    p += ctz(special);
    return load<u8>(p) == QUOTE ? p : 0;
  }
}

function isHexDigit(c: u32): bool {
  return c - ZERO < 10 || (c | 0x20) - 0x61 < 6;
}

/** `p` stands at the backslash. */
function skipEscape(p: usize): usize {
  const c: u32 = load<u8>(p, 1);
  if (c == LOWER_U) {
    const isCodeUnit =
      isHexDigit(load<u8>(p, 2)) &&
      isHexDigit(load<u8>(p, 3)) &&
      isHexDigit(load<u8>(p, 4)) &&
      isHexDigit(load<u8>(p, 5));
    return isCodeUnit ? p + 6 : 0;
  }
  // " / \ b f n r t
  const isSimple =
    c == QUOTE ||
    c == 0x2f ||
    c == BACKSLASH ||
    c == 0x62 ||
    c == 0x66 ||
    c == 0x6e ||
    c == 0x72 ||
    c == 0x74;
  return isSimple ? p + 2 : 0;
}

/** At least one digit. */
function skipDigits(start: usize): usize {
  let p = start;
  while (<u32>load<u8>(p) - ZERO < 10) p++;
  return p == start ? 0 : p;
}

export function skipNumber(start: usize): usize {
  let p = start;
  if (load<u8>(p) == MINUS) p++;
  if (load<u8>(p) == ZERO) p++;
  else if ((p = skipDigits(p)) == 0) return 0;
  if (load<u8>(p) == DOT && (p = skipDigits(p + 1)) == 0) return 0;
  if ((<u32>load<u8>(p) | 0x20) == 0x65) {
    const sign: u32 = load<u8>(p, 1);
    p = skipDigits(sign == PLUS || sign == MINUS ? p + 2 : p + 1);
  }
  return p;
}

export function isNull(p: usize): bool {
  return load<u32>(p) == WORD_NULL;
}

function skipLiteral(p: usize): usize {
  const word = load<u32>(p);
  if (word == WORD_TRUE || word == WORD_NULL) return p + 4;
  return load<u8>(p) == 0x66 && load<u32>(p, 1) == WORD_ALSE ? p + 5 : 0;
}

/** A member's name and colon, to the first byte of its value. `p` may stand at white space before the name. */
function skipName(start: usize): usize {
  let p = skipSpace(start);
  if (load<u8>(p) != QUOTE) return 0;
  if ((p = skipString(p + 1)) == 0) return 0;
  p = skipSpace(p);
  return load<u8>(p) == COLON ? skipSpace(p + 1) : 0;
}

/** A string, a number or a literal. */
function skipScalar(p: usize, first: u32): usize {
  if (first == QUOTE) return skipString(p + 1);
  return first == MINUS || first - ZERO < 10 ? skipNumber(p) : skipLiteral(p);
}

/**
 * A value of any kind. Instead of recursing, it keeps one bit for each object (1) or array (0) around the cursor: 64 levels
 * are exactly the bits of one integer.
 */
export function skipValue(start: usize): usize {
  let p = start;
  let depth: i32 = 0;
  let kinds: u64 = 0;
  while (true) {
    const first: u32 = load<u8>(p);
    if (first == OPEN_BRACE || first == OPEN_BRACKET) {
      if (++depth > DEPTH_MAX) return 0;
      const isObject = first == OPEN_BRACE;
      kinds = (kinds << 1) | u64(isObject);
      p = skipSpace(p + 1);
      if (<u32>load<u8>(p) != (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) {
        if (isObject && (p = skipName(p)) == 0) return 0;
        continue;
      }
      // Closed at once: the loop below takes the bracket.
    } else if ((p = skipScalar(p, first)) == 0) return 0;
    // Behind a value, or at the bracket that closes an empty object or array.
    while (true) {
      if (depth == 0) return p;
      p = skipSpace(p);
      const c: u32 = load<u8>(p);
      const isObject = (kinds & 1) != 0;
      if (c == COMMA) {
        p = isObject ? skipName(p + 1) : skipSpace(p + 1);
        if (p == 0) return 0;
        break;
      }
      if (c != (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) return 0;
      depth--;
      kinds >>= 1;
      p++;
    }
  }
}
