/** Which faults the keywords about numbers and texts of a wide schema have against a narrow side. */
import { isMultiple } from './exact-multiple.ts';
import { keyword } from './schema-document.ts';
import type { Comparison, Implication } from './implication.ts';
import { NUMBERS, TYPE_BITS } from './schema-side.ts';

export function numberFaults(implication: Implication, comparison: Comparison): void {
  const { narrow, wide, pointer } = comparison;
  const alone = implication.wideSide([{ ...wide, schema: boundsOf(comparison) }]);
  for (const sign of [1, -1] as const) {
    const has = narrow.bound(sign);
    const needs = alone.bound(sign);
    const follows =
      has.value > needs.value ||
      (has.value === needs.value && (has.isExclusive || !needs.isExclusive));
    if (follows) continue;
    const rule = sign === 1 ? 'minimum' : 'maximum';
    const limit = needs.value * sign;
    implication.fault(
      pointer,
      rule,
      `numbers must be ${sign === 1 ? 'at least' : 'at most'} ${limit}, others were allowed`,
    );
  }
  const divisor = keyword(comparison.schema, 'multipleOf');
  if (typeof divisor !== 'number') return;
  const isWhole = (narrow.types & NUMBERS) === TYPE_BITS.integer && isMultiple(1, divisor);
  const follows =
    isWhole ||
    [...narrow.values('multipleOf')].some((value) => isMultiple(value as number, divisor));
  if (!follows)
    implication.fault(
      pointer,
      'multipleOf',
      `numbers must be multiples of ${divisor}, others were allowed`,
    );
}

/** The bounds of the wide schema itself, without what it refers to. */
function boundsOf({ schema }: Comparison) {
  const names = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = keyword(schema, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

export function textFaults(implication: Implication, comparison: Comparison): void {
  countFaults(implication, comparison, {
    least: 'minLength',
    most: 'maxLength',
    what: 'texts',
    unit: 'characters',
  });
  const { narrow, schema, pointer } = comparison;
  const pattern = keyword(schema, 'pattern');
  if (typeof pattern !== 'string' || [...narrow.values('pattern')].includes(pattern)) return;
  implication.fault(
    pointer,
    'pattern',
    `texts must match the pattern ${pattern}, others were allowed`,
  );
}

/** The names of two keywords that bound a count. */
export interface CountRule {
  readonly least: string;
  readonly most: string;
  readonly what: string;
  readonly unit: string;
}

/** Compares the bounds of a count. `known` is a least count that the narrow side has for another reason. */
export function countFaults(
  implication: Implication,
  { narrow, schema, pointer }: Comparison,
  { least, most, what, unit, known = 0 }: CountRule & { readonly known?: number },
): void {
  const needed = keyword(schema, least);
  if (typeof needed === 'number' && Math.max(known, narrow.least(least)) < needed)
    implication.fault(
      pointer,
      least,
      `${what} need at least ${needed} ${unit}, fewer were allowed`,
    );
  const allowed = keyword(schema, most);
  if (typeof allowed === 'number' && narrow.most(most) > allowed)
    implication.fault(
      pointer,
      most,
      `${what} may have at most ${allowed} ${unit}, more were allowed`,
    );
}
