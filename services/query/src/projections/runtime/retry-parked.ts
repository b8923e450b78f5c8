import type { RetriedParked } from '../projection-runtime.ts';
import type { BuildFile } from './build-file.ts';
import { faultText } from './fault-desk.ts';
import type { FoldedBuild } from './folded-build.ts';

const EVENTS_A_PAGE = 100;

export interface RetryParkedOptions {
  readonly build: FoldedBuild;
  readonly file: BuildFile;
  /** The entity, or null for all of them. */
  readonly entity: string | null;
  /** Saves what was folded; resolves false when the worker is to stop. */
  readonly save: () => Promise<boolean>;
  readonly rest: () => Promise<void>;
}

/**
 * Folds the events of parked entities in their order, while nothing else is folded. An entity whose events can all be folded is free again; of another one those before the event
 * that cannot be are folded, and it stays parked at that one.
 */
export async function retryParked(options: RetryParkedOptions): Promise<RetriedParked> {
  const { build, file, save } = options;
  // What waits is read from the file.
  if (!(await save())) return retried({ build, freed: 0, folded: 0 });
  const wanted = file
    .parkedEntities()
    .filter(({ entity }) => options.entity === null || entity === options.entity);
  let [freed, folded] = [0, 0];
  for (const { entity, attempts } of wanted) {
    const outcome = await retryEntity(options, { entity, attempts });
    folded += outcome.folded;
    freed += outcome.isFree ? 1 : 0;
    if (outcome.isStopped) break;
  }
  return retried({ build, freed, folded });
}

function retried(counts: {
  readonly build: FoldedBuild;
  readonly freed: number;
  readonly folded: number;
}): RetriedParked {
  return {
    entities_freed: counts.freed,
    events_folded: counts.folded,
    entities_parked: counts.build.parked.entityCount,
  };
}

interface EntityOutcome {
  readonly folded: number;
  readonly isFree: boolean;
  readonly isStopped: boolean;
}

async function retryEntity(
  { build, file, save, rest }: RetryParkedOptions,
  { entity, attempts }: { readonly entity: string; readonly attempts: number },
): Promise<EntityOutcome> {
  for (let folded = 0; ; ) {
    const events = file.waitingEvents(entity, EVENTS_A_PAGE);
    if (events.length === 0) {
      build.freeParked(entity);
      const isStopped = !(await save());
      return { folded, isFree: true, isStopped };
    }
    for (const event of events) {
      try {
        build.foldParked(event);
      } catch (error) {
        const reason = faultText(error);
        build.parkAgain(event, { reason, attempts: attempts + 1 });
        return { folded, isFree: false, isStopped: !(await save()) };
      }
      folded += 1;
    }
    if (!(await save())) return { folded, isFree: false, isStopped: true };
    await rest();
  }
}
