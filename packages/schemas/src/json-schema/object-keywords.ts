/** Keywords about objects. Names that objects inherit (`constructor`, `__proto__`) are names like all others. */
import type { LinearPattern } from './linear-pattern.ts';
import {
  type Check,
  countOf,
  innerCheck,
  isRecord,
  type KeywordCompiler,
  membersOf,
  namesOf,
  type SchemaSite,
} from './schema-node.ts';
import type { Seen } from './seen.ts';
import type { ValidationRun } from './validation-run.ts';
import { quoted } from '@allsource/shared/model';

// The newer draft has another word for it; the older one is understood there too, as by most others.
const DEPENDENCIES = {
  'draft-07': ['dependencies'],
  '2020-12': ['dependentRequired', 'dependencies'],
} as const;

type Members = Record<string, unknown>;
type ObjectCheck = (value: Members, run: ValidationRun, seen: Seen | null) => boolean;

export const objectKeywords: KeywordCompiler = (site) => {
  const checks = [
    ...requiredChecks(site),
    ...countChecks(site),
    ...memberChecks(site),
    ...nameChecks(site),
  ];
  if (checks.length === 0) return [];
  return [
    (value, run, seen) => {
      if (!isRecord(value)) return true;
      let isGood = true;
      for (const check of checks) {
        if (check(value, run, seen)) continue;
        isGood = false;
        if (!run.isExplaining) return false;
      }
      return isGood;
    },
  ];
};

/** True when the object has a member of its own with this name. What JSON.parse makes has no undefined members. */
function hasMember(value: Members, name: string, isInherited: boolean): boolean {
  return isInherited ? Object.hasOwn(value, name) : value[name] !== undefined;
}

function isInheritedName(name: string): boolean {
  return name in Object.prototype;
}

function requiredChecks(site: SchemaSite): ObjectCheck[] {
  // A declared field is looked up once, by the check of its schema.
  const declared = new Set(membersOf(site, 'properties').map(([name]) => name));
  const required = (namesOf(site, 'required') ?? []).filter((name) => !declared.has(name));
  const checks: ObjectCheck[] = required.length === 0 ? [] : [requires('required', required)];
  for (const keyword of DEPENDENCIES[site.dialect]) {
    for (const [name, names] of membersOf(site, keyword)) {
      if (!Array.isArray(names) && keyword === 'dependencies') continue;
      const check = requires(keyword, namesOf(site, keyword, names) ?? []);
      const isInherited = isInheritedName(name);
      checks.push(
        (value, run, seen) => !hasMember(value, name, isInherited) || check(value, run, seen),
      );
    }
  }
  return checks;
}

function requires(rule: string, names: readonly string[]): ObjectCheck {
  const required = names.map((name) => ({ name, isInherited: isInheritedName(name) }));
  return (value, run) => {
    let isGood = true;
    for (const { name, isInherited } of required) {
      if (hasMember(value, name, isInherited)) continue;
      isGood = run.fail(rule, () => `Missing required field: ${name}`);
      if (!run.isExplaining) return false;
    }
    return isGood;
  };
}

function countChecks(site: SchemaSite): ObjectCheck[] {
  const least = countOf(site, 'minProperties') ?? 0;
  const most = countOf(site, 'maxProperties') ?? Number.POSITIVE_INFINITY;
  if (least === 0 && most === Number.POSITIVE_INFINITY) return [];
  return [
    (value, run) => {
      const count = Object.keys(value).length;
      run.spend(count / 8);
      if (count < least)
        return run.fail(
          'minProperties',
          () => `Object has ${count} fields, at least ${least} are needed`,
        );
      return (
        count <= most ||
        run.fail('maxProperties', () => `Object has ${count} fields, at most ${most} are allowed`)
      );
    },
  ];
}

interface DeclaredMember {
  readonly name: string;
  readonly isInherited: boolean;
  readonly isRequired: boolean;
  readonly check: Check;
}

