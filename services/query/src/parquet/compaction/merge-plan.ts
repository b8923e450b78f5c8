/**
 * Which files are merged, by strategy. Only files that follow each other are merged, because a file holds all that its tenant has between its first and its last event.
 *
 *     sizebased       small files that follow each other, as soon as there are enough of them
 *     timebased       files that are a day old or older and below the target size, as soon as there are enough of them
 *     fullcompaction  everything that is below the largest size
 *
 * A merged file ends when it has reached the target size; it may grow up to the largest size. `fullcompaction` fills files up to the largest size.
 */
import type { ParquetFile } from '../folder/manifest.ts';

export const COMPACTION_STRATEGIES = ['sizebased', 'timebased', 'fullcompaction'] as const;

export type CompactionStrategy = (typeof COMPACTION_STRATEGIES)[number];

export interface CompactionRules {
  readonly filesMin: number;
  readonly targetBytes: number;
  readonly fileBytesMax: number;
  readonly smallBytes: number;
}

/** How old a file must be for the strategy `timebased`. */
export const MERGE_AGE_MS = 24 * 3600_000;

/** A full compaction is asked for by somebody, so two files are enough for it. */
const FULL_FILES_MIN = 2;

export interface MergeQuestion {
  /** All files of a tenant that may be merged, in position order, with nothing missing between them. */
  readonly files: readonly ParquetFile[];
  readonly strategy: CompactionStrategy;
  readonly rules: CompactionRules;
  readonly nowMs: number;
}

/** The groups of files to merge, each into one file. */
export function mergePlan(question: MergeQuestion): ParquetFile[][] {
  const { files, strategy, rules } = question;
  const isFull = strategy === 'fullcompaction';
  const filesMin = isFull ? FULL_FILES_MIN : rules.filesMin;
  const enoughBytes = isFull ? rules.fileBytesMax : rules.targetBytes;
  const limits = { filesMin, enoughBytes, bytesMax: rules.fileBytesMax };
  return runsOf(files, (file) => isCandidate(file, question)).flatMap((run) => groups(run, limits));
}

function isCandidate(file: ParquetFile, { strategy, rules, nowMs }: MergeQuestion): boolean {
  switch (strategy) {
    case 'sizebased':
      return file.bytes < rules.smallBytes;
    case 'timebased':
      return file.bytes < rules.targetBytes && nowMs - file.createdAtMs >= MERGE_AGE_MS;
    case 'fullcompaction':
      return file.bytes < rules.fileBytesMax;
  }
}

function runsOf(
  files: readonly ParquetFile[],
  isIn: (file: ParquetFile) => boolean,
): ParquetFile[][] {
  const runs: ParquetFile[][] = [];
  let run: ParquetFile[] | null = null;
  for (const file of files) {
    if (!isIn(file)) {
      run = null;
    } else if (run === null) {
      run = [file];
      runs.push(run);
    } else {
      run.push(file);
    }
  }
  return runs;
}

interface GroupLimits {
  readonly filesMin: number;
  readonly enoughBytes: number;
  readonly bytesMax: number;
}

/** Cuts a run into groups. One with too few files is left for later. */
function groups(run: readonly ParquetFile[], limits: GroupLimits): ParquetFile[][] {
  const result: ParquetFile[][] = [];
  let group: ParquetFile[] = [];
  let bytes = 0;
  for (const file of run) {
    if (bytes >= limits.enoughBytes || bytes + file.bytes > limits.bytesMax) {
      result.push(group);
      group = [];
      bytes = 0;
    }
    group.push(file);
    bytes += file.bytes;
  }
  result.push(group);
  return result.filter(({ length }) => length >= limits.filesMin);
}
