/** Keywords about any value: its type, and values that it must equal. */
import { type Check, type KeywordCompiler, namesOf, shown, typeOf } from './schema-node.ts';
import { countNodes, valueKey } from './value-key.ts';

const TYPES = ['null', 'boolean', 'object', 'array', 'number', 'string', 'integer'];

/** The check of each type by itself, without a lookup. */
const IS_TYPE: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  array: Array.isArray,
  number: (value) => typeof value === 'number',
  string: (value) => typeof value === 'string',
  integer: (value) => Number.isInteger(value),
};

export const valueKeywords: KeywordCompiler = (site) => {
  const checks: Check[] = [];
  const type = site.keyword('type');
  if (type !== undefined) {
    const types = namesOf(site, 'type', typeof type === 'string' ? [type] : type) ?? [];
    if (types.length === 0 || types.some((name) => !TYPES.includes(name)))
      throw site.refuse('type', `one or several of ${TYPES.join(', ')}`);
    checks.push(typeCheck(types));
  }
  const allowed = site.keyword('enum');
  if (allowed !== undefined) {
    if (!Array.isArray(allowed)) throw site.refuse('enum', 'a list of values');
    checks.push(equalsOneOf('enum', allowed));
  }
  const constant = site.keyword('const');
  if (constant !== undefined) checks.push(equalsOneOf('const', [constant]));
  return checks;
};

function typeCheck(types: readonly string[]): Check {
  const tests = types.map((type) => IS_TYPE[type] as (value: unknown) => boolean);
  const [first] = tests;
  const isGood =
    tests.length === 1 && first !== undefined
      ? first
      : (value: unknown) => tests.some((test) => test(value));
  return (value, run) =>
    isGood(value) ||
    run.fail('type', () => `Type mismatch: expected ${types.join(' or ')}, got ${typeOf(value)}`);
}

function equalsOneOf(rule: string, allowed: readonly unknown[]): Check {
  const plain = new Set(allowed.filter((value) => typeof value !== 'object' || value === null));
  const deep = new Set(
    allowed.filter((value) => typeof value === 'object' && value !== null).map(valueKey),
  );
  const list = allowed.slice(0, 10).map(shown).join(', ');
  const message = () =>
    `Value is not allowed: expected ${allowed.length > 10 ? `${list}, …` : list}`;
  return (value, run) => {
    if (typeof value !== 'object' || value === null)
      return plain.has(value) || run.fail(rule, message);
    if (deep.size === 0) return run.fail(rule, message);
    run.spend(countNodes(value) * 4);
    return deep.has(valueKey(value)) || run.fail(rule, message);
  };
}
