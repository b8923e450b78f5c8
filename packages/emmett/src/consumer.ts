/**
 * Follows the store and hands its events to Emmett's processors, in the order of the log: first what is there, then what comes, across disconnects.
 *
 * Each processor begins behind its own checkpoint, which is written behind it (see checkpoints.ts); after a crash the last events may come again.
 * One event is handled by all processors before the next is taken, so a slow processor slows the others of its consumer and nothing piles up.
 * A handler that throws ends the consumer: `start()` rejects with the error, and the event comes again at the next start.
 */
import { randomUUID } from 'node:crypto';
import type { CoreClient, QueryClient } from '@allsource/client';
import {
  type AnyEvent,
  type Event,
  IllegalStateError,
  type MessageConsumer,
  type MessageProcessor,
  projector,
  type ProjectorOptions,
  reactor,
  type ReactorOptions,
  type ReadEventMetadataWithGlobalPosition,
} from '@event-driven-io/emmett';
import { type AllSourceCheckpointer, allSourceCheckpointer } from './checkpoints.ts';
import type { EventTypes } from './event-types.ts';
import { type ReadMessage, recordedEvent } from './stored-form.ts';

type Metadata = ReadEventMetadataWithGlobalPosition;
type Context = Record<string, unknown>;
/** A processor of events of this store. */
export type AllSourceProcessor = MessageProcessor<AnyEvent, Metadata, Context, bigint>;

export interface AllSourceConsumerOptions {
  readonly consumerId?: string | undefined;
  /** Emmett's event types, at most 100, that the store is to send; all without it. */
  readonly eventTypes?: readonly string[] | undefined;
}

export interface ConsumerContext {
  readonly core: CoreClient;
  readonly query: QueryClient;
  readonly types: EventTypes;
}

/** A processor and the position behind which its events begin. */
interface Started {
  readonly processor: AllSourceProcessor;
  readonly after: number;
}

export class AllSourceConsumer<EventType extends Event> implements MessageConsumer<EventType> {
  readonly consumerId: string;
  readonly #context: ConsumerContext;
  readonly #eventTypes: readonly string[];
  readonly #processors: AllSourceProcessor[] = [];
  readonly #checkpoints: AllSourceCheckpointer<Context>;
  #stopping = new AbortController();
  #run: Promise<void> | null = null;

  constructor(context: ConsumerContext, options: AllSourceConsumerOptions = {}) {
    this.#context = context;
    this.#checkpoints = allSourceCheckpointer(context.core);
    this.consumerId = options.consumerId ?? randomUUID();
    this.#eventTypes = options.eventTypes ?? [];
  }

  get isRunning(): boolean {
    return this.#run !== null;
  }

  get processors(): readonly AllSourceProcessor[] {
    return this.#processors;
  }

  /** Adds a processor that handles events one by one. Its checkpoint is kept in the store unless it brings another place for it. */
  reactor(options: ReactorOptions<EventType, Metadata, Context, bigint>): AllSourceProcessor {
    return this.#add(reactor({ checkpoints: this.#checkpoints, ...options } as never));
  }

  /** Adds a processor that keeps a projection. Its checkpoint is kept in the store unless it brings another place for it. */
  projector(options: ProjectorOptions<EventType, Metadata, Context, bigint>): AllSourceProcessor {
    return this.#add(projector({ checkpoints: this.#checkpoints, ...options } as never));
  }

  /**
   * Follows the store until it is stopped or every processor has stopped itself; resolves then. Rejects when a handler throws, when
   * the store refuses or stays away, or when there is no processor.
   */
  start(): Promise<void> {
    this.#run ??= this.#runOnce();
    return this.#run;
  }

  /** Ends a run, once the event in hand is handled. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    // How the run ends is told to who started it.
    await this.#run?.catch(() => {});
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all(this.#processors.map((processor) => processor.close({})));
  }

  #add(processor: unknown): AllSourceProcessor {
    const added = processor as AllSourceProcessor;
    this.#processors.push(added);
    return added;
  }

  async #runOnce(): Promise<void> {
    try {
      await this.#follow();
    } finally {
      this.#run = null;
      await this.#checkpoints.flush();
    }
  }

  async #follow(): Promise<void> {
    if (this.#processors.length === 0)
      throw new IllegalStateError('A consumer without a processor cannot be started.');
    const { query, types } = this.#context;
    this.#stopping = new AbortController();
    const started = await this.#startProcessors();
    const events = query.followEvents({
      afterPosition: Math.min(...started.map(({ after }) => after)),
      eventTypes: this.#eventTypes.map((type) => types.storeType(type)),
      signal: this.#stopping.signal,
    });
    for await (const { position, event } of events) {
      const message = recordedEvent({ ...event, position }, types);
      await this.#hand(
        message,
        started.filter(({ after }) => position > after),
      );
      if (started.every(({ processor }) => !processor.isActive)) return;
    }
  }

  async #hand(message: ReadMessage, started: readonly Started[]): Promise<void> {
    const active = started.filter(({ processor }) => processor.isActive);
    await Promise.all(
      active.map(async ({ processor }) => processor.handle([message as never], {})),
    );
  }

  #startProcessors(): Promise<Started[]> {
    return Promise.all(
      this.#processors.map(async (processor) => {
        const from = await processor.start({});
        if (from === undefined || from === 'BEGINNING') return { processor, after: 0 };
        if (from === 'END') return { processor, after: await this.#head() };
        return { processor, after: Number(from.lastCheckpoint) };
      }),
    );
  }

  async #head(): Promise<number> {
    const page = await this.#context.query.queryEvents({ limit: 0 });
    if (page.position !== null) return page.position;
    throw new IllegalStateError("Only the gateway says where the log ends; use the gateway's url.");
  }
}
