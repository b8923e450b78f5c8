import { Turns } from '@allsource/service-kit/turns';
import type { EventHistory, StoredEvent } from '../history/event-history.ts';
import { type EntityWanted, type FoldedEntity, foldEntity } from '../snapshots/fold-entity.ts';
import type { Snapshots } from '../snapshots/snapshots.ts';

export interface EntityStateWanted extends EntityWanted {
  /** How many of the newest events are wanted as history; null = all. */
  readonly historyLimit: number | null;
}

/** What an entity's events add up to. */
export interface EntityState extends FoldedEntity {
  /** In stream order; cut out of the store one by one. */
  readonly history: Iterable<StoredEvent>;
}

export interface EntityStateOptions {
  readonly history: EventHistory;
  /** Null: each state is folded from the first event. */
  readonly snapshots: Snapshots | null;
  /** The payload to fold of an event; the stored one when left out. Then no snapshot is used or left. */
  readonly payloadOf?: ((event: StoredEvent) => Promise<Buffer>) | undefined;
}

/**
 * Folds the events of an entity, in stream order whatever their timestamps say: the order in which they were accepted is the order in
 * which their authors saw the entity. A read of everything that had much to fold leaves a snapshot for the next. Null when there is no event.
 */
export async function readEntityState(
  { history, snapshots: kept, payloadOf }: EntityStateOptions,
  wanted: EntityStateWanted,
): Promise<EntityState | null> {
  const { historyLimit, asOf, asOfRecorded } = wanted;
  const keepsRows = historyLimit !== 0;
  const snapshots = payloadOf === undefined ? kept : null;
  const folding = { history, snapshots, turns: new Turns(), keepsRows, payloadOf };
  const folded = await foldEntity(wanted, folding);
  if (folded === null) return null;
  if (asOf === null && asOfRecorded === null) snapshots?.leaveBehind(wanted, folded);
  return { ...folded, history: newestEvents(folded, historyLimit) };
}

function* newestEvents(
  { matches, eventCount }: FoldedEntity,
  limit: number | null,
): Generator<StoredEvent> {
  if (limit === 0) return;
  let passed = limit === null ? 0 : Math.max(0, eventCount - limit);
  for (const { run, rows } of matches) {
    const from = Math.min(passed, rows.length);
    passed -= from;
    for (const row of rows.subarray(from)) yield run.event(row);
  }
}
