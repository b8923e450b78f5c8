/**
 * How an Emmett event lies in the store and comes back: its data is the payload, its metadata the metadata. Where the store's type is not Emmett's, the metadata has
 * Emmett's too, under a name of our own that reads take out again.
 */
import type { StoredEvent } from '@allsource/client';
import {
  type Event,
  JSONParser,
  type ReadEvent,
  type ReadEventMetadataWithGlobalPosition,
  ValidationError,
} from '@event-driven-io/emmett';
import type { EventTypes } from './event-types.ts';

/** The member of the metadata that holds Emmett's own name of the type. */
export const TYPE_MEMBER = '$emmettType';

/** An event as it is sent. */
export interface EventToStore {
  readonly streamName: string;
  readonly event: Event;
  /** The version that the stream must be at; null: any. */
  readonly expectedVersion: number | null;
}

/** The JSON of an event to append. As everywhere in Emmett, a bigint in the data is stored as a text of its digits. */
export function storedJson(
  { streamName, event, expectedVersion }: EventToStore,
  types: EventTypes,
): string {
  const eventType = types.storeType(event.type);
  return JSONParser.stringify({
    event_type: eventType,
    entity_id: streamName,
    payload: event.data ?? null,
    metadata: storedMetadata(event, eventType, types),
    ...(expectedVersion === null ? {} : { expected_version: expectedVersion }),
  });
}

function storedMetadata(event: Event, storeType: string, types: EventTypes): unknown {
  const metadata = metadataOf(event);
  if (metadata !== undefined && TYPE_MEMBER in metadata)
    throw new ValidationError(
      `The metadata of an event may not have a member '${TYPE_MEMBER}': the event store keeps the type there.`,
    );
  if (types.emmettType(storeType) === event.type) return metadata;
  return { ...metadata, [TYPE_MEMBER]: event.type };
}

function metadataOf(event: Event): Readonly<Record<string, unknown>> | undefined {
  const { metadata } = event as { readonly metadata?: Readonly<Record<string, unknown>> };
  return metadata;
}

/** The version of a stream to which nothing was appended. */
export const NEW_STREAM = 0n;

/** An event with its stream, its place there and its place in the whole log. */
export type ReadMessage = ReadEvent<Event, ReadEventMetadataWithGlobalPosition>;

/** An event as Emmett reads it, from what the store has. */
export function recordedEvent(stored: StoredEvent, types: EventTypes): ReadMessage {
  const { [TYPE_MEMBER]: named, ...metadata } = membersOf(stored.metadata);
  const type = typeof named === 'string' ? named : types.emmettType(stored.eventType);
  // What has been stored under a type is the caller's word, as in every event store of Emmett.
  const event = { type, data: stored.payload, metadata } as Event;
  return recordedForm(event, {
    streamName: stored.entityId,
    messageId: stored.id,
    streamPosition: BigInt(stored.version),
    globalPosition: BigInt(stored.position ?? 0),
  });
}

/** An event as Emmett reads it, from what was appended. */
export function recordedForm(
  event: Event,
  place: ReadEventMetadataWithGlobalPosition,
): ReadMessage {
  const { type, data } = event;
  return { kind: 'Event', type, data, metadata: { ...metadataOf(event), ...place } };
}

function membersOf(metadata: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata);
  return isRecord ? { ...metadata } : {};
}
