import {
  listMember,
  numberMember,
  optionalText,
  textMember,
  type WireObject,
} from '../http/wire.ts';
import { type Page, pageOf } from './entities.ts';

/** The state of an entity, kept as of one of its events. */
export interface Snapshot {
  readonly id: string;
  readonly entityId: string;
  readonly createdAt: string;
  readonly asOf: string | null;
  readonly eventCount: number;
  readonly sizeBytes: number;
  /** `manual`, `automatic` or `ondemand`. */
  readonly type: string | null;
}

/** A snapshot with its state. */
export interface SnapshotWithState extends Snapshot {
  readonly state: unknown;
}

export interface ListSnapshotsParams {
  readonly entityId?: string | undefined;
  readonly limit?: number | undefined;
}

/** Reads one snapshot. */
export function parseSnapshot(row: WireObject): Snapshot {
  return {
    id: textMember(row, 'id' in row ? 'id' : 'snapshot_id'),
    entityId: textMember(row, 'entity_id'),
    createdAt: textMember(row, 'created_at'),
    asOf: optionalText(row, 'as_of'),
    eventCount: numberMember(row, 'event_count'),
    sizeBytes: numberMember(row, 'size_bytes'),
    type: optionalText(row, 'snapshot_type'),
  };
}

/** Reads the answer of `GET /api/v1/snapshots`. */
export function parseSnapshots(answer: WireObject): Page<Snapshot> {
  return pageOf(answer, listMember(answer, 'snapshots').map(parseSnapshot));
}
