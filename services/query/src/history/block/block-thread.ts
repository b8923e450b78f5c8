import { JobThread, threadFile } from '@allsource/service-kit/threads';
import type { BlockJob } from './block-writer.ts';

/** The thread that encodes and writes blocks (block.worker.ts). It is half of the work of a catch-up, and none of it needs to be where reads are served. */
export type BlockThread = JobThread<BlockJob, string>;

/** A block, its encoded columns and its compressed text: a few times more than is needed. */
const HEAP_MIB_MAX = 256;
const IDLE_MS = 60_000;

export function createBlockThread(): BlockThread {
  return new JobThread({
    file: threadFile(import.meta, 'block'),
    heapMibMax: HEAP_MIB_MAX,
    idleMs: IDLE_MS,
    closedDetail: 'No blocks are written any more: the service stops.',
  });
}
