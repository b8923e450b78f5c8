import type { Json } from './api-document.ts';
import type { DocumentedCall } from './documented-call.ts';

export interface AskedValue {
  readonly value: string;
  readonly isGood: boolean;
}

function good(...values: readonly unknown[]): AskedValue[] {
  return values.map((value) => ({ value: String(value), isGood: true }));
}

function bad(...values: readonly unknown[]): AskedValue[] {
  return values.map((value) => ({ value: String(value), isGood: false }));
}

/** Values at and beyond the bounds of a parameter's schema; none where any text will do. */
export function valuesOf({ type, format, enum: words, minimum = 0, maximum }: Json): AskedValue[] {
  if (type === 'integer') {
    const max = Number(maximum);
    // The largest number of all is asked for nowhere: a position that far would be waited for.
    const most = max < Number.MAX_SAFE_INTEGER ? [max] : [];
    return [...good(minimum, ...most), ...bad(Number(minimum) - 1, BigInt(max) + 1n, '1.5', 'x')];
  }
  if (type === 'boolean') return [...good('true', 'false'), ...bad('maybe')];
  if (Array.isArray(words)) return [...good(...words), ...bad('nonsense')];
  if (format !== 'date-time') return [];
  return [
    ...good('2026-01-31T12:00:00Z', '2026-01-31T12:00:00.5+01:00'),
    ...bad('2026-13-01T00:00:00Z', 'x'),
  ];
}

/** A body of lines, one event each. */
export const LINES: DocumentedCall = {
  headers: { 'content-type': 'application/x-ndjson' },
  body: '{"event_type":"order.placed","entity_id":"order-1003","payload":{}}\n',
};

/** What has to stand beside a parameter for it to mean anything. */
export function contextOf(name: string, value: string): DocumentedCall {
  if (name === 'group_lines') return LINES;
  // A year has more minutes than one answer has buckets.
  if (name === 'window') return { query: { until: '2026-01-02T00:00:00Z' } };
  // A slide is a part of its window, and an hour has few of the shortest.
  if (name === 'slide_seconds') {
    const length = /^(?:1|3162240000)$/.test(value) ? value : '86400';
    return { query: { window_seconds: length, until: '2026-01-01T01:00:00Z' } };
  }
  const isOfStream = /^(?:from|until)_position$/.test(name) || value === 'position';
  return isOfStream
    ? { query: { order: 'position' }, headers: { accept: 'application/x-ndjson' } }
    : {};
}
