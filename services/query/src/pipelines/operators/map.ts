import { unreachable } from '@allsource/shared/lang';
import { shown } from '../definition/members.ts';
import type { MapDefinition, Transform } from '../definition/operator-definition.ts';
import type { Carried } from './carried.ts';
import { JsonPath } from './json-path.ts';
import { type Operator, OperatorFault } from './operator.ts';

/** Replaces the value of a field by what a transform makes of it. A value without the field passes as it is; one of another type is a fault. */
export class MapField implements Operator {
  readonly #path: JsonPath;
  readonly #transform: Transform;

  constructor({ field, transform }: MapDefinition) {
    this.#path = new JsonPath(field);
    this.#transform = transform;
  }

  apply(value: Carried): readonly Carried[] {
    const found = value.at(this.#path);
    if (found === undefined || found === null) return [value];
    const text = this.#path.replaceIn(value.text, JSON.stringify(this.#transformed(found)));
    if (text !== null) return [value.with(text)];
    throw new OperatorFault(
      `'${this.#path.text}' leads into a list, whose elements cannot be mapped.`,
    );
  }

  #transformed(found: unknown): string | number {
    const { kind } = this.#transform;
    switch (kind) {
      case 'uppercase':
        return this.#text(found).toUpperCase();
      case 'lowercase':
        return this.#text(found).toLowerCase();
      case 'trim':
        return this.#text(found).trim();
      case 'multiply':
        return this.#finite(this.#number(found) * this.#transform.by);
      case 'add':
        return this.#finite(this.#number(found) + this.#transform.by);
      default:
        return unreachable(kind);
    }
  }

  #text(found: unknown): string {
    if (typeof found === 'string') return found;
    throw this.#fault(found, 'text');
  }

  #number(found: unknown): number {
    if (typeof found === 'number') return found;
    throw this.#fault(found, 'a number');
  }

  #finite(result: number): number {
    if (Number.isFinite(result)) return result;
    throw new OperatorFault(`'${this.#path.text}' becomes too large to be a number of JSON.`);
  }

  #fault(found: unknown, wanted: string): Error {
    const { kind } = this.#transform;
    return new OperatorFault(`'${this.#path.text}' is ${shown(found)}; '${kind}' needs ${wanted}.`);
  }
}
