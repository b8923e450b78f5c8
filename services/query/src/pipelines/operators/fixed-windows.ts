import { added, type Aggregate, NO_AGGREGATE } from './aggregate.ts';
import type { Carried } from './carried.ts';
import type { Surroundings } from './operator.ts';
import { requireRoom } from './reduce.ts';
import type { OpenWindow, WindowOutput } from './window-output.ts';
import { startsOf, type WindowTimes } from './window-times.ts';
import type { Addition, WindowKind, WindowParts } from './windows.ts';

/** A window as it is kept. */
interface Kept extends OpenWindow {
  readonly group: string;
}

/**
 * Tumbling and sliding windows over the time at which events happened. A window is closed when the watermark has passed its end by the allowed lateness; an event all
 * of whose windows are closed comes too late, and is counted and left out.
 */
export class FixedWindows implements WindowKind {
  readonly #number: number;
  readonly #times: WindowTimes;
  readonly #output: WindowOutput;

  constructor({ number, times, output }: WindowParts) {
    this.#number = number;
    this.#times = times;
    this.#output = output;
  }

  add({ group, number, watermark }: Addition, value: Carried, around: Surroundings): Carried[] {
    const { size } = this.#times;
    const open = startsOf(value.origin.timestamp, this.#times).filter(
      (start) => this.#closesAt(start + size) > watermark,
    );
    if (open.length === 0) around.noteLate();
    return open.map((start) => {
      const window = this.#addTo({ group, start, number }, value, around);
      return this.#output.of({ window, group }, value);
    });
  }

  #closesAt(end: number): number {
    return end + this.#times.lateness;
  }

  #addTo(
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

  close(watermark: number, cause: Carried, { states }: Surroundings): Carried[] {
    return states.due(this.#number, watermark).map(({ key, value }) => {
      const window = value as Kept;
      states.delete(this.#number, key);
      return this.#output.of({ window, group: window.group }, cause);
    });
  }
}
