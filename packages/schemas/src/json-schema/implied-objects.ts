/** Which faults the keywords about objects of a wide schema have against a narrow side. */
import type { CompiledSchema } from './compiled-schema.ts';
import { countFaults } from './implied-scalars.ts';
import { type JsonObject, keyword, type SchemaPart } from './schema-document.ts';
import { below, type Comparison, type Implication } from './implication.ts';
import { isRecord } from './schema-node.ts';
import { innerPart, type SchemaSide } from './schema-side.ts';
import type { ValidationRun } from './validation-run.ts';

/** What a look at one schema of one field costs. */
const PART_STEPS = 100;

export function objectFaults(implication: Implication, comparison: Comparison): void {
  const { narrow } = comparison;
  countFaults(implication, comparison, {
    least: 'minProperties',
    most: 'maxProperties',
    what: 'objects',
    unit: 'fields',
    known: narrow.required.size,
  });
  requiredFaults(implication, comparison);
  dependencyFaults(implication, comparison);
  fieldFaults(implication, comparison);
  patternFaults(implication, comparison);
  otherFieldFaults(implication, comparison);
  nameFaults(implication, comparison);
}

function requiredFaults(implication: Implication, { narrow, schema, pointer }: Comparison): void {
  const known = narrow.required;
  const isBackward = implication.direction === 'Backward';
  for (const name of (keyword(schema, 'required') ?? []) as string[]) {
    if (known.has(name)) continue;
    const isDeclared = narrow.declares(name);
    const text = isBackward
      ? isDeclared
        ? `field '${name}' became required`
        : `new required field '${name}' added`
      : isDeclared
        ? `field '${name}' is no longer required`
        : `required field '${name}' removed`;
    implication.fault(below(pointer, name), 'required', text);
  }
}

function dependencyFaults(implication: Implication, { narrow, schema, pointer }: Comparison): void {
  const known = narrow.required;
  const rules =
    narrow.compiled.dialect === '2020-12'
      ? ['dependentRequired', 'dependencies']
      : ['dependencies'];
  for (const rule of ['dependentRequired', 'dependencies']) {
    const members = keyword(schema, rule);
    for (const [name, wanted] of isRecord(members) ? Object.entries(members) : []) {
      const own = (rules.includes(rule) ? [...narrow.values(rule)] : []).flatMap((map) =>
        isRecord(map) && Object.hasOwn(map, name) ? [map[name]] : [],
      );
      const isThere = (field: unknown) =>
        known.has(String(field)) || own.some((list) => Array.isArray(list) && list.includes(field));
      const follows = Array.isArray(wanted)
        ? wanted.every(isThere)
        : wanted === true ||
          own.some(
            (inner) =>
              JSON.stringify(inner) === JSON.stringify(wanted) &&
              !JSON.stringify(inner).includes('$ref'),
          );
      if (!follows)
        implication.fault(below(pointer, name), rule, `what field '${name}' asks for differs`);
    }
  }
}

/** The schemas of one schema that apply to a field of a name. */
function fieldParts(
  { compiled, work }: { readonly compiled: CompiledSchema; readonly work: ValidationRun },
  part: SchemaPart,
  name: string,
): SchemaPart[] {
  work.spend(PART_STEPS);
  const declared = innerPart(compiled, part, ['properties', name]);
  const patterns = keyword(part.schema as JsonObject, 'patternProperties');
  const matching = (isRecord(patterns) ? Object.keys(patterns) : [])
    .filter((source) => compiled.matches(source, name, work))
    .flatMap((source) => innerPart(compiled, part, ['patternProperties', source]) ?? []);
  const known = [...(declared === null ? [] : [declared]), ...matching];
  if (known.length > 0) return known;
  const others = innerPart(compiled, part, ['additionalProperties']);
  return others === null ? [] : [others];
}

