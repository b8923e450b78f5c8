import type { FrameEvent, StoreProjection } from '@allsource/shared/protocol';

/** The state of one key while events are folded into it. */
export interface KeyFold {
  add(event: FrameEvent): void;
  /** The state as JSON text; null when it has passed its limit and is not kept. */
  print(): string | null;
}

/** A fold over the events of a tenant, kept by key. A change of what it computes needs a new format number of the store. */
export interface Projection {
  /** How the store names it; never given to another projection. */
  readonly number: number;
  readonly name: StoreProjection;
  readonly kind: 'entity_snapshot' | 'event_counter';
  readonly title: string;
  readonly description: string;
  /** Which name of an event is its key. */
  readonly keyedBy: 'entity' | 'type';
  /** The key whose state an event changes. */
  keyOf(event: FrameEvent): string;
  /** True when no event before this one can have changed its key: then nothing is stored for it, and nothing is looked up. */
  isFirstOfKey(event: FrameEvent): boolean;
  /** Continues from what the store holds: null for a key it does not have, otherwise what was printed. */
  open(stored: { readonly state: string | null } | null): KeyFold;
}
