import { join } from 'node:path';
import { type Clock, type Micros, micros, position } from '@allsource/shared/model';
import {
  type EntityState,
  type EntityStateWanted,
  readEntityState,
} from '../../src/reads/read-entity-state.ts';
import type { SnapshotKind } from '../../src/snapshots/snapshot.ts';
import { SnapshotStore } from '../../src/snapshots/snapshot-store.ts';
import { Snapshots } from '../../src/snapshots/snapshots.ts';
import type { ReadSide } from './read-side.ts';

export interface SnapshotWorld {
  readonly file: string;
  readonly store: SnapshotStore;
  readonly snapshots: Snapshots;
  readonly warnings: object[];
  readonly kept: SnapshotKind[];
}

/** A clock that a test turns. */
export class HandClock implements Clock {
  ms = Date.parse('2026-02-01T00:00:00Z');

  nowMicros(): Micros {
    return micros(this.ms * 1000);
  }
}

/** Opens the snapshots of a history in a folder. */
export function openSnapshots(
  folder: string,
  { history }: Pick<ReadSide, 'history'>,
  clock: Clock = new HandClock(),
): SnapshotWorld {
  const warnings: object[] = [];
  const file = join(folder, 'snapshots.sqlite');
  const logger = { warn: (facts: unknown) => void warnings.push(facts as object) };
  const store = new SnapshotStore({ file, logger });
  const kept: SnapshotKind[] = [];
  const snapshots = new Snapshots({
    history,
    store,
    clock,
    logger,
    onKept: (kind) => kept.push(kind),
  });
  return { file, store, snapshots, warnings, kept };
}

export type StateQuestion = Pick<EntityStateWanted, 'tenant' | 'entity'> & {
  readonly asOf?: number | undefined;
  readonly asOfRecorded?: number | undefined;
  /** Everything applied when left out. */
  readonly untilPosition?: number | undefined;
  readonly historyLimit?: number | null;
};

/** Reads a state as the route does. */
export function stateOf(
  { history }: Pick<ReadSide, 'history'>,
  snapshots: Snapshots | null,
  { asOf, asOfRecorded, untilPosition, historyLimit = 0, ...who }: StateQuestion,
): Promise<EntityState | null> {
  return readEntityState(
    { history, snapshots },
    {
      ...who,
      asOf: asOf === undefined ? null : micros(asOf),
      asOfRecorded: asOfRecorded === undefined ? null : micros(asOfRecorded),
      historyLimit,
      untilPosition: position(untilPosition ?? history.appliedPosition),
    },
  );
}

/** What a client sees of a state, for comparing. */
export function seen(state: EntityState | null) {
  if (state === null) return null;
  return {
    members: [...state.members],
    eventCount: state.eventCount,
    version: state.last.version,
    position: state.last.position,
    lastUpdated: state.last.timestamp,
    history: Array.from(state.history, ({ id }) => id),
  };
}
