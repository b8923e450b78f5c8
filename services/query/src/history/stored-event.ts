import type { Micros, Position, Version } from '@allsource/shared/model';

/** One event of the history. Payload and metadata are cut out of the store when asked for: the client's own bytes. */
export interface StoredEvent {
  readonly position: Position;
  readonly id: string;
  readonly tenant: string;
  readonly type: string;
  readonly entity: string;
  readonly version: Version;
  readonly partition: number;
  readonly timestamp: Micros;
  readonly recordedAt: Micros;
  payload(): Buffer;
  metadata(): Buffer | null;
}

/** Which events are meant. All given conditions must hold; bounds are inclusive, `since` and `until` speak of `timestamp`. */
export interface EventSelection {
  readonly tenant: string;
  readonly entity?: string | undefined;
  readonly type?: string | undefined;
  readonly typePrefix?: string | undefined;
  readonly excludedTypePrefixes?: readonly string[] | undefined;
  readonly since?: Micros | undefined;
  readonly until?: Micros | undefined;
  /** Only events whose `recordedAt` is not later. */
  readonly recordedUntil?: Micros | undefined;
  /** Only events at or below this position. */
  readonly untilPosition?: Position | undefined;
  /** Only events behind this position. */
  readonly afterPosition?: Position | undefined;
  /** True for work in the background that reads each entity once: what it decompresses is not kept in memory. Only where an entity is named. */
  readonly isPassing?: boolean | undefined;
}
