import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { LinearPattern, PatternRefusal } from '../../src/json-schema/linear-pattern.ts';
import { BudgetSpentError, ValidationRun } from '../../src/json-schema/validation-run.ts';

const STEPS = 10_000_000;
/** What a payload of 100 KB may take. */
const PAYLOAD_STEPS = 20_000 + 16 * 100_000;

function matches(pattern: LinearPattern, text: string): boolean {
  return pattern.matches(text, new ValidationRun({ steps: STEPS, isExplaining: false }));
}

/** Null: the steps are spent. */
function judged(pattern: LinearPattern, text: string, run: ValidationRun): boolean | null {
  try {
    return pattern.matches(text, run);
  } catch (error) {
    if (error instanceof BudgetSpentError) return null;
    throw error;
  }
}

function randomPattern(random: SeededRandom, depth: number): string {
  const inner = () => randomPattern(random, depth - 1);
  const kind = random.below(depth === 0 ? 3 : 8);
  const atom = () =>
    random.pick([
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '\\W',
      '\\s',
      'é',
      '\\u{1F600}',
      '\\p{Lu}',
      '\\n',
      '-',
    ]);
  if (kind <= 1) return atom();
  if (kind === 2) return random.pick(['^', '$', '\\b', '\\B', '', 'a']);
  if (kind === 3)
    return `(?:${inner()})${random.pick(['*', '+', '?', '{2}', '{0,2}', '{1,}', '*?', '{0}'])}`;
  if (kind === 4) return `${inner()}|${inner()}`;
  if (kind === 5) return `(${inner()})`;
  if (kind === 6) return `(?<n${random.below(1e9)}>${inner()})`;
  return inner() + inner();
}

function randomText(random: SeededRandom): string {
  const pieces = ['a', 'b', 'A', '0', ' ', '\n', 'é', '😀', '-', '\ud800', '_'];
  return Array.from({ length: random.below(8) }, () => random.pick(pieces)).join('');
}

describe('a pattern', () => {
  it('matches what the same expression of the language matches', () => {
    const seed = Number(process.env['ALLSOURCE_TEST_SEED'] ?? Date.now() % 1_000_000);
    console.log(`linear pattern: seed ${seed} (ALLSOURCE_TEST_SEED)`);
    const random = new SeededRandom(seed);
    let matched = 0;
    for (let round = 0; round < 1500; round++) {
      const source = randomPattern(random, 4);
      const ours = new LinearPattern(source);
      const theirs = new RegExp(source, 'u');
      for (let times = 0; times < 12; times++) {
        const text = randomText(random);
        // V8 finds the place inside of a surrogate pair, where the standard has none.
        if (source.includes('\\B') && text.includes('😀')) continue;
        const expected = theirs.test(text);
        matched += Number(expected);
        if (matches(ours, text) !== expected)
          throw new Error(
            `seed ${seed}: ${source} and ${JSON.stringify(text)}: expected ${expected}`,
          );
      }
    }
    expect(matched).toBeGreaterThan(1000);
    expect(matched).toBeLessThan(17_000);
  });

  it.each([
    '^[a-z0-9._%+-]+@[a-z0-9.-]+\\.[a-z]{2,}$',
    '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(?:\\.\\d+)?Z$',
    '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
  ])('of daily use is taken: %s', (source) => {
    const pattern = new LinearPattern(source);
    const texts = [
      'ann@example.com',
      '2026-01-31T12:00:00Z',
      '01234567-89ab-cdef-0123-456789abcdef',
    ];
    expect(texts.map((text) => matches(pattern, text))).toEqual(
      texts.map((text) => new RegExp(source, 'u').test(text)),
    );
  });

  it.each([
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(?<!a)b',
    '(a)\\1',
    '(?<x>a)\\k<x>',
    '(',
    'a{2,1}',
    '(a{999}){999}',
  ])('that cannot be matched in linear time, or is no pattern, is refused: %s', (source) => {
    expect(() => new LinearPattern(source)).toThrow(PatternRefusal);
  });

  it('that is too long is refused', () => {
    expect(() => new LinearPattern('x'.repeat(2000))).toThrow(PatternRefusal);
  });

  it('of an attacker costs no more steps than the text pays for, or says that they are spent', () => {
    const evil = [
      '(a+)+$',
      '(a|a)*$',
      '(a|aa)+$',
      '([a-z]+)*\\d',
      '(.*)*x',
      '(.*a){20}',
      '^(([a-z])+.)+[A-Z]([a-z])+$',
      '(\\w+\\s?)*$',
      'a*a*a*a*a*b',
      '(a|b)*a(a|b){300}',
      '(x+x+)+y',
    ];
    const texts = ['a'.repeat(100_000), 'ab'.repeat(50_000), `${'x'.repeat(99_999)}!`];
    for (const source of evil)
      for (const text of texts) {
        const run = new ValidationRun({ steps: PAYLOAD_STEPS, isExplaining: false });
        judged(new LinearPattern(source), text, run);
        // Whatever the pattern does between two looks at the steps is small.
        expect(run.stepsLeft).toBeGreaterThan(-20_000);
      }
  });

  it('of an attacker that makes the automaton grow without end forgets, and is right nevertheless', () => {
    const pattern = new LinearPattern('^(?:a|b)*a(?:a|b){12}$');
    const random = new SeededRandom(7);
    for (let round = 0; round < 20; round++) {
      const text = Array.from({ length: 400 }, () => random.pick(['a', 'b'])).join('');
      expect(matches(pattern, text)).toBe(text.at(-13) === 'a');
    }
  });
});
