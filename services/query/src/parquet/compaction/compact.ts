/**
 * Merges the Parquet files of a tenant into fewer and larger ones, row group by row group, so that memory does not depend on their size.
 *
 * Promise: a reader of the manifest finds either the old files or the merged one, never both or none, whatever happens at any point (`TenantFiles.replace`). The merged file holds
 * the same rows, byte for byte and in position order.
 *
 * Only files below the folder's position are merged: above it, a file may be missing between two others.
 *
 * Failure policy: a damaged file is taken out and its group is left as it is; the log is read again for it. What the disk refuses is thrown.
 */
import { must } from '@allsource/shared/lang';
import type { ParquetDisk } from '../disk/parquet-disk.ts';
import { type EventColumns, joinedColumns, textBytes } from '../file/event-columns.ts';
import { DamagedFile, readRowGroups } from '../file/parquet-file-reader.ts';
import { ParquetFileWriter } from '../file/parquet-file-writer.ts';
import type { ParquetFile } from '../folder/manifest.ts';
import type { ParquetFolder } from '../folder/parquet-folder.ts';
import type { DraftFile, TenantFiles } from '../folder/tenant-files.ts';
import { factsOf, ROW_GROUP_LIMITS } from '../writing/event-file.ts';
import { type CompactionRules, type CompactionStrategy, mergePlan } from './merge-plan.ts';

/** What one compaction of a tenant did. */
export interface CompactionResult {
  readonly files: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly events: number;
  readonly durationMs: number;
  /** Damaged files that were found and taken out. */
  readonly damaged: number;
}

export const NOTHING_COMPACTED: CompactionResult = {
  files: 0,
  bytesBefore: 0,
  bytesAfter: 0,
  events: 0,
  durationMs: 0,
  damaged: 0,
};

export interface CompactOptions {
  readonly disk: ParquetDisk;
  readonly folder: ParquetFolder;
  readonly files: TenantFiles;
  readonly strategy: CompactionStrategy;
  readonly rules: CompactionRules;
  readonly nowMs: () => number;
}

/** Compacts the files of one tenant. */
export async function compact(options: CompactOptions): Promise<CompactionResult> {
  const { folder, files, strategy, rules, nowMs } = options;
  const startedMs = nowMs();
  const settled = files.files.filter(({ lastPosition }) => lastPosition <= folder.position);
  let result = NOTHING_COMPACTED;
  for (const group of mergePlan({ files: settled, strategy, rules, nowMs: startedMs })) {
    result = await mergeGroup(options, group, result);
    result = { ...result, durationMs: nowMs() - startedMs };
  }
  return result;
}

async function mergeGroup(
  options: CompactOptions,
  group: readonly ParquetFile[],
  before: CompactionResult,
): Promise<CompactionResult> {
  const { folder, files, nowMs } = options;
  const startedMs = nowMs();
  const merged = await merge(options, group);
  if (merged.kind === 'damaged') {
    await folder.drop(files, merged.file, merged.reason);
    return { ...before, damaged: before.damaged + 1 };
  }
  const bytesBefore = group.reduce((sum, { bytes }) => sum + bytes, 0);
  const { rows, bytes } = merged.draft;
  const { totals } = files;
  await files.replace(group, [merged.draft], {
    compactions: totals.compactions + 1,
    files: totals.files + group.length,
    bytesBefore: totals.bytesBefore + bytesBefore,
    bytesAfter: totals.bytesAfter + bytes,
    events: totals.events + rows,
    lastDurationMs: nowMs() - startedMs,
  });
  return {
    ...before,
    files: before.files + group.length,
    bytesBefore: before.bytesBefore + bytesBefore,
    bytesAfter: before.bytesAfter + bytes,
    events: before.events + rows,
  };
}

type Merged =
  | { readonly kind: 'merged'; readonly draft: DraftFile }
  | { readonly kind: 'damaged'; readonly file: ParquetFile; readonly reason: string };

async function merge(options: CompactOptions, group: readonly ParquetFile[]): Promise<Merged> {
  const { disk, files } = options;
  const range = {
    firstPosition: must(group[0], 'a group').firstPosition,
    lastPosition: must(group.at(-1), 'a group').lastPosition,
  };
  const name = files.newName(range);
  const facts = factsOf(files, range);
  const writer = await ParquetFileWriter.create({ disk, name: files.pathOf(name), facts });
  const merger = new RowGroupMerger(writer);
  let current = must(group[0], 'a group');
  try {
    for (current of group) {
      const path = files.pathOf(current.name);
      const order = new PositionOrder(current);
      await readRowGroups({ disk, path, expected: current }, async (columns) => {
        order.check(columns);
        await merger.add(columns);
      });
    }
    await merger.end();
    return { kind: 'merged', draft: { name, ...range, ...(await writer.finish()) } };
  } catch (error) {
    await writer.abandon();
    if (!(error instanceof DamagedFile)) throw error;
    return { kind: 'damaged', file: current, reason: error.message };
  }
}

/** Collects small row groups into full ones. */
class RowGroupMerger {
  readonly #writer: ParquetFileWriter;
  #parts: EventColumns[] = [];
  #rows = 0;
  #textBytes = 0;

  constructor(writer: ParquetFileWriter) {
    this.#writer = writer;
  }

  async add(columns: EventColumns): Promise<void> {
    const bytes = textBytes(columns);
    const isOver =
      this.#rows + columns.rowCount > ROW_GROUP_LIMITS.rows ||
      this.#textBytes + bytes > ROW_GROUP_LIMITS.textBytes;
    if (isOver) await this.end();
    this.#parts.push(columns);
    this.#rows += columns.rowCount;
    this.#textBytes += bytes;
  }

  async end(): Promise<void> {
    if (this.#parts.length > 0) await this.#writer.add(joinedColumns(this.#parts));
    this.#parts = [];
    this.#rows = 0;
    this.#textBytes = 0;
  }
}

/** Positions ascend, from the first to the last that the manifest names. */
class PositionOrder {
  readonly #file: ParquetFile;
  #last: bigint;
  #isFirst = true;

  constructor(file: ParquetFile) {
    this.#file = file;
    this.#last = BigInt(file.firstPosition) - 1n;
  }

  check({ position }: EventColumns): void {
    const { firstPosition, lastPosition } = this.#file;
    if (this.#isFirst && position[0] !== BigInt(firstPosition))
      throw new DamagedFile(`it begins at position ${position[0]} instead of ${firstPosition}`);
    this.#isFirst = false;
    for (const at of position) {
      if (at <= this.#last || at > lastPosition)
        throw new DamagedFile(`position ${at} stands behind ${this.#last}`);
      this.#last = at;
    }
  }
}
