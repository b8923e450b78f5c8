import type { StoredEvent } from '../events/stored-event.ts';

/**
 * Folds events into a state. `apply` returns the next state, or changes the one it is given and returns nothing.
 *
 * @example
 * ```ts
 * const total: EventFolder<EventOf<Events>, number> = {
 *   initial: () => 0,
 *   apply: (sum, event) => (event.eventType === 'order.placed' ? sum + event.payload.total : sum),
 * };
 * ```
 */
export interface EventFolder<Event = StoredEvent, State = unknown, Result = State> {
  readonly initial: () => State;
  readonly apply: (state: State, event: Event) => State | void;
  /** Turns the last state into the result; without it the state is the result. */
  readonly finalize?: ((state: State) => Result) | undefined;
}

/** A folder that says what its result is. */
export interface FinalizingFolder<Event, State, Result> extends EventFolder<Event, State, Result> {
  readonly finalize: (state: State) => Result;
}

/**
 * Folds events that are in memory.
 *
 * @example
 * ```ts
 * const total = foldEvents(await query.getEntityEvents('order-1'), {
 *   initial: () => 0,
 *   apply: (count) => count + 1,
 * });
 * ```
 */
export function foldEvents<Event, State>(
  events: Iterable<Event>,
  folder: Pick<EventFolder<Event, State>, 'initial' | 'apply'>,
): State {
  let state = folder.initial();
  for (const event of events) state = applied(folder.apply, state, event);
  return state;
}

/** The state after an event: what `apply` returns, or the state that it has changed. */
export function applied<Event, State>(
  apply: (state: State, event: Event) => State | void,
  state: State,
  event: Event,
): State {
  const next = apply(state, event);
  return next === undefined ? state : next;
}
