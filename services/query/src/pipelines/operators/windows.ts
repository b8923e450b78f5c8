import type { WindowDefinition } from '../definition/operator-definition.ts';
import type { Carried } from './carried.ts';
import type { Operator, Surroundings } from './operator.ts';
import { Reduction } from './reduction.ts';
import { moveWatermark } from './watermark.ts';
import { WindowOutput } from './window-output.ts';
import { windowTimes, type WindowTimes } from './window-times.ts';

/** What windows of any kind are made with. */
export interface WindowParts {
  /** The operator's place among the others, under which its states are kept. */
  readonly number: number;
  readonly times: WindowTimes;
  readonly output: WindowOutput;
}

/** What an event adds to the windows of its group. */
export interface Addition {
  readonly group: string;
  /** The number that is aggregated; null where the event has none. */
  readonly number: number | null;
  readonly watermark: number;
}

/** Windows of one kind: which an event falls into, and when they are over. */
export interface WindowKind {
  /** Takes away the windows that the watermark has passed, and puts them out: the one that ended first before the others. */
  close(watermark: number, cause: Carried, around: Surroundings): Carried[];
  /** Adds an event to its windows, and puts them out as they are then. An event that comes too late for all of them is noted, and adds nothing. */
  add(addition: Addition, value: Carried, around: Surroundings): Carried[];
}

/** Windows over the time at which events happened. What they put out are the windows that close, or each change of them. */
export class Windows implements Operator {
  readonly #number: number;
  readonly #isUpdated: boolean;
  readonly #reduction: Reduction;
  readonly #kind: WindowKind;

  /** `number` is its place among the operators. */
  constructor(
    definition: WindowDefinition,
    number: number,
    kindOf: (parts: WindowParts) => WindowKind,
  ) {
    this.#number = number;
    this.#isUpdated = definition.outputOn === 'update';
    this.#reduction = new Reduction(definition.aggregation);
    const output = new WindowOutput({ definition, reduction: this.#reduction });
    this.#kind = kindOf({ number, times: windowTimes(definition), output });
  }

  apply(value: Carried, around: Surroundings): readonly Carried[] {
    // What was folded cannot be taken out again.
    if (value.isRetracted) return [];
    const group = this.#reduction.groupOf(value);
    const number = this.#reduction.numberOf(value);
    const watermark = moveWatermark(around.states, this.#number, value.origin.timestamp);
    const closed = this.#kind.close(watermark, value, around);
    const updated = this.#kind.add({ group, number, watermark }, value, around);
    return this.#isUpdated ? updated : closed;
  }
}
