import { InvalidArgumentError } from 'commander';

/** Reads a whole number within limits. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Allowed is a whole number from ${min} to ${max}.`);
  };
}

/**
 * Reads an event type or a prefix of types: a text with the ending `*`, or for `.*` one with a dot before it. A star alone means all types.
 */
export function typeOrPrefix(ending: '*' | '.*'): (text: string) => string {
  return (text) => {
    const start = text.endsWith(ending) ? text.slice(0, -ending.length) : text;
    if (text === '*' || !start.includes('*')) return text;
    throw new InvalidArgumentError(
      `Allowed is an event type such as order.placed, or a prefix that ends with ${ending} such as order.*; a star elsewhere matches nothing.`,
    );
  };
}

/** Reads prefixes of event types with commas between them. */
export function typePrefixes(text: string): string {
  if (!text.includes('*')) return text;
  throw new InvalidArgumentError(
    'Allowed is what types begin with, such as order. or order.,meter.; a star matches nothing.',
  );
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads a span of time such as 500ms, 60s, 5m or 1h; a bare number is seconds. Milliseconds come out. */
export function timeSpanMs(text: string): number {
  const match = /^(\d{1,9})(ms|s|m|h)?$/.exec(text);
  const unitMs = UNITS_MS[match?.[2] ?? 's'];
  if (match !== null && unitMs !== undefined) return Number(match[1]) * unitMs;
  throw new InvalidArgumentError('Allowed is a span of time such as 500ms, 60s, 5m or 1h.');
}
