import { LIMITS } from '@allsource/shared/limits';
import { UpcastFault } from './mapping-run.ts';
import { RawValue } from './raw-value.ts';

/**
 * What a function made of a payload, with the texts of the payload where it left a value as it was: a function sees numbers as doubles, and gives 1.0 back as 1.
 * Values that it moved elsewhere are printed as it knows them.
 */
export function keptTexts(payload: string, result: string): string {
  return keptText(new RawValue(payload), JSON.parse(result), 1);
}

function keptText(before: RawValue | null, after: unknown, depth: number): string {
  if (depth > LIMITS.jsonDepthMax + 1)
    throw new UpcastFault(`the result nests deeper than ${LIMITS.jsonDepthMax} levels`);
  if (Array.isArray(after)) {
    const items = before?.items() ?? [];
    return `[${after.map((item, index) => keptText(items[index] ?? null, item, depth + 1)).join(',')}]`;
  }
  if (typeof after === 'object' && after !== null) {
    const members = before?.members() ?? null;
    const parts = Object.entries(after).map(
      ([name, value]) =>
        `${JSON.stringify(name)}:${keptText(members?.get(name) ?? null, value, depth + 1)}`,
    );
    return `{${parts.join(',')}}`;
  }
  const isScalar = before !== null && before.kind !== 'object' && before.kind !== 'array';
  return isScalar && JSON.parse(before.print()) === after ? before.print() : JSON.stringify(after);
}
