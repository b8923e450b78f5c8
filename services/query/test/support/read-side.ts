import type { Frame } from '@allsource/shared/protocol';
import { CatalogCheckpoints } from '../../src/catalog/catalog-checkpoints.ts';
import { Catalog } from '../../src/catalog/catalog.ts';
import { BlockHistory } from '../../src/history/block-history.ts';
import type { ReadFrames } from '../../src/history/block-repairs.ts';
import type { GeneratedLog } from './generated-log.ts';

export interface ReadSide {
  readonly history: BlockHistory;
  readonly catalog: Catalog;
  readonly warnings: object[];
}

/** So few that small logs have some. */
const CHECKPOINT_EVENTS = 70;

export interface ReadSideParts {
  readonly readFrames?: ReadFrames;
  readonly catalog?: Catalog;
  readonly cacheBytes?: number;
}

/** Opens a history with its catalog. */
export async function openReadSide(
  folder: string,
  blockEvents: number,
  { readFrames, catalog = new Catalog(), cacheBytes }: ReadSideParts = {},
): Promise<ReadSide> {
  const warnings: object[] = [];
  const note = (facts: unknown) => {
    warnings.push(facts as object);
  };
  const logger = { warn: note, error: note };
  const checkpoints = new CatalogCheckpoints({
    folder,
    catalog,
    warn: note,
    eventsBetween: CHECKPOINT_EVENTS,
  });
  const history = await BlockHistory.open({
    folder,
    blockEvents,
    logger,
    listeners: [catalog],
    checkpoints,
    ...(readFrames === undefined ? {} : { readFrames }),
    ...(cacheBytes === undefined ? {} : { cacheBytes }),
  });
  return { history, catalog, warnings };
}

/** Applies the frames of a log that the history does not have, as a follower does, a few at a time. */
export async function follow(history: BlockHistory, log: GeneratedLog): Promise<void> {
  let batch: Frame[] = [];
  for (const frame of log.frames) {
    if (frame.lastPosition <= history.appliedPosition) continue;
    batch.push(frame);
    if (batch.length < 7) continue;
    await history.apply(batch, log.logIdHex);
    batch = [];
  }
  await history.apply(batch, log.logIdHex);
}
