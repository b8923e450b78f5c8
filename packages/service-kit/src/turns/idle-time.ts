import { type EventLoopUtilization, performance } from 'node:perf_hooks';

/** How idle the event loop of this thread is: for work that nobody waits for. */
export class IdleTime {
  #last: EventLoopUtilization = performance.eventLoopUtilization();

  /** The part of the time since the last call in which the event loop had nothing to do, from 0 to 1. */
  sinceLastAsked(): number {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#last);
    this.#last = now;
    return 1 - utilization;
  }
}
