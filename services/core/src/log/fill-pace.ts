/**
 * Lets the zeros of the next segment be written no faster than the active one is used up. Written as fast as the disk goes they come in bursts: batches of 100 had a p99 of 9.3 ms where they
 * have 8.7 with the pace (segments of 64 MiB, medians of six turns), 8.6 where they have 7.5 with segments of 1 GiB (four turns). The rate is the same.
 */
import { type Deferred, deferred } from '@allsource/shared/lang';

/** The next segment is full of zeros when two thirds of the active one are used. */
const LEAD = 1.5;

/** Whoever waits is told whether the filling goes on. */
export class FillPace {
  readonly #bytes: number;
  #allowedBytes = 0;
  #isAbandoned = false;
  #waiting: { readonly bytes: number; readonly turn: Deferred<boolean> } | null = null;

  /** Of a file that is to have so many bytes. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Notes which part of the active segment is used, from 0 to 1. */
  used(part: number): void {
    this.#allow(part * LEAD * this.#bytes);
  }

  /** The segment is wanted now. */
  hurry(): void {
    this.#allow(this.#bytes);
  }

  /** The segment is not wanted any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#waiting?.turn.resolve(false);
    this.#waiting = null;
  }

  /** Asked when so many bytes are written. True, perhaps later: more may be. False: the filling is to end. */
  turn(bytes: number): Promise<boolean> | boolean {
    if (this.#isAbandoned) return false;
    if (bytes < this.#allowedBytes) return true;
    this.#waiting = { bytes, turn: deferred<boolean>() };
    return this.#waiting.turn.promise;
  }

  #allow(bytes: number): void {
    this.#allowedBytes = Math.max(this.#allowedBytes, bytes);
    const waiting = this.#waiting;
    if (waiting === null || waiting.bytes >= this.#allowedBytes) return;
    this.#waiting = null;
    waiting.turn.resolve(true);
  }
}
