/** Keywords that apply other schemas to the same value: references, combinations and conditions. */
import {
  type Check,
  innerCheck,
  isRecord,
  type KeywordCompiler,
  listedChecks,
  membersOf,
  type SchemaSite,
} from './schema-node.ts';
import { Seen } from './seen.ts';
import type { ValidationRun } from './validation-run.ts';

export const branchKeywords: KeywordCompiler = (site) => [
  ...referenceChecks(site),
  ...listedChecks(site, 'allOf'),
  ...anyOfChecks(site),
  ...oneOfChecks(site),
  ...notChecks(site),
  ...conditionChecks(site),
  ...dependentChecks(site),
];

/** What a draft-07 schema with `$ref` means: the reference alone. */
export function referenceChecks(site: SchemaSite): Check[] {
  const checks: Check[] = [];
  const reference = site.keyword('$ref');
  if (typeof reference === 'string') checks.push(site.reference(reference));
  else if (reference !== undefined) throw site.refuse('$ref', 'a URI reference');
  if (site.dialect === 'draft-07') return checks;
  const dynamic = site.keyword('$dynamicRef');
  if (typeof dynamic === 'string') checks.push(site.dynamicReference(dynamic));
  else if (dynamic !== undefined) throw site.refuse('$dynamicRef', 'a URI reference');
  return checks;
}

/** Runs a branch that need not hold; what it has looked at counts only when it does. */
function holds(
  check: Check,
  value: unknown,
  { run, seen }: { readonly run: ValidationRun; readonly seen: Seen | null },
): boolean {
  const own = seen === null ? null : new Seen();
  const isGood = run.isExplaining
    ? run.quietly(() => check(value, run, own))
    : check(value, run, own);
  if (isGood && own !== null) seen?.add(own);
  return isGood;
}

function anyOfChecks(site: SchemaSite): Check[] {
  const branches = listedChecks(site, 'anyOf');
  if (branches.length === 0) return [];
  return [
    (value, run, seen) => {
      run.spend(branches.length);
      let isGood = false;
      for (const branch of branches) {
        isGood = holds(branch, value, { run, seen }) || isGood;
        // Every branch that holds counts for what has been looked at.
        if (isGood && seen === null) return true;
      }
      return isGood || run.fail('anyOf', () => `Value fits none of ${branches.length} schemas`);
    },
  ];
}

function oneOfChecks(site: SchemaSite): Check[] {
  const branches = listedChecks(site, 'oneOf');
  if (branches.length === 0) return [];
  return [
    (value, run, seen) => {
      run.spend(branches.length);
      const fitting = branches.filter((branch) => holds(branch, value, { run, seen })).length;
      return (
        fitting === 1 ||
        run.fail('oneOf', () => `Value fits ${fitting} of ${branches.length} schemas, expected one`)
      );
    },
  ];
}

function notChecks(site: SchemaSite): Check[] {
  const check = innerCheck(site, 'not');
  if (check === null) return [];
  return [
    (value, run) =>
      !holds(check, value, { run, seen: null }) ||
      run.fail('not', () => 'Value fits a schema that it must not fit'),
  ];
}

function conditionChecks(site: SchemaSite): Check[] {
  const condition = innerCheck(site, 'if');
  const good = innerCheck(site, 'then');
  const bad = innerCheck(site, 'else');
  if (condition === null) return [];
  return [
    (value, run, seen) => {
      const branch = holds(condition, value, { run, seen }) ? good : bad;
      return branch === null || branch(value, run, seen);
    },
  ];
}

function dependentChecks(site: SchemaSite): Check[] {
  const keywords =
    site.dialect === '2020-12' ? ['dependentSchemas', 'dependencies'] : ['dependencies'];
  return keywords.flatMap((keyword) =>
    membersOf(site, keyword).flatMap(([name, inner]): Check[] => {
      if (keyword === 'dependencies' && Array.isArray(inner)) return [];
      const check = site.within(keyword, name);
      return [
        (value, run, seen) =>
          !isRecord(value) || !Object.hasOwn(value, name) || check(value, run, seen),
      ];
    }),
  );
}
