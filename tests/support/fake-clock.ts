import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { platform } from 'node:os';

const LIBRARIES = [
  '/usr/lib/*/faketime/libfaketimeMT.so.1',
  '/usr/lib*/faketime/libfaketimeMT.so.1',
  '/usr/local/lib/faketime/libfaketimeMT.so.1',
];

/** The environment that shifts the wall clock of a process by an offset such as `-1h`, its monotonic clock left alone; or why that cannot be had. */
export type FakeClock = (offset: string) => Readonly<Record<string, string>>;

/** Finds libfaketime and tries it. Returns the reason when there is none that works. */
export function findFakeClock(): FakeClock | string {
  if (platform() !== 'linux') return `libfaketime is looked for on Linux; this is ${platform()}.`;
  const library = globSync(LIBRARIES)[0];
  if (library === undefined)
    return 'libfaketime is not installed (Debian: apt-get install faketime).';
  const clock: FakeClock = (offset) => ({
    LD_PRELOAD: library,
    FAKETIME: offset,
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  });
  const { stdout } = spawnSync(process.execPath, ['-p', 'Date.now()'], {
    env: { ...process.env, NODE_OPTIONS: '', ...clock('-10d') },
    encoding: 'utf8',
  });
  const shiftMs = Date.now() - Number(stdout);
  return shiftMs > 9 * 24 * 3600 * 1000 ? clock : `${library} does not shift the clock of Node.`;
}
