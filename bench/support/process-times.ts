/** Processor time of processes, as Linux counts it. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const TICKS_PER_SECOND = 100;
const REST_SPAN_MS = 1000;
const REST_SHARE_MAX = 0.2;

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

/** Waits until processes work at most a fifth of the time each: what follows a fill has ended, up to snapshots, which take their time. Gives up after `limitMs`, and says so in the result. */
export async function atRest(pids: readonly number[], limitMs: number): Promise<boolean> {
  const used = () => pids.map((pid) => processTimes(pid).own);
  const until = performance.now() + limitMs;
  for (let before = used(); performance.now() < until; ) {
    await sleep(REST_SPAN_MS);
    const now = used();
    const seconds = now.map((sum, index) => sum - (before[index] ?? 0));
    if (seconds.every((worked) => worked < (REST_SHARE_MAX * REST_SPAN_MS) / 1000)) return true;
    before = now;
  }
  return false;
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
