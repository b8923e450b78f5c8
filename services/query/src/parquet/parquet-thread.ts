import type { InternalTokenSource } from '@allsource/service-kit/config';
import { JobThread, threadFile } from '@allsource/service-kit/threads';
import type { CompactionRules } from './compaction/merge-plan.ts';
import type { ParquetJob, ParquetReport } from './parquet-keeper.ts';

export interface ParquetThreadOptions {
  readonly folder: string;
  readonly coreUrl: string;
  readonly token: InternalTokenSource;
  readonly rules: CompactionRules;
  readonly logLevel: string;
}

/** The thread that keeps the Parquet files (parquet.worker.ts). */
export type ParquetThread = JobThread<ParquetJob, ParquetReport>;

/** A portion of frames, its columns and what the library makes of them: a few times more than is needed. */
const HEAP_MIB_MAX = 384;
/** How long a thread without jobs is kept. */
const IDLE_MS = 20_000;

export function createParquetThread(options: ParquetThreadOptions): ParquetThread {
  return new JobThread({
    file: threadFile(import.meta, 'parquet'),
    workerData: options,
    heapMibMax: HEAP_MIB_MAX,
    idleMs: IDLE_MS,
    closedDetail: 'The Parquet files are not worked on any more: the service stops.',
  });
}
