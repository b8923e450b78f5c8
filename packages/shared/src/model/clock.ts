import type { Micros } from './timestamp.ts';
import { micros } from './timestamp.ts';

/** Where the time comes from. Passed in wherever logic depends on it, so that tests own it. */
export interface Clock {
  /** Wall-clock time in microseconds since the Unix epoch. May jump in either direction. */
  nowMicros(): Micros;
}

/** The machine's wall clock, at millisecond precision. */
export const systemClock: Clock = {
  nowMicros: () => micros(Date.now() * 1000),
};
