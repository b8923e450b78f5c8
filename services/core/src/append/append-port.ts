import type { Position, Version } from '@allsource/shared/model';
import type { Frame, SystemEvent } from '@allsource/shared/protocol';

/** A system event to append: what, and the entity it is filed under (such as `consumer:<id>`). */
export interface SystemEventDraft {
  readonly entity: string;
  readonly event: SystemEvent;
  /** The payload's JSON text, when the caller has raw text to keep; otherwise `event.payload` is printed. */
  readonly payloadText?: string;
}

/** What the rest of core may ask of the append path. */
export interface SystemAppender {
  /** Appends system events as one commit of the tenant; resolves with the durable frame. Throws a problem when the disk refuses. */
  appendSystem(tenant: string, drafts: readonly SystemEventDraft[]): Promise<Frame>;
}

/** What entity reads need to know of an entity: where its chain of events begins, from the newest. */
export interface EntityHead {
  readonly version: Version;
  /** Position of the entity's newest durable event. */
  readonly lastPosition: Position;
}

/** The fold of (tenant, entity) to version and newest position, at the watermark. */
export interface EntityDirectory {
  entityHead(tenant: string, entity: string): EntityHead | null;
  /** The number of entities that have events, of one tenant. */
  entityCount(tenant: string): number;
  /** The number of events of one tenant, system events left out. */
  eventCount(tenant: string): number;
}
