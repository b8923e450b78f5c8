import type { PlacementEvent, ScannedRequest } from './commit-builder.ts';
import type { IngestContext } from './ingest-request.ts';

/** A group that has been read; its events are to be appended before anything is awaited. */
export interface ReadGroup {
  /** The tenant that its events name; null when they name none. */
  readonly tenant: string | null;
  readonly eventCount: number;
  readonly events: readonly PlacementEvent[] | ScannedRequest;
}

/** One group of a stream. Its places are those of its lines or rows in the stream. */
export interface EventGroup {
  readonly first: number;
  readonly last: number;
  /** Reads the events. Throws a problem that names the first bad one. */
  read(context: IngestContext): ReadGroup;
  /** The place of the event at `index`. */
  placeOf(index: number): number;
  /** A digest of the group as it was sent. */
  digest(): Buffer;
}
