import type { Projection } from './projection.ts';

/** The state of one key; `state` is null when it has passed its limit. */
export interface StoredState {
  readonly key: string;
  readonly state: string | null;
}

/** A state and whose it is. */
export interface KeyedState extends StoredState {
  readonly projection: Projection;
  readonly tenant: string;
}
