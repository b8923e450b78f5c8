import { LIMITS } from '@allsource/shared/limits';
import type { ReduceDefinition } from '../definition/operator-definition.ts';
import { type Aggregate, added, NO_AGGREGATE } from './aggregate.ts';
import { Carried } from './carried.ts';
import { type Operator, OperatorFault, type Surroundings } from './operator.ts';
import { groupName, Reduction } from './reduction.ts';

/** Folds values by group. Each value puts out what its group has come to: `{group, function, value}`. */
export class Reduce implements Operator {
  readonly #number: number;
  readonly #reduction: Reduction;

  /** `number` is its place among the operators, under which its states are kept. */
  constructor(definition: ReduceDefinition, number: number) {
    this.#number = number;
    this.#reduction = new Reduction(definition);
  }

  apply(value: Carried, { states }: Surroundings): readonly Carried[] {
    // What was folded cannot be taken out again.
    if (value.isRetracted) return [];
    const group = this.#reduction.groupOf(value);
    const number = this.#reduction.numberOf(value);
    const known = states.get(this.#number, group) as Aggregate | undefined;
    if (known === undefined) requireRoom(states.count(this.#number), 'groups');
    const aggregate = added(known ?? NO_AGGREGATE, number);
    const text = this.#reduction.output(group, aggregate);
    states.set(this.#number, { key: group, value: aggregate, due: null });
    const { origin, entity } = value;
    return [new Carried({ text, origin, entity, key: groupName(group) })];
  }
}

/** Refuses one more state than an operator may have. */
export function requireRoom(count: number, what: string): void {
  const max = LIMITS.pipelineGroupsMax;
  if (count < max) return;
  throw new OperatorFault(`The operator holds ${max} ${what} already, which is the most it may.`);
}
