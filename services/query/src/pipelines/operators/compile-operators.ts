import { unreachable } from '@allsource/shared/lang';
import type { EnrichDefinition, OperatorDefinition } from '../definition/operator-definition.ts';
import { Branch } from './branch.ts';
import type { Carried } from './carried.ts';
import { Enrich } from './enrich.ts';
import { Filter } from './filter.ts';
import { FixedWindows } from './fixed-windows.ts';
import { MapField } from './map.ts';
import { type Lookup, type Operator, OperatorFault, type Surroundings } from './operator.ts';
import { Reduce } from './reduce.ts';
import { SessionWindows } from './session-windows.ts';
import { Windows } from './windows.ts';

/** Makes where an `enrich` looks things up. */
export type LookupOf = (definition: EnrichDefinition) => Lookup;

/** The operators of a pipeline, each fed with what the one before puts out. */
export class OperatorChain {
  readonly #operators: readonly Operator[];

  constructor(definitions: readonly OperatorDefinition[], lookupOf: LookupOf) {
    this.#operators = definitions.map((definition, i) => compiled(definition, i, lookupOf));
  }

  /** What comes out behind the last operator. Throws an OperatorFault that names the operator. */
  async apply(value: Carried, around: Surroundings): Promise<readonly Carried[]> {
    let values: readonly Carried[] = [value];
    for (const [i, operator] of this.#operators.entries()) {
      if (values.length === 0) break;
      const outputs: Carried[] = [];
      try {
        for (const one of values) outputs.push(...(await operator.apply(one, around)));
      } catch (error) {
        if (!(error instanceof OperatorFault)) throw error;
        throw new OperatorFault(`Operator ${i}: ${error.message}`);
      }
      values = outputs;
    }
    return values;
  }
}

function compiled(definition: OperatorDefinition, number: number, lookupOf: LookupOf): Operator {
  switch (definition.type) {
    case 'filter':
      return new Filter(definition);
    case 'map':
      return new MapField(definition);
    case 'reduce':
      return new Reduce(definition, number);
    case 'window':
      return new Windows(definition, number, (parts) =>
        definition.windowType === 'session' ? new SessionWindows(parts) : new FixedWindows(parts),
      );
    case 'enrich':
      return new Enrich(definition, lookupOf(definition));
    case 'branch':
      return new Branch(definition);
    default:
      return unreachable(definition);
  }
}
