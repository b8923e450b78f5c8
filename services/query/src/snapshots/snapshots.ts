/**
 * Snapshots of entities: taken from the history, kept in the store, and found again for folds that they shorten (see fold-entity.ts for when that
 * is safe).
 *
 * A snapshot is used only if the history has its last event at its position, by the event's id. Ids are random in part, so a snapshot of another
 * log, or of a part of this log that was lost and written anew, does not pass; it is removed.
 */
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { Problem, problem } from '@allsource/shared/errors';
import type { Logger } from '@allsource/service-kit/observability';
import { LIMITS } from '@allsource/shared/limits';
import { type Clock, type Position, quoted } from '@allsource/shared/model';
import { Turns } from '@allsource/service-kit/turns';
import type { EventHistory } from '../history/event-history.ts';
import {
  type EntityWanted,
  type FoldedEntity,
  foldEntity,
  type SnapshotSource,
} from './fold-entity.ts';
import { jsonBytesOfPacked, packMembers, unpackMembers } from './packed-members.ts';
import type {
  FoldedSnapshot,
  SnapshotDraft,
  SnapshotEntry,
  SnapshotKind,
  StoredSnapshot,
} from './snapshot.ts';
import { isFullDisk } from './snapshot-database.ts';
import type { SnapshotList, SnapshotPage, SnapshotStore } from './snapshot-store.ts';

/** The history, and whose it is. */
export interface SnapshotHistory extends EventHistory {
  readonly logId: string | null;
}

export interface SnapshotsOptions {
  readonly history: SnapshotHistory;
  readonly store: SnapshotStore;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  /** Told of each snapshot that is kept. */
  readonly onKept: (kind: SnapshotKind) => void;
}

/** What a snapshot is to be taken of. */
export interface SnapshotWanted {
  readonly tenant: string;
  readonly entity: string;
  readonly kind: SnapshotKind;
  readonly untilPosition: Position;
}

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };
/** Events that a read has folded for a state, from which on it leaves a snapshot behind for the next. */
const FOLDED_EVENTS_WORTH = 100;
/** Snapshots that reads leave behind at a time; a read that comes on top leaves none. */
const LEAVING_MAX = 4;

