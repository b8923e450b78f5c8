import { canonicalJson } from '@allsource/shared/json';
import { unreachable } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import type { JsonValue } from './compiled-projection.ts';
import {
  definitionFault,
  DefinitionMembers,
  type DefinitionValue,
  shownValue,
} from './definition-members.ts';
import type { EventFields } from './event-fields.ts';
import { type FieldPath, parseFieldPath } from './field-path.ts';

const OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'contains', 'exists'] as const;
type Operator = (typeof OPERATORS)[number];

/** What an event must be like. */
export type Condition = (fields: EventFields) => boolean;

/**
 * Reads one condition `{"field","op","value"}` or a list of them, all of which must hold. A field that is not there equals nothing, not even null: only `ne` and `exists` with
 * false hold for it. `gt` and its kin compare numbers with numbers and texts with texts, and hold for nothing else; `contains` looks for a part of a text or an element of a list.
 */
export function parseCondition(wanted: DefinitionValue): Condition {
  if (!Array.isArray(wanted.value)) return parseOne(wanted);
  const max = LIMITS.projectionConditionsMax;
  if (wanted.value.length > max)
    throw definitionFault(
      wanted.pointer,
      `has ${wanted.value.length} conditions; at most ${max} are allowed`,
      { limit: max },
    );
  const all = wanted.value.map((value: unknown, index) =>
    parseOne({ value, pointer: `${wanted.pointer}/${index}` }),
  );
  return (fields) => all.every((condition) => condition(fields));
}

/** The condition of a member that may be left out. */
export function optionalCondition(members: DefinitionMembers, name: string): Condition | null {
  return members.has(name) ? parseCondition(members.at(name)) : null;
}

function parseOne(wanted: DefinitionValue): Condition {
  const members = new DefinitionMembers(wanted, ['field', 'op', 'value']);
  const field = parseFieldPath(members.at('field'));
  const op = members.has('op') ? members.oneOf('op', OPERATORS) : 'eq';
  // Null is a value to compare with, and `at` takes it for nothing.
  const given = (wanted.value as Readonly<Record<string, JsonValue | undefined>>)['value'];
  return conditionOf({ field, op, given, pointer: `${wanted.pointer}/value` });
}

interface Parts {
  readonly field: FieldPath;
  readonly op: Operator;
  readonly given: JsonValue | undefined;
  readonly pointer: string;
}

function conditionOf(parts: Parts): Condition {
  const { field, op, given, pointer } = parts;
  switch (op) {
    case 'eq':
    case 'ne':
      return equality(parts);
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return comparison(parts, op);
    case 'in': {
      const texts = new Set(valuesOf(given, pointer).map(canonicalText));
      return present(field, (value) => texts.has(canonicalText(value)));
    }
    case 'contains': {
      const wanted = canonicalText(required(given, pointer));
      return present(field, (value) => contains(value, given, wanted));
    }
    case 'exists': {
      const isWanted = given ?? true;
      if (typeof isWanted !== 'boolean')
        throw definitionFault(pointer, `is ${shownValue(given)}; allowed are true and false`);
      return (fields) => (fields.get(field) !== undefined) === isWanted;
    }
    default:
      return unreachable(op);
  }
}

function equality({ field, op, given, pointer }: Parts): Condition {
  const text = canonicalText(required(given, pointer));
  const equals = present(field, (value) => canonicalText(value) === text);
  return op === 'eq' ? equals : (fields) => !equals(fields);
}

function comparison({ field, given, pointer }: Parts, op: 'gt' | 'gte' | 'lt' | 'lte'): Condition {
  if (typeof given !== 'number' && typeof given !== 'string')
    throw definitionFault(pointer, `is ${shownValue(given)}; allowed are a number and a text`);
  return present(field, (value) => typeof value === typeof given && compares(op, value, given));
}

function compares(
  op: 'gt' | 'gte' | 'lt' | 'lte',
  value: JsonValue,
  given: number | string,
): boolean {
  const other = value as typeof given;
  if (op === 'gt') return other > given;
  if (op === 'gte') return other >= given;
  return op === 'lt' ? other < given : other <= given;
}

function contains(value: JsonValue, given: JsonValue | undefined, wanted: string): boolean {
  if (typeof value === 'string') return typeof given === 'string' && value.includes(given);
  return Array.isArray(value) && value.some((one: JsonValue) => canonicalText(one) === wanted);
}

function present(field: FieldPath, holds: (value: JsonValue) => boolean): Condition {
  return (fields) => {
    const value = fields.get(field);
    return value !== undefined && holds(value);
  };
}

function required(given: JsonValue | undefined, pointer: string): JsonValue {
  if (given !== undefined) return given;
  throw definitionFault(pointer, 'is missing; allowed is a value of JSON');
}

function valuesOf(given: JsonValue | undefined, pointer: string): readonly JsonValue[] {
  const max = LIMITS.projectionConditionsMax;
  if (Array.isArray(given) && given.length > 0 && given.length <= max)
    return given as readonly JsonValue[];
  throw definitionFault(
    pointer,
    `is ${shownValue(given)}; allowed is a list of 1 to ${max} values`,
  );
}

/** One text for equal values. Those that are no objects or lists are compared much more often. */
function canonicalText(value: JsonValue): string {
  return typeof value === 'object' && value !== null
    ? canonicalJson(Buffer.from(JSON.stringify(value)))
    : JSON.stringify(value);
}