function fieldFaults(
  implication: Implication,
  { narrow, wide, schema, pointer }: Comparison,
): void {
  const { work } = implication;
  const wanted = isRecord(keyword(schema, 'properties'))
    ? Object.keys(keyword(schema, 'properties') as object)
    : [];
  for (const name of new Set([...wanted, ...narrow.declaredNames])) {
    const isDeclared = narrow.mentions(name);
    const isDropped = implication.direction === 'Forward' && !isDeclared;
    if (isDropped && wanted.includes(name)) {
      implication.fault(below(pointer, name), 'properties', `field '${name}' removed`);
      continue;
    }
    const own = narrow.parts.flatMap((part) =>
      fieldParts({ compiled: narrow.compiled, work }, part, name),
    );
    // An open object may always have held anything under a name that it does not mention; that does not keep the name from being used.
    if (!isDeclared && own.length === 0) continue;
    const narrowField = implication.narrowSide(own);
    if (narrowField.isNever) continue;
    const parts = fieldParts({ compiled: implication.wide, work }, wide, name);
    if (parts.some((part) => part.schema === false)) {
      const text =
        implication.direction === 'Backward'
          ? `field '${name}' is no longer allowed`
          : `new field '${name}' added, which the version before does not allow`;
      implication.fault(below(pointer, name), 'additionalProperties', text);
    } else implication.compareInside(narrowField, parts, below(pointer, name));
  }
}

function patternFaults(
  implication: Implication,
  { narrow, wide, schema, pointer }: Comparison,
): void {
  const patterns = keyword(schema, 'patternProperties');
  for (const source of isRecord(patterns) ? Object.keys(patterns) : []) {
    const wanted = implication.wide.document.within(wide, ['patternProperties', source]);
    const follows = narrow.parts.some((part) => {
      const own = innerPart(narrow.compiled, part, ['patternProperties', source]);
      if (own !== null && implication.followsInside(implication.narrowSide([own]), [wanted]))
        return true;
      return othersFollow(implication, { narrow, part, wanted, isExcused: () => false });
    });
    if (!follows && wanted.schema !== true)
      implication.fault(
        pointer,
        'patternProperties',
        `fields that match ${source} have a schema that they did not have`,
      );
  }
}

function otherFieldFaults(
  implication: Implication,
  { narrow, wide, schema, pointer }: Comparison,
): void {
  const wanted = innerPart(implication.wide, wide, ['additionalProperties']);
  if (wanted === null || wanted.schema === true) return;
  const patterns = keyword(schema, 'patternProperties');
  const isExcused = (source: string) => isRecord(patterns) && Object.hasOwn(patterns, source);
  const follows = narrow.parts.some((part) =>
    othersFollow(implication, { narrow, part, wanted, isExcused }),
  );
  if (follows) return;
  const text =
    wanted.schema === false
      ? 'fields that are not declared are no longer allowed'
      : 'fields that are not declared have a schema that they did not have';
  implication.fault(pointer, 'additionalProperties', text);
}

/** True when all fields that a schema allows beside its declared ones fit the wanted schema. */
function othersFollow(
  implication: Implication,
  {
    narrow,
    part,
    wanted,
    isExcused,
  }: {
    readonly narrow: SchemaSide;
    readonly part: SchemaPart;
    readonly wanted: SchemaPart;
    readonly isExcused: (pattern: string) => boolean;
  },
): boolean {
  const others = innerPart(narrow.compiled, part, ['additionalProperties']);
  if (others === null || !implication.followsInside(implication.narrowSide([others]), [wanted]))
    return false;
  const patterns = keyword(part.schema as JsonObject, 'patternProperties');
  return (isRecord(patterns) ? Object.keys(patterns) : []).every((source) => {
    const own = innerPart(narrow.compiled, part, ['patternProperties', source]);
    return (
      isExcused(source) ||
      (own !== null && implication.followsInside(implication.narrowSide([own]), [wanted]))
    );
  });
}

function nameFaults(implication: Implication, { narrow, wide, pointer }: Comparison): void {
  const wanted = innerPart(implication.wide, wide, ['propertyNames']);
  if (wanted === null) return;
  const follows = narrow
    .within('propertyNames')
    .some((own) => implication.followsInside(implication.narrowSide([own]), [wanted]));
  if (!follows)
    implication.fault(
      pointer,
      'propertyNames',
      'names of fields have a schema that they did not have',
    );
}
