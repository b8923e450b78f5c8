/**
 * The folder of all Parquet files: the files of each tenant, and the position up to which they hold everything.
 *
 * Promise: for every tenant the files hold each event up to `position` exactly once, and beyond it at most once. It is held (I-38) by order: files and manifests are durable before
 * the position that says so; and when a file is lost, the position goes back durably before the manifest forgets the file. What the log brings again is passed over where a
 * file covers it (`TenantFiles.covers`), so going back is always safe.
 *
 * What a crash leaves: a position that is too low, which costs reading; never one that is too high.
 *
 * Failure policy: everything here is derived. A damaged manifest loses the tenant's files, a damaged or foreign position file all of them; they are written again from the log,
 * with a warning.
 */
import { assert, must } from '@allsource/shared/lang';
import {
  isDraft,
  type ParquetDisk,
  readWhole,
  removeFile,
  replaceWhole,
} from '../disk/parquet-disk.ts';
import { checkPresence, DamagedFile } from '../file/parquet-file-reader.ts';
import { type ParquetFile, sealed, unsealed } from './manifest.ts';
import {
  MANIFEST_FOLDER,
  manifestName,
  POSITION_FILE,
  tenantFolder,
  tenantOfManifest,
} from './names.ts';
import { TenantFiles } from './tenant-files.ts';

export interface ParquetFolderOptions {
  readonly disk: ParquetDisk;
  readonly nowMs: () => number;
  readonly warn: (facts: object, message: string) => void;
}

const POSITION_FORMAT = 1;

export class ParquetFolder {
  readonly #options: ParquetFolderOptions;
  readonly #tenants = new Map<string, TenantFiles>();
  #logId: string | null = null;
  #position = 0;

  private constructor(options: ParquetFolderOptions) {
    this.#options = options;
  }

  /** Opens the folder, which is made if needed. What cannot be used is removed, with a warning. */
  static async open(options: ParquetFolderOptions): Promise<ParquetFolder> {
    const { disk } = options;
    await disk.makeFolder('');
    await disk.makeFolder(MANIFEST_FOLDER);
    const folder = new ParquetFolder(options);
    await folder.#load();
    return folder;
  }

  /** Up to here the files hold everything. It is the end of a frame. */
  get position(): number {
    return this.#position;
  }

  /** The log that the files were written from, as hex; null while there are none. */
  get logId(): string | null {
    return this.#logId;
  }

