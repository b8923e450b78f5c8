import fs from 'node:fs';
import { platform } from 'node:os';
import { dirname, resolve } from 'node:path';

/**
 * Makes the names in a folder survive a loss of power: files that were made, renamed and removed in it. Windows cannot sync a folder; its file system journals names by
 * itself.
 */
export async function syncFolder(path: string): Promise<void> {
  if (platform() === 'win32') return;
  const handle = await fs.promises.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder with those above it, as far as they are missing, so that it survives a loss of power. One that is there already may have been made by a process that ended before
 * it could sync, so it is no less work.
 */
export async function makeFolder(path: string): Promise<void> {
  await fs.promises.mkdir(path, { recursive: true });
  // Each folder on the way down is a name in the one above it.
  for (let made = resolve(path); dirname(made) !== made; made = dirname(made))
    if (!(await isSynced(dirname(made)))) return;
}

/** What a folder says that this process may not open, and so has made nothing in it, or that lies on a file system that is never written or has no such sync. */
const REFUSALS = new Set(['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOTSUP']);

/** Syncs a folder; false when that is refused, which goes for those above it too. */
async function isSynced(path: string): Promise<boolean> {
  try {
    await syncFolder(path);
    return true;
  } catch (thrown) {
    if (REFUSALS.has((thrown as NodeJS.ErrnoException).code ?? '')) return false;
    throw thrown;
  }
}

/** The names of the files in a folder; none when it is missing. */
export async function filesIn(path: string): Promise<string[]> {
  if (!fs.existsSync(path)) return [];
  const entries = await fs.promises.readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}
