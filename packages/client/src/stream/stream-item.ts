import type { AllSourceError } from '../http/allsource-error.ts';

/** What a subscription delivers. */
export type StreamItem<Event> =
  | {
      readonly kind: 'event';
      /** `replay`: what the consumer missed; `live`: what comes. */
      readonly phase: 'replay' | 'live';
      /** Place in the whole log, which is what a consumer acknowledges; null where the server's ids do not carry it. */
      readonly position: number | null;
      readonly event: Event;
    }
  /** Everything that was missed has been delivered. Comes after each connection of a consumer, also when nothing was missed. */
  | { readonly kind: 'caught_up'; readonly replayed: number }
  /** Events were missed for good; null: nobody knows how many. Only without a consumer. */
  | { readonly kind: 'lagged'; readonly missed: number | null }
  /** The connection is lost, and is made again after the delay. Without an error it was given up because the reader was behind, and the replay goes on there. */
  | {
      readonly kind: 'reconnecting';
      readonly error: AllSourceError | null;
      readonly delayMs: number;
    };
