import type { Carried } from './carried.ts';
import type { OperatorStates } from './operator-states.ts';

/** Where `enrich` looks things up. Resolves with the JSON text of an object; null where there is nothing under the key. */
export type Lookup = (key: string) => Promise<string | null>;

/** What an operator may use beside the value. */
export interface Surroundings {
  readonly states: OperatorStates;
  /** Counts an event that came too late for its windows. */
  readonly noteLate: () => void;
  /** Notes that a value was filtered out. */
  readonly noteFiltered: () => void;
}

/**
 * One step of a pipeline: a value in, any number out. The same values in the same order give the same outputs; only `enrich` looks at what lies outside. Throws an
 * OperatorFault for a value that it cannot work with, and then nothing of the event behind it counts.
 */
export interface Operator {
  apply(value: Carried, around: Surroundings): readonly Carried[] | Promise<readonly Carried[]>;
}

/** Why a source of `enrich` cannot be asked at the moment. The event is tried again. */
export class SourceUnavailable extends Error {
  override readonly name = 'SourceUnavailable';
}

/** Why an event cannot pass an operator. It fails again when it is tried again. */
export class OperatorFault extends Error {
  override readonly name = 'OperatorFault';
}
