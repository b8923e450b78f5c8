import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const INSTALL_TIMEOUT_MS = 180_000;

/** The path of a command on the PATH; null when there is none. */
export function findTool(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, name)).find(existsSync) ?? null;
}

/** As {@link findTool}; as root on Debian installs the package of the same name first, where it is missing. */
export function findOrInstallTool(name: string): string | null {
  const found = findTool(name);
  if (found !== null || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return found;
  const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env: environment, stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS } as const;
  const lock = ['-o', 'DPkg::Lock::Timeout=120'];
  const install = [...lock, 'install', '-y', '--no-install-recommends', name];
  // The lists of packages may be there already; only when they are not does it take an update.
  for (const args of [install, ['update'], install]) {
    if (findTool(name) === null) spawnSync('apt-get', args, options);
  }
  return findTool(name);
}

/** What a command prints. Throws with its complaint when it fails. */
export function outputOf(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