function memberChecks(site: SchemaSite): ObjectCheck[] {
  const required = new Set(namesOf(site, 'required'));
  const declared = membersOf(site, 'properties').map(
    ([name]): DeclaredMember => ({
      name,
      isInherited: isInheritedName(name),
      isRequired: required.has(name),
      check: site.within('properties', name),
    }),
  );
  const patterns = membersOf(site, 'patternProperties').map(([source]) => ({
    pattern: site.pattern(source, 'patternProperties'),
    check: site.within('patternProperties', source),
  }));
  const checks: ObjectCheck[] = [];
  if (declared.length > 0) checks.push(declaredCheck(declared));
  for (const { pattern, check } of patterns) checks.push(patternCheck(pattern, check));
  const others = innerCheck(site, 'additionalProperties');
  if (others === null) return checks;
  const names = new Set(declared.map(({ name }) => name));
  const isOther = (name: string, run: ValidationRun) =>
    !names.has(name) && !patterns.some(({ pattern }) => pattern.matches(name, run));
  const isClosed = site.keyword('additionalProperties') === false;
  checks.push(otherCheck({ rule: 'additionalProperties', isOther, check: others, isClosed }));
  return checks;
}

function missing(run: ValidationRun, name: string): false {
  return run.fail('required', () => `Missing required field: ${name}`);
}

function declaredCheck(declared: readonly DeclaredMember[]): ObjectCheck {
  return (value, run, seen) => {
    run.spend(declared.length);
    let isGood = true;
    for (const { name, isInherited, isRequired, check } of declared) {
      const member = isInherited ? ownMember(value, name) : value[name];
      if (member === undefined) {
        if (!isRequired) continue;
        isGood = missing(run, name);
      } else {
        seen?.name(name);
        isGood =
          (run.isExplaining ? run.inside(name, member, check) : check(member, run, null)) && isGood;
      }
      if (!isGood && !run.isExplaining) return false;
    }
    return isGood;
  };
}

function ownMember(value: Members, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

function patternCheck(pattern: LinearPattern, check: Check): ObjectCheck {
  return (value, run, seen) => {
    const present = Object.keys(value);
    run.spend(present.length);
    let isGood = true;
    for (const name of present) {
      if (!pattern.matches(name, run)) continue;
      seen?.name(name);
      isGood = run.inside(name, value[name], check) && isGood;
      if (!isGood && !run.isExplaining) return false;
    }
    return isGood;
  };
}

interface OtherMembers {
  readonly rule: string;
  readonly isOther: (name: string, run: ValidationRun, seen: Seen | null) => boolean;
  readonly check: Check;
  /** No other members are allowed at all. */
  readonly isClosed: boolean;
}

function otherCheck({ rule, isOther, check, isClosed }: OtherMembers): ObjectCheck {
  return (value, run, seen) => {
    const present = Object.keys(value);
    run.spend(present.length);
    let isGood = true;
    for (const name of present) {
      if (!isOther(name, run, seen)) continue;
      if (isClosed) {
        isGood = run.fail(rule, () => `Field is not allowed: ${quoted(name)}`);
      } else {
        seen?.name(name);
        isGood = run.inside(name, value[name], check) && isGood;
      }
      if (!isGood && !run.isExplaining) return false;
    }
    return isGood;
  };
}

function nameChecks(site: SchemaSite): ObjectCheck[] {
  const check = innerCheck(site, 'propertyNames');
  if (check === null) return [];
  return [
    (value, run) => {
      const present = Object.keys(value);
      run.spend(present.length * 2);
      return present.every(
        (name) =>
          run.quietly(() => check(name, run, null)) ||
          run.fail('propertyNames', () => `Field has a name that is not allowed: ${quoted(name)}`),
      );
    },
  ];
}

/** `unevaluatedProperties`, which comes behind all other keywords of its schema. */
export function unevaluatedMembers(site: SchemaSite): Check | null {
  const check = innerCheck(site, 'unevaluatedProperties');
  if (check === null) return null;
  const others = otherCheck({
    rule: 'unevaluatedProperties',
    isOther: (name, _run, seen) => seen === null || !seen.hasName(name),
    check,
    isClosed: site.keyword('unevaluatedProperties') === false,
  });
  return (value, run, seen) => !isRecord(value) || others(value, run, seen);
}
