import type { Micros, Position, Version } from '@allsource/shared/model';

/** What made a snapshot: a request, the store by itself, or a read that had many events to fold. */
export type SnapshotKind = 'manual' | 'automatic' | 'ondemand';

/** The newest event of a fold. */
export interface FoldedEvent {
  readonly position: Position;
  readonly id: string;
  readonly version: Version;
  readonly timestamp: Micros;
  readonly recordedAt: Micros;
}

/** Which state a snapshot holds: the fold of the events 1 to `last.version` of an entity. */
export interface SnapshotFacts {
  readonly tenant: string;
  readonly entity: string;
  readonly kind: SnapshotKind;
  readonly last: FoldedEvent;
  /** The latest `timestamp` of the folded events, which need not be that of the last one. */
  readonly timestampMax: Micros;
}

/** A snapshot as lists show it. */
export interface SnapshotEntry extends SnapshotFacts {
  readonly id: string;
  readonly createdMs: number;
  /** The order in which snapshots were kept. */
  readonly number: number;
  /** Bytes of the state as a JSON object. */
  readonly stateBytes: number;
  /** Bytes of it as it is kept. */
  readonly storedBytes: number;
}

/** A snapshot with its state: packed members, compressed. */
export interface StoredSnapshot extends SnapshotEntry {
  readonly stored: Buffer;
}

/** A snapshot that was folded and may be kept. */
export interface FoldedSnapshot extends SnapshotFacts {
  readonly id: string;
  readonly stateBytes: number;
  readonly stored: Buffer;
}

/** A snapshot that is being kept; the store numbers it. */
export interface SnapshotDraft extends FoldedSnapshot {
  /** When it is kept, which may be some time after it was folded: so these instants and the numbers are in the same order. */
  readonly createdMs: number;
}
