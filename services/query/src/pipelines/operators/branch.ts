import type { BranchDefinition } from '../definition/operator-definition.ts';
import type { Carried } from './carried.ts';
import { JsonPath } from './json-path.ts';
import { type Operator, OperatorFault } from './operator.ts';

const ROUTE = new JsonPath('_route');

/** Adds `_route`: the route that belongs to the value of a field. A value that has none of its own passes without one. */
export class Branch implements Operator {
  readonly #path: JsonPath;
  readonly #branches: ReadonlyMap<string, string>;

  constructor({ field, branches }: BranchDefinition) {
    this.#path = new JsonPath(field);
    this.#branches = branches;
  }

  apply(value: Carried): readonly Carried[] {
    const found = value.at(this.#path);
    const route = this.#branches.get(
      typeof found === 'string' ? found : (JSON.stringify(found) ?? ''),
    );
    if (route === undefined) return [value];
    const text = ROUTE.replaceIn(value.text, JSON.stringify(route));
    if (text !== null) return [value.with(text)];
    throw new OperatorFault('The payload is no object, so it cannot take a route.');
  }
}

/** The route that a value has been given; null when it has none. */
export function routeOf(value: Carried): string | null {
  const route = value.at(ROUTE);
  return typeof route === 'string' ? route : null;
}
