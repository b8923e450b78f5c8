import type { ApiDocument, Json } from './api-document.ts';

export interface BodyVariant {
  readonly name: string;
  readonly value: unknown;
  /** Whether the schema takes it. */
  readonly isGood: boolean;
}

const VALUES: readonly unknown[] = [5, -1, 1e17, 'x', '', 'x'.repeat(300), true, null, {}, []];
const DEPTH_MAX = 3;

/** The example with one thing changed, in every way that can be told from the schema; and things that are no such body at all. */
export function bodyVariants(api: ApiDocument, schema: Json, example: unknown): BodyVariant[] {
  const changed = changes(api, schema, 0).flatMap(({ at, isMember }) => [
    ...VALUES.map((value) => ({
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

interface Change {
  readonly at: readonly string[];
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
    { at: [name], isMember: items === undefined },
    ...changes(api, part, depth + 1).map(({ at, isMember }) => ({ at: [name, ...at], isMember })),
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
