/** Which faults the keywords about arrays of a wide schema have against a narrow side. */
import { countFaults } from './implied-scalars.ts';
import type { CompiledSchema } from './compiled-schema.ts';
import { type JsonObject, keyword, type SchemaPart } from './schema-document.ts';
import { below, type Comparison, type Implication } from './implication.ts';
import { innerPart } from './schema-side.ts';

export function arrayFaults(implication: Implication, comparison: Comparison): void {
  countFaults(implication, comparison, {
    least: 'minItems',
    most: 'maxItems',
    what: 'lists',
    unit: 'items',
  });
  const { narrow, schema, pointer } = comparison;
  const isUnique = keyword(schema, 'uniqueItems') === true;
  if (isUnique && ![...narrow.values('uniqueItems')].includes(true))
    implication.fault(pointer, 'uniqueItems', 'items must be different, equal ones were allowed');
  containsFaults(implication, comparison);
  itemFaults(implication, comparison);
}

/** How many items of the kind must be there. */
function containedLeast(part: JsonObject, { dialect }: CompiledSchema): number {
  return dialect === '2020-12' ? Number(keyword(part, 'minContains') ?? 1) : 1;
}

function containsFaults(
  implication: Implication,
  { narrow, wide, schema, pointer }: Comparison,
): void {
  if (keyword(schema, 'contains') === undefined) return;
  const needed = containedLeast(schema, implication.wide);
  const contains = implication.wide.document.within(wide, ['contains']);
  const isBounded = keyword(schema, 'maxContains') !== undefined;
  const follows = narrow.parts.some((part) => {
    const own = innerPart(narrow.compiled, part, ['contains']);
    if (own === null || containedLeast(part.schema as JsonObject, narrow.compiled) < needed)
      return false;
    return implication.followsInside(implication.narrowSide([own]), [contains]);
  });
  if (needed > 0 && !follows)
    implication.fault(
      pointer,
      'contains',
      'lists must contain an item of a kind, others were allowed',
    );
  if (isBounded)
    implication.fault(
      pointer,
      'maxContains',
      "'maxContains' is set, and what that means cannot be decided",
    );
}

/** The schemas of the items of one schema: those of the first ones by index, and that of the rest. */
interface ItemSchemas {
  readonly first: readonly SchemaPart[];
  readonly rest: SchemaPart | null;
}

function itemSchemas(compiled: CompiledSchema, part: SchemaPart): ItemSchemas {
  const isNew = compiled.dialect === '2020-12';
  const list = keyword(part.schema as JsonObject, isNew ? 'prefixItems' : 'items');
  const name = isNew ? 'prefixItems' : 'items';
  const first = Array.isArray(list)
    ? list.map((_, index) => compiled.document.within(part, [name, index]))
    : [];
  const restName = !isNew && Array.isArray(list) ? 'additionalItems' : 'items';
  return { first, rest: innerPart(compiled, part, [restName]) };
}

function itemFaults(implication: Implication, { narrow, wide, pointer }: Comparison): void {
  const compiled = implication.wide;
  const wanted = itemSchemas(compiled, wide);
  if (wanted.first.length === 0 && wanted.rest === null) return;
  const own = narrow.parts.map((part) => itemSchemas(narrow.compiled, part));
  const firstMax = Math.max(wanted.first.length, ...own.map(({ first }) => first.length));
  const most = narrow.most('maxItems');
  for (let index = 0; index < Math.min(firstMax, most); index++) {
    const schema = wanted.first[index] ?? wanted.rest;
    if (schema !== null)
      compareItem(implication, { own, index, schema, pointer: below(pointer, index) });
  }
  if (wanted.rest !== null && most > firstMax)
    compareItem(implication, {
      own,
      index: firstMax,
      schema: wanted.rest,
      pointer: below(pointer, '*'),
    });
}

function compareItem(
  implication: Implication,
  {
    own,
    index,
    schema,
    pointer,
  }: {
    readonly own: readonly ItemSchemas[];
    readonly index: number;
    readonly schema: SchemaPart;
    readonly pointer: string;
  },
): void {
  const parts = own.flatMap(({ first, rest }) => first[index] ?? rest ?? []);
  implication.compareInside(implication.narrowSide(parts), [schema], pointer);
}