  /** The highest position in any file, which is beyond `position` after a crash or while a file is missing. */
  get reachedPosition(): number {
    let reached = this.#position;
    for (const files of this.#tenants.values()) reached = Math.max(reached, files.lastPosition);
    return reached;
  }

  get tenants(): readonly TenantFiles[] {
    return [...this.#tenants.values()];
  }

  /** The files of a tenant that has some; null for another. */
  find(tenant: string): TenantFiles | null {
    return this.#tenants.get(tenant) ?? null;
  }

  /** The files of a tenant, which may be its first. */
  async tenant(tenant: string): Promise<TenantFiles> {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const { disk, nowMs } = this.#options;
    const logId = must(this.#logId, 'a log');
    // A tenant with a manifest was opened with the folder.
    const files = must(await TenantFiles.open({ disk, nowMs, tenant, logId }), 'no manifest');
    this.#tenants.set(tenant, files);
    return files;
  }

  /** Says which log the files are from. The first time there must be none. */
  async begin(logId: string): Promise<void> {
    if (this.#logId === logId) return;
    assert(this.#logId === null, 'the files of one folder are of one log');
    this.#logId = logId;
    await this.#savePosition(0);
  }

  /** Says, durably, that the files hold everything up to here. What was written before is made durable first. */
  async advance(position: number): Promise<void> {
    await this.#options.disk.syncFolder(MANIFEST_FOLDER);
    await this.#savePosition(position);
  }

  /** Takes a file out that cannot be used: what it held will be read from the log again. */
  async drop(files: TenantFiles, damaged: ParquetFile, reason: string): Promise<void> {
    this.#options.warn(
      { tenant: files.tenant, file: damaged.name, reason },
      'a Parquet file cannot be used; it is made again from the log',
    );
    if (damaged.firstPosition <= this.#position)
      await this.#savePosition(damaged.firstPosition - 1);
    await files.drop(damaged);
  }

  /** Removes all files. */
  async clear(): Promise<void> {
    const { disk } = this.#options;
    // The position goes first: without it, whatever a crash leaves here counts for nothing.
    await removeFile(disk, POSITION_FILE);
    await disk.syncFolder('');
    for (const name of await disk.list(MANIFEST_FOLDER)) {
      const tenant = tenantOfManifest(name);
      if (tenant !== null) await this.#clearFiles(tenant);
      await removeFile(disk, `${MANIFEST_FOLDER}/${name}`);
    }
    this.#tenants.clear();
    this.#logId = null;
    this.#position = 0;
  }

  async #clearFiles(tenant: string): Promise<void> {
    const { disk } = this.#options;
    const folder = tenantFolder(tenant);
    for (const file of await disk.list(folder)) await removeFile(disk, `${folder}/${file}`);
  }

  async #load(): Promise<void> {
    const { disk, warn } = this.#options;
    const bytes = await readWhole(disk, POSITION_FILE);
    const names = await disk.list(MANIFEST_FOLDER);
    const saved = bytes === null ? null : unsealed('position', bytes);
    if (saved === null || saved['format'] !== POSITION_FORMAT) {
      if (names.length > 0 || bytes !== null)
        warn({}, `${POSITION_FILE} is missing or damaged; all Parquet files are written again`);
      await this.clear();
      return;
    }
    this.#logId = saved['log_id'] as string;
    this.#position = saved['position'] as number;
    let manifests = 0;
    for (const name of names.sort()) if (await this.#loadFile(name)) manifests += 1;
    if (manifests >= (saved['tenants'] as number)) return;
    warn({}, 'a Parquet manifest is gone; the files of its tenant are written again');
    await this.#savePosition(0);
  }

  /** True when it is a manifest, whether it can be used or not. */
  async #loadFile(name: string): Promise<boolean> {
    const { disk, nowMs } = this.#options;
    const tenant = tenantOfManifest(name);
    if (tenant === null) {
      if (isDraft(name)) await removeFile(disk, `${MANIFEST_FOLDER}/${name}`);
      return false;
    }
    const logId = must(this.#logId, 'a log');
    const files = await TenantFiles.open({ disk, nowMs, tenant, logId });
    if (files === null) {
      await this.#dropTenant(tenant);
    } else {
      this.#tenants.set(tenant, files);
      await this.#requirePresence(files);
    }
    return true;
  }

  async #dropTenant(tenant: string): Promise<void> {
    const { disk, warn } = this.#options;
    warn(
      { tenant },
      'a Parquet manifest cannot be used; the files of its tenant are written again',
    );
    await this.#savePosition(0);
    await this.#clearFiles(tenant);
    await removeFile(disk, manifestName(tenant));
    await disk.syncFolder(MANIFEST_FOLDER);
  }

  async #requirePresence(files: TenantFiles): Promise<void> {
    for (const file of files.files) {
      try {
        await checkPresence(this.#options.disk, files.pathOf(file.name), file);
      } catch (error) {
        if (!(error instanceof DamagedFile)) throw error;
        await this.drop(files, file, error.message);
      }
    }
  }

  async #savePosition(position: number): Promise<void> {
    const { disk } = this.#options;
    const content = {
      format: POSITION_FORMAT,
      log_id: this.#logId,
      position,
      tenants: this.#tenants.size,
    };
    await replaceWhole(disk, POSITION_FILE, sealed('position', content));
    await disk.syncFolder('');
    this.#position = position;
  }
}
