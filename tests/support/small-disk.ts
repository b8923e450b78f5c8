import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system of a few megabytes, in memory, on a folder of its own. Only root may mount one. */
export class SmallDisk {
  readonly folder: string;
  #isMounted = true;

  private constructor(folder: string) {
    this.folder = folder;
    process.once('exit', () => this.remove());
  }

  /** Mounts one, or says why that is not possible here. */
  static mount(bytes: number): SmallDisk | string {
    if (platform() !== 'linux') return `A tmpfs needs Linux; this is ${platform()}.`;
    if (process.getuid?.() !== 0) return 'Only root may mount a tmpfs.';
    const folder = mkdtempSync(join(tmpdir(), 'allsource-small-disk-'));
    try {
      const flags = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'allsource-test', folder];
      execFileSync('mount', flags, { stdio: 'pipe' });
    } catch (error) {
      rmSync(folder, { recursive: true });
      return `A tmpfs cannot be mounted here: ${String(error)}`;
    }
    return new SmallDisk(folder);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Takes space away with a file. */
  fill(name: string, bytes: number): void {
    writeFileSync(join(this.folder, name), Buffer.alloc(bytes, 1));
  }

  /** Gives the space of a file back. */
  free(name: string): void {
    const file = join(this.folder, name);
    truncateSync(file, 0);
    rmSync(file);
  }

  /** Unmounts it; idempotent. */
  remove(): void {
    if (!this.#isMounted) return;
    this.#isMounted = false;
    execFileSync('umount', [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
