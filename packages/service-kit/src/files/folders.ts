import fs from 'node:fs';
import { platform } from 'node:os';
import { dirname } from 'node:path';

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

/** Makes a folder with those above it, as far as they are missing, so that it survives a loss of power. */
export async function makeFolder(path: string): Promise<void> {
  const firstMade = await fs.promises.mkdir(path, { recursive: true });
  if (firstMade === undefined) return;
  // Each folder on the way down is a name in the one above it.
  for (let made = path; made.length >= firstMade.length; made = dirname(made))
    await syncFolder(dirname(made));
}

/** The names of the files in a folder; none when it is missing. */
export async function filesIn(path: string): Promise<string[]> {
  if (!fs.existsSync(path)) return [];
  const entries = await fs.promises.readdir(path, { withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}
