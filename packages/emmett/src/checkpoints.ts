/**
 * Keeps the checkpoint of a processor as the cursor of the durable consumer of its name: durable, never going back, and visible to whoever looks after the
 * store's consumers. A processor of another partition than Emmett's default has a consumer of its own.
 *
 * Checkpoints are written behind the processor: one request at a time, with the newest position. What was handled since the last written one comes again after a
 * crash. `flush` waits until everything is written; a request that failed for good makes the next call throw.
 */
import type { CoreClient } from '@allsource/client';
import {
  type AnyMessage,
  type Checkpointer,
  defaultProcessorPartition,
  type ReadEventMetadataWithGlobalPosition,
} from '@event-driven-io/emmett';

/** Checkpoints of processors whose events come from an AllSource store; `Context` is what the processor's handlers get. */
export type AllSourceCheckpointer<Context extends Record<string, unknown>> = Checkpointer<
  AnyMessage,
  ReadEventMetadataWithGlobalPosition,
  Context,
  bigint
> & {
  /** Waits until every checkpoint is written. Throws what made it impossible. */
  flush(): Promise<void>;
};

/** Checkpoints in the store that a client leads to. */
export function allSourceCheckpointer<Context extends Record<string, unknown>>(
  core: CoreClient,
): AllSourceCheckpointer<Context> {
  const cursors = new CursorWriter(core);
  return {
    async read({ processorId, partition }) {
      const position = await core.loadCheckpoint(consumerName(processorId, partition));
      return { lastCheckpoint: position === 0 ? null : BigInt(position) };
    },

    async store({ message, processorId, partition }) {
      const { globalPosition } = message.metadata as ReadEventMetadataWithGlobalPosition;
      cursors.write(consumerName(processorId, partition), Number(globalPosition));
      return { success: true, newCheckpoint: globalPosition };
    },

    flush: () => cursors.flush(),
  };
}

/** The durable consumer that holds the checkpoint of a processor. */
export function consumerName(
  processorId: string,
  partition: string = defaultProcessorPartition,
): string {
  return partition === defaultProcessorPartition ? processorId : `${processorId}:${partition}`;
}

class CursorWriter {
  readonly #core: CoreClient;
  readonly #wanted = new Map<string, number>();
  #writing: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(core: CoreClient) {
    this.#core = core;
  }

  /** Has a position written; throws what an earlier one failed with. */
  write(consumer: string, position: number): void {
    this.#throwFailure();
    this.#wanted.set(consumer, position);
    this.#writing ??= this.#writeAll();
  }

  async flush(): Promise<void> {
    await this.#writing;
    this.#throwFailure();
  }

  async #writeAll(): Promise<void> {
    try {
      for (const [consumer, position] of this.#wanted) {
        this.#wanted.delete(consumer);
        await this.#core.saveCheckpoint(consumer, position);
      }
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#writing = null;
    }
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw failure.error;
  }
}
