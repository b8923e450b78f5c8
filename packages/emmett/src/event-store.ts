import { type ClientOptions, CoreClient, QueryClient } from '@allsource/client';
import {
  type AggregateStreamOptions,
  type AggregateStreamResultWithGlobalPosition,
  type AppendToStreamOptions,
  type AppendToStreamResultWithGlobalPosition,
  assertExpectedVersionMatchesCurrent,
  type DefaultEventStoreOptions,
  downcastRecordedMessage,
  type Event,
  type EventStore,
  type ReadEvent,
  type ReadEventMetadataWithGlobalPosition,
  type ReadStreamOptions,
  type ReadStreamResult,
  tryPublishMessagesAfterCommit,
  upcastRecordedMessages,
} from '@event-driven-io/emmett';
import { appendEvents } from './append.ts';
import { AllSourceConsumer, type AllSourceConsumerOptions } from './consumer.ts';
import { EventTypes, type NamedEventTypes } from './event-types.ts';
import { NEW_STREAM, recordedEvent } from './stored-form.ts';
import { partOfStream, readWholeStream, streamVersion } from './stream-reader.ts';

type Metadata = ReadEventMetadataWithGlobalPosition;

export interface AllSourceEventStoreOptions
  extends ClientOptions,
    DefaultEventStoreOptions<AllSourceEventStore> {
  /** Emmett's event types and the names that the store is to know them under; others are derived, see {@link EventTypes}. */
  readonly eventTypes?: NamedEventTypes | undefined;
}

/** An Emmett event store whose events have a global position. */
export interface AllSourceEventStore extends EventStore<Metadata> {
  aggregateStream<State, EventType extends Event, Payload extends Event = EventType>(
    streamName: string,
    options: AggregateStreamOptions<State, EventType, Metadata, Payload>,
  ): Promise<AggregateStreamResultWithGlobalPosition<State>>;

  appendToStream<EventType extends Event, Payload extends Event = EventType>(
    streamName: string,
    events: EventType[],
    options?: AppendToStreamOptions<bigint, EventType, Payload>,
  ): Promise<AppendToStreamResultWithGlobalPosition>;

  /** A consumer of the whole store, which hands events to Emmett's reactors and projectors; it does nothing until it is started. */
  consumer<EventType extends Event = Event>(
    options?: AllSourceConsumerOptions,
  ): AllSourceConsumer<EventType>;

  /** Gives up the calls under way and refuses further ones. */
  close(): Promise<void>;
}

/**
 * An Emmett event store on the AllSource store whose gateway (3902) is at `url`. A stream is an entity of the same name, the position in a stream the entity's
 * version, the global position the event's place in the log. Reads see whatever was acknowledged before they began.
 *
 * @example
 * ```ts
 * const eventStore = getAllSourceEventStore({ url: 'http://127.0.0.1:3902', apiKey: 'your-api-key' });
 * await eventStore.appendToStream('cart-1', [{ type: 'ShoppingCartOpened', data: { by: 'alice' } }]);
 * ```
 */
export function getAllSourceEventStore(options: AllSourceEventStoreOptions): AllSourceEventStore {
  const core = new CoreClient(options);
  const query = new QueryClient(options);
  const types = new EventTypes(options.eventTypes);
  const context = { core, query, types };
  const eventStore: AllSourceEventStore = {
    readStream: async (streamName, read) => (await readPart(context, streamName, read)).result,
    aggregateStream: async (streamName, aggregate) =>
      aggregated(await readPart(context, streamName, aggregate.read), aggregate),
    appendToStream: async (streamName, events, append) => {
      const recorded = await appendEvents(context, {
        streamName,
        events: events.map((event) => downcast(event, append)),
        expected: append?.expectedStreamVersion,
      });
      await tryPublishMessagesAfterCommit<AllSourceEventStore>([...recorded], options.hooks);
      const { streamPosition, globalPosition } = (recorded.at(-1) ?? recorded[0]).metadata;
      return {
        nextExpectedStreamVersion: streamPosition,
        createdNewStream: recorded[0].metadata.streamPosition === 1n,
        lastEventGlobalPosition: globalPosition,
      };
    },
    streamExists: async (streamName) => (await streamVersion(query, streamName)) > 0,
    consumer: (consumerOptions) => new AllSourceConsumer(context, consumerOptions),
    close: () => {
      core.close();
      query.close();
      return Promise.resolve();
    },
  };
  return eventStore;
}

interface ReadContext {
  readonly query: QueryClient;
  readonly types: EventTypes;
}

/** What was read of a stream, and where in the log the stream ends. */
interface ReadPart<EventType extends Event> {
  readonly result: ReadStreamResult<EventType, Metadata>;
  readonly lastPosition: bigint;
}

async function readPart<EventType extends Event, Payload extends Event = EventType>(
  { query, types }: ReadContext,
  streamName: string,
  read: ReadStreamOptions<bigint, EventType, Payload> = {},
): Promise<ReadPart<EventType>> {
  const stored = await readWholeStream(query, streamName);
  const currentStreamVersion = BigInt(stored.length);
  assertExpectedVersionMatchesCurrent(currentStreamVersion, read.expectedStreamVersion, NEW_STREAM);
  const recorded = partOfStream(stored, read).map((event) => recordedEvent(event, types));
  // Emmett takes the caller's word for what is stored under a type.
  const events = upcastRecordedMessages(
    recorded as unknown as ReadEvent<Payload, Metadata>[],
    read.schema?.versioning as never,
  ) as unknown as ReadEvent<EventType, Metadata>[];
  return {
    result: { currentStreamVersion, events, streamExists: stored.length > 0 },
    lastPosition: BigInt(stored.at(-1)?.position ?? 0),
  };
}

function aggregated<State, EventType extends Event, Payload extends Event>(
  { result, lastPosition }: ReadPart<EventType>,
  { evolve, initialState }: AggregateStreamOptions<State, EventType, Metadata, Payload>,
): AggregateStreamResultWithGlobalPosition<State> {
  const { events, streamExists } = result;
  const apply = evolve as (state: State, event: ReadEvent<EventType, Metadata>) => State;
  const state = events.reduce(apply, initialState());
  const last = events.at(-1)?.metadata as Metadata | undefined;
  // The version that the state is true at: what comes behind `to` is not in it.
  const currentStreamVersion = last?.streamPosition ?? result.currentStreamVersion;
  if (!streamExists) return { currentStreamVersion, state, streamExists };
  const lastEventGlobalPosition = last?.globalPosition ?? lastPosition;
  return { currentStreamVersion, state, streamExists, lastEventGlobalPosition };
}

function downcast<EventType extends Event, Payload extends Event>(
  event: EventType,
  append: AppendToStreamOptions<bigint, EventType, Payload> | undefined,
): Event {
  return downcastRecordedMessage(event as never, append?.schema?.versioning as never);
}
