import { formatRawMembers, rawMembers } from '@allsource/shared/json';
import { shown } from '../definition/members.ts';
import type { EnrichDefinition } from '../definition/operator-definition.ts';
import type { Carried } from './carried.ts';
import { JsonPath } from './json-path.ts';
import { type Lookup, type Operator, OperatorFault } from './operator.ts';

/**
 * Adds fields of what is found under a key: the entity of the event, or the value of a field. Every field is there afterwards; one that is not found is null. It
 * takes what is there at the moment at which the event is worked on.
 */
export class Enrich implements Operator {
  readonly #key: JsonPath | null;
  readonly #definition: EnrichDefinition;
  readonly #lookup: Lookup;

  constructor(definition: EnrichDefinition, lookup: Lookup) {
    this.#definition = definition;
    this.#key = definition.key === null ? null : new JsonPath(definition.key);
    this.#lookup = lookup;
  }

  async apply(value: Carried): Promise<readonly Carried[]> {
    const key = this.#keyOf(value);
    const found = key === null ? null : await this.#lookup(key);
    const text = this.#joined(value.text, found);
    if (text !== null) return [value.with(text)];
    throw new OperatorFault('The payload is no object, so it cannot take further fields.');
  }

  #keyOf(value: Carried): string | null {
    if (this.#key === null) return value.entity;
    const found = value.at(this.#key) ?? null;
    if (typeof found === 'string') return found === '' ? null : found;
    if (found === null || typeof found === 'number' || typeof found === 'boolean')
      return found === null ? null : String(found);
    throw new OperatorFault(
      `'${this.#key.text}' is ${shown(found)}; a key is text, a number, true or false.`,
    );
  }

  #joined(text: string, found: string | null): string | null {
    const members = rawMembers(Buffer.from(text));
    if (members === null) return null;
    const row = found === null ? null : rawMembers(Buffer.from(found));
    const { fields, into } = this.#definition;
    const taken = fields.map((field) => [field, row?.get(field) ?? 'null'] as const);
    if (into === null) for (const [field, raw] of taken) members.set(field, raw);
    else members.set(into, formatRawMembers(new Map(taken)));
    return formatRawMembers(members);
  }
}
