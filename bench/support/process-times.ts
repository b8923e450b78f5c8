/** Processor time of processes, as Linux counts it. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

export interface ProcessTimes {
  readonly parent: number;
  /** Seconds so far: of the process itself, and of its children that have ended. */
  readonly own: number;
  readonly children: number;
}

/** The times of a process; zeros for one that has gone. */
export function processTimes(pid: number): ProcessTimes {
  const fields = statOf(pid);
  const seconds = (first: number) =>
    (Number(fields[first] ?? 0) + Number(fields[first + 1] ?? 0)) / TICKS_PER_SECOND;
  return { parent: Number(fields[1]), own: seconds(11), children: seconds(13) };
}

/** The processes that a process has started and that still run. */
export function childrenOf(pid: number): ProcessTimes[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map((name) => processTimes(Number(name))).filter(({ parent }) => parent === pid);
}

/** Fields of /proc/PID/stat from the third on. */
function statOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ', 2)[1]?.split(' ') ?? [];
  } catch {
    // It has ended since it was listed.
    return [];
  }
}
