/**
 * The seam between the journal and what turns requests into frames. A builder reads requests if it can, gives commits their place, draws their frames,
 * and knows every entity. There are two: `SequencingBuilder` in TypeScript, and the ingest kernel's (ingest-kernel/kernel-builder.ts),
 * which makes the same bytes several times faster. A test runs both side by side.
 *
 * Order of calls: `replay` for each frame while the log is opened, `begin` once, then `scan` and `place` in any number. For each placed frame, in
 * order, either `settle` when it is durable, or one `rollBack` for all that are not.
 */
import type { Micros, Version } from '@allsource/shared/model';
import type { Frame, IdempotencyMark } from '@allsource/shared/protocol';
import type { CheckpointSection } from '../storage/checkpoint-port.ts';
import type { LogHead } from '../storage/log-store.ts';
import type { EntityDirectory } from './append-port.ts';
import type { EventColumns } from './event-columns.ts';
import type { EventTexts } from './event-texts.ts';
import type { IngestContext } from './ingest-request.ts';

/** The two spaces of entities: what clients append and what the store appends about itself. */
export type EntitySpace = 'events' | 'system';

/** How a request came in, which decides the form of its answer. */
export type RequestShape = 'single' | 'batch';

/** One event to place. */
export interface PlacementEvent {
  readonly type: string;
  readonly entity: string;
  readonly payload: Uint8Array;
  readonly metadata: Uint8Array | null;
  readonly timestamp: Micros | null;
  readonly expectedVersion: Version | null;
}

/** A good request that the builder has read and keeps. It is valid until the builder's next call of `scan` or `place`. */
export interface ScannedRequest {
  /** The tenant that the request names; null when it names none. */
  readonly tenant: string | null;
  readonly eventCount: number;
  /** Null for lines and columns, whose events are acknowledged together and get no answer of their own. */
  readonly shape: RequestShape | null;
  /** Which reading of the builder it is. */
  readonly generation: number;
}

/** Whole lines that are to become one commit. */
export interface LineGroup {
  /** Their bytes, in parts. */
  readonly parts: readonly Buffer[];
  /** Line feeds in them: one for each line, but that the last line of a stream may have none. */
  readonly lineFeeds: number;
}

/** One commit to place. */
export interface Placement {
  readonly space: EntitySpace;
  readonly tenant: string;
  readonly events: readonly PlacementEvent[] | ScannedRequest;
  readonly idempotency: IdempotencyMark | null;
}

/** An answer as bytes. */
export interface AnswerBytes {
  readonly bytes: Buffer;
  /** Called when the bytes have been sent and nobody reads them any more. Optional; calling it twice does no harm. */
  readonly release: () => void;
}

/** What the builder knows of a frame beyond its bytes, because it has just made them. */
export interface PlacedNotes {
  /** The answer to a scanned request of a shape, as append-answer.ts would make it. */
  readonly answer: AnswerBytes | null;
  /** Events by type. */
  readonly types: ReadonlyMap<string, number>;
}

export type PlacementOutcome =
  | { readonly kind: 'placed'; readonly frame: Frame; readonly notes: PlacedNotes }
  | {
      readonly kind: 'conflict';
      /** The index of the event whose condition failed. */
      readonly index: number;
      readonly expected: Version;
      readonly current: Version;
    };

/** The entities and counts of the log at the watermark. */
export interface EntityState extends EntityDirectory {
  /** The version of a client's entity; 0 when it has no events. */
  version(tenant: string, entity: string): Version;
  /** The number of event types of one tenant. */
  eventTypeCount(tenant: string): number;
  /** The number of clients' events of all tenants. */
  readonly totalEventCount: number;
  /** The number of clients' entities of all tenants. */
  readonly totalEntityCount: number;
}

export interface CommitBuilder {
  readonly entities: EntityState;
  /** What a checkpoint keeps of the builder. A start loads it before the first `replay`. */
  readonly sections: readonly CheckpointSection[];
  /** Takes in a durable frame while the log is opened. Frames come in position order. */
  replay(frame: Frame): void;
  /** Says where the log ends, and the recorded_at of its newest frame, or 0. */
  begin(head: LogHead, recordedAt: Micros): void;
  /** Reads the body of an append, which came in parts; null when ingest-request.ts has to read it, be it good or bad. */
  scan(body: readonly Buffer[], shape: RequestShape, context: IngestContext): ScannedRequest | null;
  /** Reads a group of lines; null when ingest-lines.ts has to read it, be it good or bad. */
  scanLines(group: LineGroup, context: IngestContext): ScannedRequest | null;
  /** Checks events that came as columns; null when ingest-columns.ts has to, be they good or bad. */
  scanColumns(columns: EventColumns, context: IngestContext): ScannedRequest | null;
  /** The texts of a request that the builder has read; to be used before its next call. */
  textsOf(request: ScannedRequest): EventTexts;
  /** Places a commit behind everything placed before, or says which expected version does not hold. Nothing changes on a conflict. */
  place(placement: Placement): PlacementOutcome;
  /** Says that the oldest frame that was placed and not settled is durable. */
  settle(frame: Frame): void;
  /** Forgets everything that was placed and is not durable. */
  rollBack(): void;
}

/** Events by type, from the frame itself. */
export function countTypes(frame: Frame): Map<string, number> {
  const counts = new Map<string, number>();
  for (const event of frame.events()) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
  return counts;
}