export class Snapshots implements SnapshotSource {
  readonly #options: SnapshotsOptions;
  readonly #leaving = new Set<Promise<void>>();

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** The store, after it was told which log counts. */
  get #store(): SnapshotStore {
    const { store, history } = this.#options;
    if (history.logId !== null) store.useLog(history.logId);
    return store;
  }

  safeFor(wanted: EntityWanted): StoredSnapshot | null {
    return this.#belonging(() => this.#store.newestSafe(wanted));
  }

  /** The newest snapshot of an entity, of those that lie within the history. */
  latest(tenant: string, entity: string): StoredSnapshot | null {
    const { appliedPosition: untilPosition } = this.#options.history;
    return this.safeFor({ tenant, entity, asOf: null, asOfRecorded: null, untilPosition });
  }

  /** Reads until a snapshot belongs to the history; each that does not is removed, so there is an end. */
  #belonging(read: () => StoredSnapshot | null): StoredSnapshot | null {
    for (;;) {
      const snapshot = read();
      if (snapshot === null) return null;
      const { tenant, entity, last } = snapshot;
      // The history is being filled again and has not come this far: nothing can be said yet.
      if (last.position > this.#options.history.appliedPosition) return null;
      const event = this.#options.history.eventAt(tenant, last.position);
      if (event?.id === last.id && event.entity === entity) return snapshot;
      this.#store.discard(snapshot, 'its last event is not in the history');
    }
  }

  async membersOf(
    { stored }: Pick<StoredSnapshot, 'stored'>,
    turns: Turns,
  ): Promise<Map<string, string>> {
    return unpackMembers(await decompress(stored), turns);
  }

  /** Lists snapshots of a tenant. */
  list(wanted: SnapshotList): SnapshotPage {
    return this.#store.list(wanted);
  }

  /** The version of the newest snapshot of an entity; 0 when there is none. */
  newestVersion(tenant: string, entity: string): number {
    return this.#store.newestVersion(tenant, entity);
  }

  /**
   * Folds an entity up to a position, from the newest snapshot there is. Null when it has no events. Throws `payload_too_large` where its state
   * passes what a snapshot may hold.
   */
  async draft(wanted: SnapshotWanted, turns: Turns): Promise<FoldedSnapshot | null> {
    const { history } = this.#options;
    const folding = { history, snapshots: this, turns, keepsRows: false, isPassing: true };
    const folded = await foldEntity({ ...wanted, asOf: null, asOfRecorded: null }, folding);
    return folded === null ? null : await this.#draftOf(wanted, folded, turns);
  }

  async #draftOf(
    { tenant, entity, kind }: Omit<SnapshotWanted, 'untilPosition'>,
    { members, last, timestampMax }: FoldedEntity,
    turns: Turns,
  ): Promise<FoldedSnapshot> {
    const packed = await packMembers(members, turns);
    const stateBytes = jsonBytesOfPacked(packed.length);
    requireFitting(entity, stateBytes);
    const { position, id, version, timestamp, recordedAt } = last;
    return {
      id: randomUUID(),
      tenant,
      entity,
      kind,
      last: { position, id, version, timestamp, recordedAt },
      timestampMax,
      stateBytes,
      stored: await compress(packed, COMPRESSION),
    };
  }

  /** Keeps snapshots, all or none, and dates them. Throws `storage_full` when the disk has no room. */
  keep(folded: readonly FoldedSnapshot[]): SnapshotDraft[] {
    const createdMs = this.#options.clock.nowMicros() / 1000;
    const drafts = folded.map((each) => ({ ...each, createdMs }));
    try {
      this.#store.save(drafts);
    } catch (error) {
      if (!isFullDisk(error)) throw error;
      throw problem('storage_full', 'The disk has no room for a snapshot.', {}, error);
    }
    for (const { kind } of drafts) this.#options.onKept(kind);
    return drafts;
  }

  /** Takes a snapshot and keeps it. Null when the entity has no events. */
  async take(wanted: SnapshotWanted, turns: Turns): Promise<SnapshotDraft | null> {
    const folded = await this.draft(wanted, turns);
    const [kept = null] = folded === null ? [] : this.keep([folded]);
    return kept;
  }

  /**
   * Leaves a snapshot of what a read has folded, if the next read gains by it. The fold must hold all events of the entity. The reader does not wait for it,
   * and has its answer also where this fails.
   */
  leaveBehind(entity: Pick<SnapshotEntry, 'tenant' | 'entity'>, folded: FoldedEntity): void {
    if (folded.eventsRead < FOLDED_EVENTS_WORTH || this.#leaving.size >= LEAVING_MAX) return;
    const leaving = this.#leave(entity, folded)
      .catch((error: unknown) => {
        if (isTooLarge(error)) return;
        this.#options.logger.warn({ err: error }, 'a snapshot could not be left behind by a read');
      })
      .finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  async #leave(
    { tenant, entity }: Pick<SnapshotEntry, 'tenant' | 'entity'>,
    folded: FoldedEntity,
  ): Promise<void> {
    const draft = await this.#draftOf({ tenant, entity, kind: 'ondemand' }, folded, new Turns());
    if (this.newestVersion(tenant, entity) < draft.last.version) this.keep([draft]);
  }

  /** Waits until no read leaves a snapshot behind any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#leaving);
  }
}

/** True where a state passes what a snapshot may hold: no fault of the store. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof Problem && error.code === 'payload_too_large';
}

function requireFitting(entity: string, stateBytes: number): void {
  const limit = LIMITS.entitySnapshotBytesMax;
  if (stateBytes <= limit) return;
  throw problem(
    'payload_too_large',
    `The state of ${quoted(entity)} has ${stateBytes} bytes; a snapshot holds at most ${limit}. Its state can be read without one.`,
    { entity_id: entity, state_bytes: stateBytes, limit_bytes: limit },
  );
}
