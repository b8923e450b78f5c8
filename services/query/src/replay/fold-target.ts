import type { Projection } from '../projections/projection.ts';

export interface TargetState {
  readonly projection: Projection;
  readonly key: string;
  readonly state: string | null;
}

/** What one transaction of a replay writes: states, and how far they are true. */
export interface FoldedStates {
  readonly position: number;
  readonly processed: number;
  readonly logId: string;
  /** In the order of projections and keys. */
  readonly states: Iterable<TargetState>;
}

/** Where a replay keeps the states that it folds. States and the position they are true at move in one transaction. */
export interface FoldTarget {
  readonly position: number;
  /** Matching events folded so far. */
  readonly processed: number;
  /** Keys held in memory before they are saved: fewer where others wait for the file. */
  readonly keysMax: number;
  /** How long to let others write after a save, in milliseconds. */
  readonly restMs: number;
  state(projection: Projection, key: string): { readonly state: string | null } | null;
  save(folded: FoldedStates): void;
  close(): void;
}
