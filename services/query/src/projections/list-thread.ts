import { JobThread, threadFile } from '@allsource/service-kit/threads';
import type { ListWindow } from './list-states.ts';

/** Which states are listed, of which file. */
export interface ListJob extends ListWindow {
  /** The file of the projections. */
  readonly file: string;
  /** The projection's number. */
  readonly projection: number;
  readonly tenant: string;
}

/** What was listed, and the position at which that is so; or why nothing was, in SQLite's words. */
export type ListReport =
  | {
      readonly kind: 'listed';
      readonly position: number;
      /** The rows as JSON in UTF-8, with commas in between. */
      readonly rows: SharedArrayBuffer;
      readonly count: number;
      readonly total: number;
    }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** The thread that lists states of the built-in projections (list.worker.ts): to count ten million of them would hold up all others for a second and more. */
export type ListThread = JobThread<ListJob, ListReport>;

const HEAP_MIB_MAX = 256;
const IDLE_MS = 60_000;

export function createListThread(): ListThread {
  return new JobThread({
    file: threadFile(import.meta, 'list'),
    heapMibMax: HEAP_MIB_MAX,
    idleMs: IDLE_MS,
    closedDetail: 'The projections are not read any more: the service stops.',
  });
}
