import { JobThread, threadFile } from '@allsource/service-kit/threads';
import type { RowChunk } from './packed-rows.ts';

/** Everything that one save writes, in one transaction. */
export interface SaveJob {
  /** The file of the projections. */
  readonly file: string;
  readonly logId: string;
  readonly position: number;
  readonly rows: readonly RowChunk[];
  /** Bytes of text added, by tenant. */
  readonly textBytes: readonly (readonly [tenant: string, bytes: number])[];
}

/** Why nothing of a save was written, in SQLite's words; null when all of it is. */
export type SaveFault = { readonly code: string; readonly message: string } | null;

/** The thread that saves what was folded (save.worker.ts), so that neither the writing nor SQLite's checkpoints, with their syncs, hold up those who read. */
export type SaveThread = JobThread<SaveJob, SaveFault>;

const HEAP_MIB_MAX = 128;
const IDLE_MS = 60_000;

export function createSaveThread(): SaveThread {
  return new JobThread({
    file: threadFile(import.meta, 'save'),
    heapMibMax: HEAP_MIB_MAX,
    idleMs: IDLE_MS,
    closedDetail: 'The projections are not saved any more: the service stops.',
  });
}
