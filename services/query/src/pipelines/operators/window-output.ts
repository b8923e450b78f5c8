import type { WindowDefinition } from '../definition/operator-definition.ts';
import type { Aggregate } from './aggregate.ts';
import { Carried } from './carried.ts';
import { groupName, type Reduction } from './reduction.ts';
import { instantText } from './window-times.ts';

/** A window of one group, with what it holds. `end` is that of its last event for a session, and the end of the window otherwise. */
export interface OpenWindow {
  readonly start: number;
  readonly end: number;
  readonly aggregate: Aggregate;
  /** The entity of its newest event. */
  readonly entity: string;
}

export interface WindowOutputOptions {
  readonly definition: WindowDefinition;
  readonly reduction: Reduction;
}

/** What a window puts out: the shape that the contract names, and when the window begins and ends. Its row is named by its start and its group. */
export class WindowOutput {
  readonly #options: WindowOutputOptions;

  constructor(options: WindowOutputOptions) {
    this.#options = options;
  }

  of(
    what: {
      readonly window: OpenWindow;
      readonly group: string;
      /** True to take back what was put out before. */
      readonly isRetracted?: boolean;
    },
    cause: Carried,
  ): Carried {
    const { window, group, isRetracted = false } = what;
    const { definition, reduction } = this.#options;
    const { start, end, aggregate, entity } = window;
    const startText = instantText(start);
    const text =
      `{"window_type":"${definition.windowType}","window_size_seconds":${definition.sizeSeconds},` +
      `"events_in_window":${aggregate.events},"aggregation":${reduction.output(group, aggregate)},` +
      `"window_start":"${startText}","window_end":"${instantText(end)}"}`;
    const isGrouped = definition.aggregation.groupBy !== null;
    const key = isGrouped ? `${startText}|${groupName(group)}` : startText;
    return new Carried({ text, origin: cause.origin, entity, key, isRetracted });
  }
}
