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

function numberChecks(site: SchemaSite): Check[] {
  const least = numberOf(site, 'minimum') ?? Number.NEGATIVE_INFINITY;
  const above = numberOf(site, 'exclusiveMinimum') ?? Number.NEGATIVE_INFINITY;
  const most = numberOf(site, 'maximum') ?? Number.POSITIVE_INFINITY;
  const under = numberOf(site, 'exclusiveMaximum') ?? Number.POSITIVE_INFINITY;
  const checks: Check[] = [];
  // What JSON.parse makes of 1e999 is infinite, and no bound at all must not refuse it.
  const isBounded = [least, above, most, under].some(Number.isFinite);
  if (isBounded)
    checks.push((value, run) => {
      if (typeof value !== 'number') return true;
      if (value < least) return run.fail('minimum', boundText(value, 'at least', least));
      if (value > most) return run.fail('maximum', boundText(value, 'at most', most));
      if (value <= above && above !== Number.NEGATIVE_INFINITY)
        return run.fail('exclusiveMinimum', boundText(value, 'more than', above));
      if (value >= under && under !== Number.POSITIVE_INFINITY)
        return run.fail('exclusiveMaximum', boundText(value, 'less than', under));
      return true;
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

function boundText(value: number, relation: string, bound: number): () => string {
  return () => `Number ${value} must be ${relation} ${bound}`;
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
      run.fail('pattern', () => `Text does not match the pattern ${JSON.stringify(source)}`),
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
