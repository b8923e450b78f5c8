import type { ProjectionDefinition } from '@allsource/shared/protocol';

/** A value of JSON. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** An event as a fold meets it. Payload and metadata are JSON text; who needs their values parses them. */
export interface FoldedEvent {
  readonly id: string;
  readonly eventType: string;
  readonly entityId: string;
  readonly tenant: string;
  readonly position: number;
  readonly version: number;
  /** Microseconds since the epoch. */
  readonly timestamp: number;
  readonly recordedAt: number;
  readonly payload: string;
  readonly metadata: string | null;
}

/**
 * The states of a projection while events are folded. What one event changes is kept whole or not at all: when its fold throws, nothing of it is kept. Values
 * are never changed in place.
 */
export interface StateTable {
  /** The state of a key; undefined when there is none. */
  get(key: string): JsonValue | undefined;
  set(key: string, state: JsonValue): void;
  delete(key: string): void;
}

/** A definition made ready to fold with. It is deterministic: the same events in the same order give the same states. */
export interface CompiledProjection {
  /**
   * Folds one event. Throws a `projection_fault` problem for an event that cannot be folded, with what its owner can mend; the same event fails again, so
   * retries help only where the definition changes.
   */
  fold(event: FoldedEvent, states: StateTable): void;
  /**
   * The state of a key out of the states that several workers hold of it, each of which saw the events of other partitions. Only keys that are not of one
   * entity meet it.
   */
  merge(key: string, states: readonly JsonValue[]): JsonValue;
  /** The state as its readers see it; keys that only the fold needs are hidden: null. */
  present(key: string, state: JsonValue): JsonValue | null;
  /** The same as JSON text, for a projection that has it at hand; else what `present` gives is printed. */
  print?(key: string, state: JsonValue): string | null;
  /** Gives back what it holds, such as the memory of a sandbox. */
  close(): void;
}

/** Makes a definition ready. Throws `invalid_body` with a pointer into the request, the value and what is allowed. */
export type CompileProjection = (
  definition: Pick<ProjectionDefinition, 'type' | 'definition'>,
) => Promise<CompiledProjection>;
