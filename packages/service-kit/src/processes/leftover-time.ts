/**
 * Work that is to get only the time that nobody else wants. The lowest priority is not enough for it: Linux lets a thread that has the processor finish its slice of some
 * milliseconds, whatever its priority, before one that has just become ready, and only the idle class gives way at once (sched(7), SCHED_IDLE). Node cannot ask for
 * that class, so `chrt` of util-linux does, where it is there; every Debian has it. Without it the priority is what there is.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readlinkSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { basename } from 'node:path';
import { platform } from 'node:process';

const CHRT = '/usr/bin/chrt';

/** What a command begins with so that the program and all its threads get leftover time; empty where that cannot be had. */
export function leftoverTimePrefix(): readonly string[] {
  return canAsk() ? [CHRT, '--idle', '0'] : [];
}

/** Gives the calling thread leftover time only. On other systems than Linux a priority belongs to the whole process, so nothing happens there. */
export function takeLeftoverTimeOnly(): void {
  if (platform !== 'linux') return;
  setPriority(constants.priority.PRIORITY_LOW);
  if (canAsk())
    spawnSync(CHRT, ['--idle', '--pid', '0', basename(readlinkSync('/proc/thread-self'))]);
}

let isGranted: boolean | null = null;

/** Sandboxes may refuse the class; so it is asked for once, for a program that does nothing. */
function canAsk(): boolean {
  isGranted ??=
    platform === 'linux' &&
    existsSync(CHRT) &&
    spawnSync(CHRT, ['--idle', '0', CHRT, '--version'], { stdio: 'ignore' }).status === 0;
  return isGranted;
}
