import { unreachable } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import type { JsonValue } from './compiled-projection.ts';
import type { EventFields } from './event-fields.ts';
import { EMPTY_SUM, type ExactSum, plus, rounded } from './exact-sum.ts';
import { exactJson } from './exact-json.ts';
import type { FieldPath } from './field-path.ts';
import { projectionFault } from './projection-fault.ts';

export const FUNCTIONS = ['count', 'sum', 'avg', 'min', 'max', 'first', 'last', 'set'] as const;
export type AggregateFunction = (typeof FUNCTIONS)[number];

/** One aggregate of one key. What it is kept as depends on the function. */
export interface Aggregate {
  readonly fn: AggregateFunction;
  /** Only `count` goes without. */
  readonly field: FieldPath | null;
}

interface Average {
  readonly count: number;
  readonly sum: ExactSum;
}

/** The aggregate with one more event; `before` is undefined at first, and what comes back too where the event says nothing. */
export function aggregated(
  { fn, field }: Aggregate,
  before: JsonValue | undefined,
  fields: EventFields,
): JsonValue | undefined {
  if (field === null || fn === 'count') return counted(field, before, fields);
  if (fn === 'first' || fn === 'last') {
    const isKept = fn === 'first' && before !== undefined;
    return isKept ? before : (fields.text(field) ?? before);
  }
  if (fn === 'set') return withElement(field, before, fields);
  const value = fields.number(field);
  return value === null ? before : ofNumber(fn, before, value);
}

/** All events, or those that have the field. */
function counted(
  field: FieldPath | null,
  before: JsonValue | undefined,
  fields: EventFields,
): JsonValue | undefined {
  const counts = field === null || (fields.get(field) ?? null) !== null;
  return counts ? Number(before ?? 0) + 1 : before;
}

function ofNumber(
  fn: 'sum' | 'avg' | 'min' | 'max',
  before: JsonValue | undefined,
  value: number,
): JsonValue {
  switch (fn) {
    case 'sum':
      return finite(plus((before ?? EMPTY_SUM) as ExactSum, value));
    case 'avg': {
      const { count, sum } = (before ?? { count: 0, sum: EMPTY_SUM }) as unknown as Average;
      return { count: count + 1, sum: finite(plus(sum, value)) };
    }
    case 'min':
      return Math.min(Number(before ?? value), value);
    case 'max':
      return Math.max(Number(before ?? value), value);
    default:
      return unreachable(fn);
  }
}

function finite(sum: ExactSum): ExactSum {
  if (Number.isFinite(rounded(sum))) return sum;
  throw projectionFault('The sum is beyond what a number can hold (1.8e308).');
}

/** Texts of values in order, each once. */
function withElement(
  field: FieldPath,
  before: JsonValue | undefined,
  fields: EventFields,
): JsonValue | undefined {
  const text = fields.text(field);
  const elements = (before ?? []) as readonly string[];
  if (text === null || elements.includes(text)) return before;
  const max = LIMITS.declarativeSetMax;
  if (elements.length >= max)
    throw projectionFault(
      `The set of '${field.text}' would have more than ${max} values; use a key or a count for so many.`,
      { limit: max },
    );
  return [...elements, text].sort();
}

/** The aggregate as its readers see it. */
export function shownAggregate({ fn }: Aggregate, state: JsonValue | undefined): JsonValue {
  if (state === undefined) return fn === 'count' || fn === 'sum' ? 0 : fn === 'set' ? [] : null;
  switch (fn) {
    case 'sum':
      return rounded(state as ExactSum);
    case 'avg': {
      const { count, sum } = state as unknown as Average;
      return rounded(sum) / count;
    }
    case 'first':
    case 'last':
      return exactJson(state as string);
    case 'set':
      return (state as readonly string[]).map(exactJson);
    case 'count':
    case 'min':
    case 'max':
      return state;
    default:
      return unreachable(fn);
  }
}
