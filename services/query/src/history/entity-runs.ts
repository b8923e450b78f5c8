import type { BlockFile } from './block/block-file.ts';
import type { Runs } from './event-history.ts';
import type { EventRun } from './event-run.ts';
import type { EventSelection } from './stored-event.ts';

export interface EntityRunsOptions {
  readonly selection: EventSelection;
  readonly tenant: string;
  readonly entity: string;
  /** Blocks that may have the entity. */
  readonly blocks: readonly BlockFile[];
  /** Runs that are in memory, behind all blocks. */
  readonly tails: readonly EventRun[];
}

/** The runs that may have an entity. What a block has of it is read when its turn comes, and not at all where the block's times rule it out. */
export class EntityRuns implements Runs {
  readonly #options: EntityRunsOptions;

  constructor(options: EntityRunsOptions) {
    this.#options = options;
  }

  get length(): number {
    return this.#options.blocks.length + this.#options.tails.length;
  }

  *[Symbol.iterator](): Generator<EventRun> {
    const { selection, tenant, entity, blocks, tails } = this.#options;
    for (const block of blocks)
      yield block.run.isOutsideOf(selection)
        ? block.run
        : block.entityRun(tenant, entity, selection.isPassing);
    yield* tails;
  }
}
