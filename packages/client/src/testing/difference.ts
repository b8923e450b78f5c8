/** Where two values differ, as a path such as `[0].payload.total`; null when they are equal in content. */
export function differenceOf(actual: unknown, expected: unknown, path = ''): string | null {
  if (Object.is(actual, expected)) return null;
  const here = path === '' ? 'the top' : path;
  if (!isObject(actual) || !isObject(expected)) return here;
  if (actual instanceof Date || expected instanceof Date)
    return Number(actual) === Number(expected) ? null : here;
  if (Array.isArray(actual) !== Array.isArray(expected)) return here;
  const left = contentOf(actual);
  const right = contentOf(expected);
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const name = Array.isArray(actual) ? `${path}[${String(key)}]` : `${path}.${String(key)}`;
    const found = differenceOf(left.get(key), right.get(key), name);
    if (found !== null) return found;
  }
  return null;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

// A member that is undefined counts as one that is not there.
function contentOf(value: object): Map<unknown, unknown> {
  if (value instanceof Map) return value;
  if (value instanceof Set) return new Map([...value].map((member) => [member, true]));
  return new Map(Object.entries(value));
}
