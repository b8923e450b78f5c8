/** The arithmetic of the report. Everything here is a pure function of numbers. */

/** Latencies of one run, in milliseconds. */
export interface LatencySummary {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** By how much the fsync floor may move during a run before the run says nothing. */
export const FLOOR_MOVE_MAX = 0.25;

/** The value below which `share` (0 to 1) of the values lie, by nearest rank; NaN of no values. The values must be sorted upwards. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The middle value, or the mean of the two middle ones; NaN of no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** The smallest and the largest value. */
export function range(values: readonly number[]): { readonly min: number; readonly max: number } {
  return { min: Math.min(...values), max: Math.max(...values) };
}

/** Percentiles of latencies in any order. */
export function summarize(latenciesMs: readonly number[]): LatencySummary {
  const sorted = Float64Array.from(latenciesMs).sort();
  return {
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
    maxMs: percentile(sorted, 1),
  };
}

/** Whether a run is void: the disk it ran on was not the same before and after. */
export function isVoid(floor: { readonly beforeMs: number; readonly afterMs: number }): boolean {
  return Math.abs(floor.afterMs - floor.beforeMs) / floor.beforeMs > FLOOR_MOVE_MAX;
}
