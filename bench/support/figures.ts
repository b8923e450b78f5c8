/** Turns measured times into figures. Both clocks are shown: on a machine that others use too, processor time tells more than the wall clock. */
import { loadavg } from 'node:os';

export interface Measured {
  readonly wallMs: number;
  readonly cpuMs: number;
}

/** Runs `work` `rounds` times. */
export function measure(rounds: number, work: () => void): Measured {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (let i = 0; i < rounds; i++) work();
  const wallMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: wallMs / rounds, cpuMs: (user + system) / 1000 / rounds };
}

/** The middle of the values; the lower one of two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that a share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** "2 processors busy with 5.1": what the machine did besides. */
export function machineLoad(): string {
  return `load of the machine ${loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')} (1, 5, 15 minutes)`;
}
