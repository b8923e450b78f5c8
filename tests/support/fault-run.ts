/** What the fault tests on the real machine share; how long they run and with which seed is testkit's to say. */
export { isLong, report, reportNotTested, seed } from '@allsource/testkit';

/** Waits; only to let a fault strike at another moment, never to wait for a state. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** Median and largest of some times, for a report. */
export function medianAndMax(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${Math.round(median)} ms (largest ${Math.round(sorted.at(-1) ?? 0)} ms)`;
}
