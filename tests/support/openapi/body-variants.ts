import type { ApiDocument, Json } from './api-document.ts';

export interface BodyVariant {
  readonly name: string;
  readonly value: unknown;
  /** Whether the schema takes it. */
  readonly isGood: boolean;
}

const VALUES: readonly unknown[] = [5, -1, 1e17, 'x', '', 'x'.repeat(300), true, null, {}, []];
/** What else is tried where a schema speaks of such values. */
const VALUES_OF: Readonly<Record<string, readonly unknown[]>> = {
  string: [' padded', 'a\nb', '_system.x', '_system.*'],
  integer: [1.5],
  array: [['x', 'x']],
};
const BAD_DAY = '2026-02-30T00:00:00Z';
const DEPTH_MAX = 3;

/** The example with one thing changed, in every way that can be told from the schema; and things that are no such body at all. */
export function bodyVariants(api: ApiDocument, schema: Json, example: unknown): BodyVariant[] {
  const changed = changes(api, schema, 0).flatMap(({ at, isMember, part }) => [
    ...[...VALUES, ...valuesOf(part)].map((value) => ({
      name: `${at.join('.')}=${JSON.stringify(value)}`.slice(0, 60),
      value: withValue(example, at, value),
    })),
    ...(isMember
      ? [{ name: `${at.join('.')} left out`, value: withValue(example, at, undefined) }]
      : []),
  ]);
  const others = [[], 5, 'text', null].map((value) => ({ name: JSON.stringify(value), value }));
  return [...changed, ...others].map((variant) => {
    return { ...variant, isGood: api.requestFault(schema, variant.value) === null };
  });
}

function valuesOf({ type, format, enum: words }: Json): readonly unknown[] {
  if (words !== undefined) return [];
  const types = [type].flat().filter((one) => typeof one === 'string');
  return [
    ...types.flatMap((one) => VALUES_OF[one] ?? []),
    ...(format === 'date-time' ? [BAD_DAY] : []),
  ];
}

interface Change {
  readonly at: readonly string[];
  /** What the schema says of the place. */
  readonly part: Json;
  readonly isMember: boolean;
}

/** The places of a body: its members, theirs, and the first element of lists. */
function changes(api: ApiDocument, given: Json, depth: number): Change[] {
  if (depth === DEPTH_MAX) return [];
  const schema = api.resolved(given);
  const members = Object.entries((schema['properties'] ?? {}) as Record<string, Json>);
  const items = schema['items'] as Json | undefined;
  const parts: [string, Json][] = items === undefined ? members : [['0', items]];
  return parts.flatMap(([name, part]) => [
    { at: [name], isMember: items === undefined, part: api.resolved(part) },
    ...changes(api, part, depth + 1).map((change) => ({ ...change, at: [name, ...change.at] })),
  ]);
}

/** A copy with another value at a place, or without it; what is missing on the way there is made. */
function withValue(
  target: unknown,
  [name = '', ...rest]: readonly string[],
  value: unknown,
): unknown {
  const isList = Array.isArray(target) || (target === undefined && name === '0');
  const copy = (isList ? [...((target as unknown[]) ?? [])] : { ...(target as object) }) as Record<
    string,
    unknown
  >;
  if (rest.length > 0) copy[name] = withValue(copy[name], rest, value);
  else if (value === undefined) delete copy[name];
  else copy[name] = value;
  return copy;
}
