/**
 * The Parquet files of one tenant.
 *
 * Promise: the files that the manifest names hold each event of the tenant at most once, whatever happens. The only change of what counts is the replacement of the
 * manifest, in one step; files that it names are durable before, and files that it no longer names are removed after.
 *
 * Order of a change: the new files under draft names, synced; their names; sync of the folder; the manifest under a draft name, synced; its name; sync of the folder of
 * manifests; only then old files are unlinked, and those that a merged file has replaced only after a while, for those who were told of them.
 *
 * What a crash leaves: drafts, files that no manifest names, or files that are retired already. `open` removes the first two; `sweep` removes the last when they are due.
 *
 * Failure policy: what the disk refuses is thrown, and what was begun is left over as after a crash. The caller opens the folder again.
 */
import { must } from '@allsource/shared/lang';
import {
  draftOf,
  type ParquetDisk,
  readWhole,
  removeFile,
  replaceWhole,
} from '../disk/parquet-disk.ts';
import type { WrittenFile } from '../file/parquet-file-writer.ts';
import {
  type CompactionTotals,
  decodeManifest,
  emptyManifest,
  encodeManifest,
  type Manifest,
  type ParquetFile,
} from './manifest.ts';
import { fileNameOf, MANIFEST_FOLDER, manifestName, tenantFolder } from './names.ts';

/** How long a replaced file stays for those who have its name and have not opened it yet. */
export const RETIRED_KEEP_MS = 10 * 60_000;

export interface PositionRange {
  readonly firstPosition: number;
  readonly lastPosition: number;
}

/** A file whose bytes are durable under its draft name. */
export interface DraftFile extends PositionRange, WrittenFile {
  readonly name: string;
}

export interface TenantFilesOptions {
  readonly disk: ParquetDisk;
  readonly tenant: string;
  readonly logId: string;
  readonly nowMs: () => number;
}

export class TenantFiles {
  readonly #options: TenantFilesOptions;
  readonly #folder: string;
  #manifest: Manifest;
  #drafts = 0;

  private constructor(options: TenantFilesOptions, manifest: Manifest) {
    this.#options = options;
    this.#folder = tenantFolder(options.tenant);
    this.#manifest = manifest;
  }

  /**
   * Opens the files of a tenant, which may have none, and removes what is left over. Returns null, and leaves everything as it is, when there is a manifest that cannot
   * be used.
   */
  static async open(options: TenantFilesOptions): Promise<TenantFiles | null> {
    const { disk, tenant, logId } = options;
    await disk.makeFolder(tenantFolder(tenant));
    const bytes = await readWhole(disk, manifestName(tenant));
    const manifest = bytes === null ? emptyManifest(tenant, logId) : decodeManifest(bytes);
    if (manifest === null || manifest.logId !== logId || manifest.tenant !== tenant) return null;
    const files = new TenantFiles(options, manifest);
    await files.#removeLeftovers();
    return files;
  }

  get tenant(): string {
    return this.#options.tenant;
  }

  /** The files that count, in position order. */
  get files(): readonly ParquetFile[] {
    return this.#manifest.files;
  }

  get totals(): CompactionTotals {
    return this.#manifest.totals;
  }

  /** The highest position that a file holds; 0 when there is none. */
  get lastPosition(): number {
    return this.files.at(-1)?.lastPosition ?? 0;
  }

  /** True when a file holds what the tenant has at this position. */
  covers(position: number): boolean {
    const { files } = this;
    let low = 0;
    let high = files.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (must(files[middle], 'a file').lastPosition < position) low = middle + 1;
      else high = middle;
    }
    const file = files[low];
    return file !== undefined && file.firstPosition <= position;
  }

  pathOf(name: string): string {
    return `${this.#folder}/${name}`;
  }

  /** A name for a file of this range that no file has had. */
  newName(range: PositionRange): string {
    this.#drafts += 1;
    return fileNameOf({ ...range, generation: this.#manifest.generation + this.#drafts });
  }

  /** Puts files in the places of others: all of it happens or nothing. Durable after `syncManifests`. */
  async replace(
    replaced: readonly ParquetFile[],
    drafts: readonly DraftFile[],
    totals: CompactionTotals = this.#manifest.totals,
  ): Promise<void> {
    const { disk, nowMs } = this.#options;
    for (const { name } of drafts) await disk.rename(draftOf(this.pathOf(name)), this.pathOf(name));
    await disk.syncFolder(this.#folder);
    const createdAtMs = nowMs();
    const files = this.files.filter((file) => !replaced.includes(file));
    for (const draft of drafts) files.push({ ...draft, createdAtMs });
    files.sort((a, b) => a.firstPosition - b.firstPosition);
    const retired = replaced.map(({ name, bytes }) => ({ name, bytes, retiredAtMs: createdAtMs }));
    await this.#write({ files, retired: [...this.#manifest.retired, ...retired], totals });
  }

  /** Takes a damaged file out and removes it. The caller has seen to it that its events are read again from the log. */
  async drop(damaged: ParquetFile): Promise<void> {
    const { disk } = this.#options;
    await this.#write({ files: this.files.filter((file) => file !== damaged) });
    await disk.syncFolder(MANIFEST_FOLDER);
    await removeFile(disk, this.pathOf(damaged.name));
  }

  /** Removes the replaced files whose time is over. */
  async sweep(): Promise<void> {
    const { disk, nowMs } = this.#options;
    const dueMs = nowMs() - RETIRED_KEEP_MS;
    const due = this.#manifest.retired.filter(({ retiredAtMs }) => retiredAtMs <= dueMs);
    if (due.length === 0) return;
    // The manifest that no longer counts them must be durable, or a crash could bring the one back that does.
    await disk.syncFolder(MANIFEST_FOLDER);
    for (const { name } of due) await removeFile(disk, this.pathOf(name));
    await this.#write({ retired: this.#manifest.retired.filter((file) => !due.includes(file)) });
  }

  async #write(change: Partial<Manifest>): Promise<void> {
    const { disk, tenant } = this.#options;
    const generation = this.#manifest.generation + this.#drafts + 1;
    const manifest: Manifest = { ...this.#manifest, ...change, generation };
    await replaceWhole(disk, manifestName(tenant), encodeManifest(manifest));
    this.#manifest = manifest;
    this.#drafts = 0;
  }

  async #removeLeftovers(): Promise<void> {
    const { disk } = this.#options;
    const { files, retired } = this.#manifest;
    const kept = new Set([...files, ...retired].map(({ name }) => name));
    for (const name of await disk.list(this.#folder))
      if (!kept.has(name)) await removeFile(disk, this.pathOf(name));
  }
}
