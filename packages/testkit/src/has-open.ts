import { readdirSync, readlinkSync } from 'node:fs';

const DESCRIPTORS = '/proc/self/fd';

/** Whether this process has a file open. On Linux only. */
export function hasOpen(path: string): boolean {
  return readdirSync(DESCRIPTORS).some((descriptor) => {
    try {
      return readlinkSync(`${DESCRIPTORS}/${descriptor}`) === path;
    } catch {
      // Closed since, as the one that the list was read through.
      return false;
    }
  });
}
