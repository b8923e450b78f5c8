/** Tests of deciders and reducers in the words given, when, then. They need no store and no test runner: what does not hold throws. */
import { applied } from '../query/event-folder.ts';
import { differenceOf } from './difference.ts';
import { ExpectationError } from './expectation-error.ts';

/** A decision as functions: which events a command leads to, and what they make of the state. */
export interface Decider<State, Event, Command, Output extends Event = Event> {
  readonly initialState: () => State;
  readonly evolve: (state: State, event: Event) => State | void;
  /** Returns the events, or throws why not. */
  readonly decide: (state: State, command: Command) => Output | readonly Output[];
}

/** What was decided. */
export interface Decided<Event> {
  /** Requires exactly these events. */
  thenEvents(...events: readonly Event[]): void;
  /** Requires a refusal: an error of this class, or with this text in its message. */
  thenThrows(expected?: (new (...parameters: never[]) => Error) | string | RegExp): void;
}

/**
 * Tests a decider: given what has happened, when a command comes, then these events or this refusal.
 *
 * @example
 * ```ts
 * type Event = { eventType: 'order.placed' } | { eventType: 'order.paid' };
 *
 * const order = decider({
 *   initialState: () => ({ isPaid: false }),
 *   evolve: (state, event: Event) => (event.eventType === 'order.paid' ? { isPaid: true } : state),
 *   decide: (state, command: 'pay'): Event[] => {
 *     if (state.isPaid) throw new RangeError('paid already');
 *     return command === 'pay' ? [{ eventType: 'order.paid' }] : [];
 *   },
 * });
 *
 * order.given({ eventType: 'order.placed' }).when('pay').thenEvents({ eventType: 'order.paid' });
 * order.given({ eventType: 'order.paid' }).when('pay').thenThrows(RangeError);
 * ```
 */
export function decider<State, Event, Command, Output extends Event>(
  subject: Decider<State, Event, Command, Output>,
): {
  given(...events: readonly Event[]): { when(command: Command): Decided<Output> };
} {
  return {
    given: (...events) => ({
      when: (command) =>
        decided(() =>
          subject.decide(folded(subject.initialState(), subject.evolve, events), command),
        ),
    }),
  };
}

/**
 * Tests a reducer: given these events, then this state.
 *
 * @example
 * ```ts
 * const count = reducer(() => ({ orders: 0 }), (state, event: { eventType: string }) => {
 *   if (event.eventType === 'order.placed') state.orders += 1;
 * });
 *
 * count.given({ eventType: 'order.placed' }, { eventType: 'order.paid' }).thenState({ orders: 1 });
 * ```
 */
export function reducer<State, Event>(
  initialState: () => State,
  reduce: (state: State, event: Event) => State | void,
): { given(...events: readonly Event[]): { thenState(state: State): void } } {
  return {
    given: (...events) => ({
      thenState: (expected) =>
        requireEqual('state', folded(initialState(), reduce, events), expected),
    }),
  };
}

function folded<State, Event>(
  initial: State,
  reduce: (state: State, event: Event) => State | void,
  events: readonly Event[],
): State {
  let state = initial;
  for (const event of events) state = applied(reduce, state, event);
  return state;
}

function decided<Event>(decide: () => Event | readonly Event[]): Decided<Event> {
  return {
    thenEvents: (...events) => {
      const outcome = decide();
      requireEqual('events', Array.isArray(outcome) ? outcome : [outcome], events);
    },
    thenThrows: (expected) => {
      let outcome: unknown;
      try {
        outcome = decide();
      } catch (error) {
        requireRefusal(error, expected);
        return;
      }
      throw new ExpectationError(`Expected a refusal, but these were decided: ${shown(outcome)}`);
    },
  };
}

function requireEqual(what: string, actual: unknown, expected: unknown): void {
  const difference = differenceOf(actual, expected);
  if (difference !== null)
    throw new ExpectationError(
      `The ${what} differ at ${difference}.\nexpected: ${shown(expected)}\nactual:   ${shown(actual)}`,
    );
}

function requireRefusal(
  error: unknown,
  expected: (new (...parameters: never[]) => Error) | string | RegExp | undefined,
): void {
  const message = error instanceof Error ? error.message : String(error);
  if (expected === undefined) return;
  if (typeof expected === 'function') {
    if (error instanceof expected) return;
    throw new ExpectationError(`Expected a ${expected.name}, but it was refused with: ${message}`);
  }
  const fits = typeof expected === 'string' ? message.includes(expected) : expected.test(message);
  if (!fits)
    throw new ExpectationError(
      `Expected a refusal that says ${String(expected)}, but it was refused with: ${message}`,
    );
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, held: unknown) =>
    held instanceof Map ? Object.fromEntries(held) : held instanceof Set ? [...held] : held,
  );
}
