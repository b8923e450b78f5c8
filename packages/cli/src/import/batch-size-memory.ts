/**
 * A batch is recognized by its first and last line, so an import that is continued must cut the file as it was cut before. The store remembers how: the
 * first run of an import leaves its batch size among the projection states, before it appends anything, and every later run uses that one.
 */
import type { AllSourceClient } from '@allsource/client/tools';

const PROJECTION = 'allsource.import';

export interface BatchSizeQuestion {
  readonly client: AllSourceClient;
  /** The identity of the import; null when it has none as a whole (standard input). */
  readonly importId: string | null;
  /** The batch size of this run, in lines. */
  readonly wanted: number;
  readonly signal: AbortSignal;
}

/** The batch size to cut by: that of the first run of this import, or the wanted one when this is the first. */
export async function agreeOnBatchSize(question: BatchSizeQuestion): Promise<number> {
  const { client, importId, wanted, signal } = question;
  if (importId === null) return wanted;
  const key = { projection: PROJECTION, entityId: importId };
  const remembered = batchSizeOf(await client.projectionState(key, { signal }));
  if (remembered !== null) return remembered;
  await client.saveProjectionState(key, { batch_size: wanted }, { signal });
  return wanted;
}

function batchSizeOf(state: unknown): number | null {
  if (typeof state !== 'object' || state === null || !('batch_size' in state)) return null;
  const { batch_size: size } = state;
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 1 ? size : null;
}
