import { shown } from '../definition/members.ts';
import type { ReduceDefinition } from '../definition/operator-definition.ts';
import { type Aggregate, resultOf } from './aggregate.ts';
import type { Carried } from './carried.ts';
import { JsonPath } from './json-path.ts';
import { OperatorFault } from './operator.ts';

/** Texts longer than this name no group. */
const GROUP_LENGTH_MAX = 256;

/** How values are grouped and which number each of them gives: what `reduce` and the aggregation of a window have in common. */
export class Reduction {
  readonly #definition: ReduceDefinition;
  readonly #field: JsonPath;
  readonly #groupBy: JsonPath | null;

  constructor(definition: ReduceDefinition) {
    this.#definition = definition;
    this.#field = new JsonPath(definition.field);
    this.#groupBy = definition.groupBy === null ? null : new JsonPath(definition.groupBy);
  }

  /** The group of a value as JSON text: that of its field; null where there is none. */
  groupOf(value: Carried): string {
    const found = this.#groupBy === null ? null : (value.at(this.#groupBy) ?? null);
    const isText = typeof found === 'string' && found.length <= GROUP_LENGTH_MAX;
    const isScalar = found === null || typeof found === 'number' || typeof found === 'boolean';
    if (isText || isScalar) return JSON.stringify(found);
    throw new OperatorFault(
      `'${this.#definition.groupBy}' is ${shown(found)}; a group is text of at most ${GROUP_LENGTH_MAX} characters, a number, true, false or null.`,
    );
  }

  /** The number that a value gives; null where it has none, which only counts. */
  numberOf(value: Carried): number | null {
    if (this.#definition.function === 'count') return null;
    const found = value.at(this.#field) ?? null;
    if (found === null || typeof found === 'number') return found;
    throw new OperatorFault(
      `'${this.#definition.field}' is ${shown(found)}; '${this.#definition.function}' needs a number.`,
    );
  }

  /** The result as JSON text. */
  output(group: string, aggregate: Aggregate): string {
    const name = this.#definition.function;
    const result = resultOf(aggregate, name);
    if (result === null || Number.isFinite(result))
      return `{"group":${group},"function":"${name}","value":${JSON.stringify(result)}}`;
    throw new OperatorFault(`The ${name} of '${this.#definition.field}' is too large for JSON.`);
  }
}

/** A group as part of the key of a row: plain text as it is, everything else as JSON. */
export function groupName(group: string): string {
  return group.startsWith('"') ? (JSON.parse(group) as string) : group;
}
