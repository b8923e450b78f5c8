import { isDeepStrictEqual } from 'node:util';
import type { FilterDefinition } from '../definition/operator-definition.ts';
import type { Carried } from './carried.ts';
import { JsonPath } from './json-path.ts';
import type { Operator, Surroundings } from './operator.ts';

/**
 * Lets values pass whose field compares with the given value. `eq` and `ne` compare JSON values, `gt` and `lt` numbers with numbers and text with text,
 * `contains` looks for text in text or for an element in a list. A field that is not there equals nothing, so only `ne` lets it pass.
 */
export class Filter implements Operator {
  readonly #path: JsonPath;
  readonly #passes: (found: unknown) => boolean;

  constructor({ field, op, value }: FilterDefinition) {
    this.#path = new JsonPath(field);
    this.#passes = comparison(op, value);
  }

  apply(value: Carried, { noteFiltered }: Surroundings): readonly Carried[] {
    if (this.#passes(value.at(this.#path))) return [value];
    noteFiltered();
    return [];
  }
}

function comparison(op: FilterDefinition['op'], value: unknown): (found: unknown) => boolean {
  switch (op) {
    case 'eq':
      return (found) => isEqual(found, value);
    case 'ne':
      return (found) => !isEqual(found, value);
    case 'gt':
      return (found) => order(found, value) > 0;
    case 'lt':
      return (found) => order(found, value) < 0;
    case 'contains':
      return (found) => contains(found, value);
  }
}

function isEqual(found: unknown, value: unknown): boolean {
  // -0 is 0 in JSON.
  return found === value || isDeepStrictEqual(found, value);
}

/** NaN, which is neither above nor below 0, for values that have no order. */
function order(found: unknown, value: unknown): number {
  if (typeof found === 'number' && typeof value === 'number') return found - value;
  if (typeof found !== 'string' || typeof value !== 'string') return Number.NaN;
  if (found === value) return 0;
  return found < value ? -1 : 1;
}

function contains(found: unknown, value: unknown): boolean {
  if (typeof found === 'string') return typeof value === 'string' && found.includes(value);
  return Array.isArray(found) && found.some((element) => isEqual(element, value));
}
