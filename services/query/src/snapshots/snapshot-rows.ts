import { crc32 } from 'node:zlib';
import { micros, position, version } from '@allsource/shared/model';
import type { SnapshotDraft, SnapshotEntry, SnapshotKind, StoredSnapshot } from './snapshot.ts';

/** The columns of the table, but for the state. */
export const ENTRY_COLUMNS =
  'number, id, tenant, entity, kind, position, event_id, version, timestamp, recorded_at, timestamp_max, created_ms, state_bytes, stored_bytes, stored_checksum, checksum';

/** A row as SQLite gives it. */
export interface EntryRow {
  readonly number: number;
  readonly id: string;
  readonly tenant: string;
  readonly entity: string;
  readonly kind: SnapshotKind;
  readonly position: number;
  readonly event_id: string;
  readonly version: number;
  readonly timestamp: number;
  readonly recorded_at: number;
  readonly timestamp_max: number;
  readonly created_ms: number;
  readonly state_bytes: number;
  readonly stored_bytes: number;
  /** Of the state as it is kept. */
  readonly stored_checksum: number;
  /** Of all columns before. */
  readonly checksum: number;
}

export interface SnapshotRow extends EntryRow {
  readonly stored: Buffer;
}

/** A row for a snapshot to be kept; SQLite gives it its number. */
export function rowOf(draft: SnapshotDraft): Omit<SnapshotRow, 'number'> {
  const { last, stored } = draft;
  const row = {
    id: draft.id,
    tenant: draft.tenant,
    entity: draft.entity,
    kind: draft.kind,
    position: last.position,
    event_id: last.id,
    version: last.version,
    timestamp: last.timestamp,
    recorded_at: last.recordedAt,
    timestamp_max: draft.timestampMax,
    created_ms: Math.floor(draft.createdMs),
    state_bytes: draft.stateBytes,
    stored_bytes: stored.length,
    stored_checksum: crc32(stored),
  };
  return { ...row, checksum: checksumOf(row), stored };
}

/** True when the facts are as they were written. SQLite itself does not look at the contents of its pages. */
export function isWholeEntry(row: EntryRow): boolean {
  return checksumOf(row) === row.checksum;
}

/** True when the state is, too. */
export function isWhole(row: SnapshotRow): boolean {
  return isWholeEntry(row) && crc32(row.stored) === row.stored_checksum;
}

type Checked = Omit<EntryRow, 'number' | 'checksum'>;

function checksumOf(row: Checked): number {
  const facts = [
    row.id,
    row.tenant,
    row.entity,
    row.kind,
    row.position,
    row.event_id,
    row.version,
    row.timestamp,
    row.recorded_at,
    row.timestamp_max,
    row.created_ms,
    row.state_bytes,
    row.stored_bytes,
    row.stored_checksum,
  ];
  return crc32(JSON.stringify(facts));
}

/** A row as a list shows it. */
export function entryOf(row: EntryRow): SnapshotEntry {
  const { number, id, tenant, entity, kind } = row;
  return {
    number,
    id,
    tenant,
    entity,
    kind,
    last: {
      position: position(row.position),
      id: row.event_id,
      version: version(row.version),
      timestamp: micros(row.timestamp),
      recordedAt: micros(row.recorded_at),
    },
    timestampMax: micros(row.timestamp_max),
    createdMs: row.created_ms,
    stateBytes: row.state_bytes,
    storedBytes: row.stored_bytes,
  };
}

export function snapshotOf(row: SnapshotRow): StoredSnapshot {
  return { ...entryOf(row), stored: row.stored };
}
