/** The doors of the kernel. src/ingest-kernel/ is their only caller and says in which order they are called. */
import { makeTable } from './entity-table';
import { seedIds } from './frame-build';
import { PAGE_BYTES, segmentsAt, setLimits } from './layout';
import { setHashKey } from './sip-hash';

export { writeBatchAnswer, writeSingleAnswer } from './answer';
export { checkColumns } from './column-check';
export {
  beginLoading,
  copySegments,
  endLoading,
  entityCount,
  loadSegments,
  segmentCount,
  tableBytes,
} from './entity-table';
export { buildFrame } from './frame-build';
export { applyFrame, newEntities, undoFrame } from './frame-fold';
export { answerAt, eventTable, frameAt, segmentsAt } from './layout';
export {
  currentVersion,
  lookedUpPosition,
  lookUp,
  placeEvents,
  selectTenant,
  undoEvents,
} from './placement';
export {
  scanBatch,
  scanLines,
  scanSingle,
  setRules,
  tenantLength,
  tenantOffset,
} from './request-scan';
export { hashInto, setHashKey } from './sip-hash';
export { countTypes, typeCountsAt } from './type-counts';

/** Lays out the memory. Key and seed are random. Returns false when there is not enough memory. */
export function initialize(
  inputBytesMax: usize,
  eventsMax: usize,
  keyA: u64,
  keyB: u64,
  seed: u64,
): bool {
  setLimits(inputBytesMax, eventsMax);
  const pages = <i32>(segmentsAt() / PAGE_BYTES) - memory.size();
  if (pages > 0 && memory.grow(pages) == -1) return false;
  setHashKey(keyA, keyB);
  seedIds(seed);
  return makeTable();
}
