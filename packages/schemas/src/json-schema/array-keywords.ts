/** Keywords about arrays. */
import {
  type Check,
  countOf,
  innerCheck,
  type KeywordCompiler,
  listedChecks,
  type SchemaSite,
} from './schema-node.ts';
import type { Seen } from './seen.ts';
import type { ValidationRun } from './validation-run.ts';
import { countNodes, valueKey } from './value-key.ts';

type ArrayCheck = (value: readonly unknown[], run: ValidationRun, seen: Seen | null) => boolean;

export const arrayKeywords: KeywordCompiler = (site) =>
  [...lengthChecks(site), ...itemChecks(site), ...containsChecks(site), ...uniqueChecks(site)].map(
    (check): Check =>
      (value, run, seen) =>
        !Array.isArray(value) || check(value, run, seen),
  );

function lengthChecks(site: SchemaSite): ArrayCheck[] {
  const least = countOf(site, 'minItems');
  const most = countOf(site, 'maxItems');
  const checks: ArrayCheck[] = [];
  if (least !== null)
    checks.push(
      ({ length }, run) =>
        length >= least ||
        run.fail('minItems', () => `List has ${length} items, at least ${least} are needed`),
    );
  if (most !== null)
    checks.push(
      ({ length }, run) =>
        length <= most ||
        run.fail('maxItems', () => `List has ${length} items, at most ${most} are allowed`),
    );
  return checks;
}

/** How each draft writes a list whose first items have schemas of their own. */
function itemSchemas(site: SchemaSite): {
  first: Check[];
  rest: Check | null;
  restKeyword: string;
} {
  if (site.dialect === '2020-12') {
    if (Array.isArray(site.keyword('items')))
      throw site.refuse('items', "a schema; a list of schemas is written 'prefixItems'");
    const rest = innerCheck(site, 'items');
    return { first: listedChecks(site, 'prefixItems'), rest, restKeyword: 'items' };
  }
  const items = site.keyword('items');
  if (!Array.isArray(items))
    return { first: [], rest: innerCheck(site, 'items'), restKeyword: 'items' };
  const first = items.map((_, index) => site.within('items', index));
  return { first, rest: innerCheck(site, 'additionalItems'), restKeyword: 'additionalItems' };
}

function itemChecks(site: SchemaSite): ArrayCheck[] {
  const { first, rest, restKeyword } = itemSchemas(site);
  if (first.length === 0 && rest === null) return [];
  const isClosed = rest !== null && site.keyword(restKeyword) === false;
  const everyItem = (value: readonly unknown[], end: number, run: ValidationRun) => {
    run.spend(end);
    let isGood = true;
    for (let index = 0; index < end; index++) {
      const check = first[index] ?? (rest as Check);
      const item = value[index];
      if (run.isExplaining ? run.inside(index, item, check) : check(item, run, null)) continue;
      isGood = false;
      if (!run.isExplaining) return false;
    }
    return isGood;
  };
  return [
    (value, run, seen) => {
      const end = rest === null ? Math.min(first.length, value.length) : value.length;
      seen?.itemsBefore(end);
      if (isClosed && value.length > first.length)
        return run.fail(
          restKeyword,
          () => `List has ${value.length} items, at most ${first.length} are allowed`,
        );
      return everyItem(value, end, run);
    },
  ];
}

function containsChecks(site: SchemaSite): ArrayCheck[] {
  const check = innerCheck(site, 'contains');
  const [least, most] =
    site.dialect === '2020-12' ? [countOf(site, 'minContains'), countOf(site, 'maxContains')] : [];
  if (check === null) return [];
  const needed = least ?? 1;
  const allowed = most ?? Number.POSITIVE_INFINITY;
  const marks = site.dialect === '2020-12';
  return [
    (value, run, seen) => {
      run.spend(value.length * 2);
      let found = 0;
      for (const [index, item] of value.entries()) {
        if (!run.quietly(() => check(item, run, null))) continue;
        found++;
        if (marks) seen?.item(index);
        if (seen === null && found >= needed && allowed === Number.POSITIVE_INFINITY) return true;
      }
      if (found < needed)
        return run.fail(
          'contains',
          () => `List contains ${found} items of the kind asked for, at least ${needed} are needed`,
        );
      return (
        found <= allowed ||
        run.fail(
          'maxContains',
          () =>
            `List contains ${found} items of the kind asked for, at most ${allowed} are allowed`,
        )
      );
    },
  ];
}

function uniqueChecks(site: SchemaSite): ArrayCheck[] {
  const isUnique = site.keyword('uniqueItems');
  if (isUnique === undefined || isUnique === false) return [];
  if (isUnique !== true) throw site.refuse('uniqueItems', 'true or false');
  return [
    (value, run) => {
      const known = new Set<string>();
      for (const item of value) {
        run.spend(countNodes(item) * 8);
        known.add(valueKey(item));
      }
      return (
        known.size === value.length ||
        run.fail('uniqueItems', () => 'List has an item twice, all must be different')
      );
    },
  ];
}

/** `unevaluatedItems`, which comes behind all other keywords of its schema. */
export function unevaluatedItems(site: SchemaSite): Check | null {
  const check = innerCheck(site, 'unevaluatedItems');
  if (check === null) return null;
  return (value, run, seen) => {
    if (!Array.isArray(value)) return true;
    run.spend(value.length);
    let isGood = true;
    for (let index = 0; index < value.length; index++) {
      if (seen?.hasItem(index) === true) continue;
      isGood = run.inside(index, value[index], check) && isGood;
      if (!isGood && !run.isExplaining) return false;
    }
    seen?.itemsBefore(value.length);
    return isGood;
  };
}
