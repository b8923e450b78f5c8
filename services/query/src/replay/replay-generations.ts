import type { Logger } from '@allsource/service-kit/observability';
import type { Projection } from '../projections/projection.ts';
import type { ProjectionFolds } from '../projections/projection-folds.ts';
import { GenerationCleaner } from './generation-cleaner.ts';
import { isUnfiltered } from './replay-filter.ts';
import type { ReplayRecord } from './replay-record.ts';

export interface ReplayGenerationsOptions {
  readonly projectionsFile: string;
  readonly folds: ProjectionFolds;
  readonly logger: Logger;
}

/** The generations that replays build: begun, found again after a restart, and removed when nobody needs them. */
export class ReplayGenerations {
  readonly #options: ReplayGenerationsOptions;
  readonly #cleaner: GenerationCleaner;

  constructor(options: ReplayGenerationsOptions) {
    this.#options = options;
    const { logger, projectionsFile: file } = options;
    const onFailed = (error: unknown) =>
      logger.error({ err: error }, 'old states of projections could not be removed');
    this.#cleaner = new GenerationCleaner({ file, onFailed });
  }

  /** The generation that a replay builds: the one begun before a restart or a new one, null for a filtered replay; `live` when it has been switched already. */
  async of(
    { request, generation }: ReplayRecord,
    projections: readonly Projection[],
  ): Promise<number | 'live' | null> {
    if (!isUnfiltered(request.filter)) return null;
    return await this.#options.folds.exclusively(async (store) => {
      if (generation !== null && store.generations.isLive(generation)) return 'live';
      if (generation !== null && store.generations.building().has(generation)) return generation;
      return await store.beginGeneration(request.tenant, projections);
    });
  }

  /** Drops all that are being built but these, and has their rows removed. */
  async dropOthers(wanted: ReadonlySet<number | null>): Promise<void> {
    const { folds, logger } = this.#options;
    try {
      const isLeft = await folds.exclusively(async (store) => {
        for (const generation of store.generations.building())
          if (!wanted.has(generation)) await store.dropGeneration(generation);
        return store.generations.hasDropped();
      });
      if (isLeft) this.#cleaner.clean();
    } catch (error) {
      logger.error({ err: error }, 'old states of projections could not be dropped');
    }
  }

  /** Stops removing; the next start goes on. */
  close(): Promise<void> {
    return this.#cleaner.close();
  }
}
