import type { JsonValue } from './compiled-projection.ts';

/** Something that may be a number which a parse and a print would change, in a string too. */
const UNUSUAL_NUMBER = /\d{16}|\.\d*0(?!\d)|\d[eE]|-0/;

interface ExactJson {
  parse(
    text: string,
    reviver: (name: string, value: JsonValue, context: { readonly source?: string }) => JsonValue,
  ): JsonValue;
  /** A number that JSON.stringify prints as the text given. */
  rawJSON(text: string): JsonValue;
}

/** A part of the language that its types do not have yet. */
const EXACT = JSON as unknown as ExactJson;

/** Parses JSON so that JSON.stringify prints each number as it was sent: 12345678901234567890 and 1.0 stay what they are. The text must be valid JSON. */
export function exactJson(text: string): JsonValue {
  if (!UNUSUAL_NUMBER.test(text)) return JSON.parse(text) as JsonValue;
  return EXACT.parse(text, (_name, value, { source }) =>
    typeof value === 'number' && source !== undefined && String(value) !== source
      ? EXACT.rawJSON(source)
      : value,
  );
}
