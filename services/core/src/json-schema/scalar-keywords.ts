/** Keywords about numbers and texts. */
import { isMultiple } from './exact-multiple.ts';
import {
  type Check,
  countOf,
  type KeywordCompiler,
  numberOf,
  type SchemaSite,
} from './schema-node.ts';

export const scalarKeywords: KeywordCompiler = (site) => [
  ...numberChecks(site),
  ...textChecks(site),
];

interface Bound {
  readonly name: string;
  readonly holds: (value: number, bound: number) => boolean;
  readonly text: string;
}

const BOUNDS: readonly Bound[] = [
  { name: 'minimum', holds: (value, bound) => value >= bound, text: 'at least' },
  { name: 'maximum', holds: (value, bound) => value <= bound, text: 'at most' },
  { name: 'exclusiveMinimum', holds: (value, bound) => value > bound, text: 'more than' },
  { name: 'exclusiveMaximum', holds: (value, bound) => value < bound, text: 'less than' },
];

function numberChecks(site: SchemaSite): Check[] {
  const checks = BOUNDS.flatMap(({ name, holds, text }): Check[] => {
    const bound = numberOf(site, name);
    if (bound === null) return [];
    return [
      (value, run) =>
        typeof value !== 'number' ||
        holds(value, bound) ||
        run.fail(name, () => `Number ${value} must be ${text} ${bound}`),
    ];
  });
  const divisor = numberOf(site, 'multipleOf');
  if (divisor === null) return checks;
  if (divisor <= 0) throw site.refuse('multipleOf', 'a number above 0');
  checks.push((value, run) => {
    if (typeof value !== 'number') return true;
    if (!Number.isSafeInteger(value) || !Number.isSafeInteger(divisor)) run.spend(100);
    return (
      isMultiple(value, divisor) ||
      run.fail('multipleOf', () => `Number ${value} must be a multiple of ${divisor}`)
    );
  });
  return checks;
}

function textChecks(site: SchemaSite): Check[] {
  const checks: Check[] = [];
  const least = countOf(site, 'minLength');
  const most = countOf(site, 'maxLength');
  if (least !== null || most !== null)
    checks.push(lengthCheck(least ?? 0, most ?? Number.POSITIVE_INFINITY));
  const source = site.keyword('pattern');
  if (source === undefined) return checks;
  const pattern = site.pattern(source, 'pattern');
  checks.push(
    (value, run) =>
      typeof value !== 'string' ||
      pattern.matches(value, run) ||
      run.fail('pattern', () => `Text does not match the pattern ${String(source)}`),
  );
  return checks;
}

function lengthCheck(least: number, most: number): Check {
  return (value, run) => {
    if (typeof value !== 'string') return true;
    const { length } = value;
    // A character is one or two units, so most texts need no count.
    if (length <= most && length >= least * 2) return true;
    run.spend(length / 16);
    const characters = length < least ? length : countCharacters(value);
    if (characters < least)
      return run.fail(
        'minLength',
        () => `Text has ${characters} characters, at least ${least} are needed`,
      );
    return (
      characters <= most ||
      run.fail('maxLength', () => `Text has ${characters} characters, at most ${most} are allowed`)
    );
  };
}

function countCharacters(text: string): number {
  let pairs = 0;
  for (let at = 0; at + 1 < text.length; at++) {
    const isPair =
      (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (isPair) {
      pairs++;
      at++;
    }
  }
  return text.length - pairs;
}
