import type { WindowDefinition } from '../definition/operator-definition.ts';
import { added, type Aggregate, NO_AGGREGATE } from './aggregate.ts';
import type { Carried } from './carried.ts';
import type { Operator, Surroundings } from './operator.ts';
import { Reduction } from './reduction.ts';
import { requireRoom } from './reduce.ts';
import { moveWatermark } from './watermark.ts';
import { type OpenWindow, WindowOutput } from './window-output.ts';
import { startsOf, windowTimes, type WindowTimes } from './window-times.ts';

/** A window as it is kept. */
interface Kept extends OpenWindow {
  readonly group: string;
}

/**
 * Tumbling and sliding windows over the time at which events happened. A window is closed when the watermark has passed its end by the allowed lateness; an event all
 * of whose windows are closed comes too late, and is counted and left out.
 */
export class FixedWindows implements Operator {
  readonly #number: number;
  readonly #isUpdated: boolean;
  readonly #times: WindowTimes;
  readonly #reduction: Reduction;
  readonly #output: WindowOutput;

  /** `number` is its place among the operators, under which its states are kept. */
  constructor(definition: WindowDefinition, number: number) {
    this.#number = number;
    this.#isUpdated = definition.outputOn === 'update';
    this.#times = windowTimes(definition);
    this.#reduction = new Reduction(definition.aggregation);
    this.#output = new WindowOutput({ definition, reduction: this.#reduction });
  }

  apply(value: Carried, around: Surroundings): readonly Carried[] {
    // What was folded cannot be taken out again.
    if (value.isRetracted) return [];
    const group = this.#reduction.groupOf(value);
    const number = this.#reduction.numberOf(value);
    const { timestamp } = value.origin;
    const watermark = moveWatermark(around.states, this.#number, timestamp);
    const closed = this.#close(watermark, value, around);
    const { size } = this.#times;
    const open = startsOf(timestamp, this.#times).filter(
      (start) => this.#closesAt(start + size) > watermark,
    );
    if (open.length === 0) around.noteLate();
    const updated = open.map((start) => {
      const window = this.#add({ group, start, number }, value, around);
      return this.#output.of({ window, group }, value);
    });
    return this.#isUpdated ? updated : closed;
  }

  #closesAt(end: number): number {
    return end + this.#times.lateness;
  }

  #add(
    to: { readonly group: string; readonly start: number; readonly number: number | null },
    value: Carried,
    { states }: Surroundings,
  ): Kept {
    const { group, start, number } = to;
    const key = `${group}|${start}`;
    const known = states.get(this.#number, key) as Kept | undefined;
    if (known === undefined) requireRoom(states.count(this.#number), 'windows');
    const before: Aggregate = known?.aggregate ?? NO_AGGREGATE;
    const end = start + this.#times.size;
    const window = { group, start, end, aggregate: added(before, number), entity: value.entity };
    states.set(this.#number, { key, value: window, due: this.#closesAt(end) });
    return window;
  }

  /** Takes away the windows that have passed, the one that ended first before the others. */
  #close(watermark: number, cause: Carried, { states }: Surroundings): Carried[] {
    return states.due(this.#number, watermark).map(({ key, value }) => {
      const window = value as Kept;
      states.delete(this.#number, key);
      return this.#output.of({ window, group: window.group }, cause);
    });
  }
}
