import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Frame } from '@allsource/shared/protocol';
import type { KeyFold, Projection } from '../projections/projection.ts';
import type { KeyedState, StoredState } from '../projections/stored-state.ts';

// Some milliseconds of folding between two turns of the event loop.
const EVENTS_A_TURN = 512;

export interface DeltaOptions {
  readonly tenant: string;
  readonly frames: readonly Frame[];
  /** The position that the stored states are true at. */
  readonly after: number;
  readonly projections: readonly Projection[];
  /** Keys to fold; null = all. */
  readonly keys: ReadonlySet<string> | null;
  /** The state that a key had at `after`. */
  readonly stored: (projection: Projection, key: string) => Pick<StoredState, 'state'> | null;
}

/** Folds the frames behind a position into the states of that position. Returns the states that have changed. */
export async function foldDelta(options: DeltaOptions): Promise<KeyedState[]> {
  const { tenant, frames, after, projections, keys, stored } = options;
  const folds = projections.map((projection) => ({
    projection,
    byKey: new Map<string, KeyFold>(),
  }));
  let sinceTurn = 0;
  for (const frame of frames) {
    if (frame.isSystem || frame.lastPosition <= after) continue;
    for (const event of frame.events()) {
      for (const { projection, byKey } of folds) {
        const key = projection.keyOf(event);
        if (keys !== null && !keys.has(key)) continue;
        let fold = byKey.get(key);
        if (fold === undefined) {
          fold = projection.open(projection.isFirstOfKey(event) ? null : stored(projection, key));
          byKey.set(key, fold);
        }
        fold.add(event);
      }
    }
    sinceTurn += frame.eventCount;
    if (sinceTurn < EVENTS_A_TURN) continue;
    sinceTurn = 0;
    await nextTurn();
  }
  return folds.flatMap(({ projection, byKey }) =>
    [...byKey].map(([key, fold]) => ({ tenant, projection, key, state: fold.print() })),
  );
}
