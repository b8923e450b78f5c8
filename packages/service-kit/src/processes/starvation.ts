/**
 * Tells of a program that is ready to run and hardly ever does: one that gets leftover time only (leftover-time.ts), on a machine that leaves next to none. Who started it
 * can then start it again with another priority; a process may leave the idle class only where it may raise its priority, which takes a right that services do not have.
 *
 * Linux says of each thread whether it runs or could run (`R`), and for how long it has run (/proc/<pid>/task/<tid>/stat, proc(5)). On other systems nothing is told.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { platform } from 'node:process';

/** What Linux counts times in for programs. */
const TICK_MS = 10;

/** When a program has starved. */
export interface StarvationRule {
  readonly lookEveryMs: number;
  /** The time over which it is judged. */
  readonly judgedOverMs: number;
  /** It was ready at so many of the looks, as a share of them, at least, ... */
  readonly readyShareMin: number;
  /** ... and ran for a smaller share of the time than this. */
  readonly ranShareMin: number;
}

/** In the idle class a program has 0.3 % beside one thread of the usual priority, at the lowest usual priority 1.5 %. */
const RULE: StarvationRule = {
  lookEveryMs: 1_000,
  judgedOverMs: 30_000,
  readyShareMin: 0.9,
  ranShareMin: 0.02,
};

export interface StarvationOptions {
  readonly pid: number;
  /** Called once. */
  readonly onStarved: () => void;
  readonly rule?: StarvationRule | undefined;
}

/** Watches a process until it has starved or has ended. Returns how to stop. */
export function watchForStarvation(options: StarvationOptions): () => void {
  const { pid, onStarved, rule = RULE } = options;
  if (platform !== 'linux') return () => {};
  let looks = 0;
  let readyLooks = 0;
  let startedAt = performance.now();
  let ranBeforeMs = lookAt(pid)?.ranMs ?? 0;
  const timer = setInterval(() => {
    const seen = lookAt(pid);
    if (seen === null) return clearInterval(timer);
    looks += 1;
    if (seen.isReady) readyLooks += 1;
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs < rule.judgedOverMs) return;
    const isReady = readyLooks >= looks * rule.readyShareMin;
    if (isReady && seen.ranMs - ranBeforeMs < elapsedMs * rule.ranShareMin) {
      clearInterval(timer);
      return onStarved();
    }
    looks = 0;
    readyLooks = 0;
    startedAt = performance.now();
    ranBeforeMs = seen.ranMs;
  }, rule.lookEveryMs).unref();
  return () => clearInterval(timer);
}

interface Look {
  /** One of its threads runs, or could. */
  readonly isReady: boolean;
  /** Of all its threads so far. */
  readonly ranMs: number;
}

/** Null when the process has ended. */
function lookAt(pid: number): Look | null {
  const tasks = `/proc/${pid}/task`;
  const threads = unlessGone(() => readdirSync(tasks));
  if (threads === null) return null;
  let isReady = false;
  let ticks = 0;
  for (const thread of threads) {
    const stat = unlessGone(() => readFileSync(`${tasks}/${thread}/stat`, 'latin1'));
    if (stat === null) continue;
    // The name of the program, in brackets, may hold any characters.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    isReady ||= fields[0] === 'R';
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return { isReady, ranMs: ticks * TICK_MS };
}

function unlessGone<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
