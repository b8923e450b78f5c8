import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import { stretchesOf } from '../projections/frame-stretches.ts';
import type { KeyFold, Projection } from '../projections/projection.ts';
import type { KeyedState, StoredState } from '../projections/stored-state.ts';

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
  const foldOne = ({ projection, byKey }: (typeof folds)[number], event: FrameEvent) => {
    const key = projection.keyOf(event);
    if (keys !== null && !keys.has(key)) return;
    const known = byKey.get(key);
    if (known !== undefined) return known.add(event);
    const fold = projection.open(projection.isFirstOfKey(event) ? null : stored(projection, key));
    byKey.set(key, fold);
    fold.add(event);
  };
  const due = frames.filter(({ isSystem, lastPosition }) => !isSystem && lastPosition > after);
  for (const stretch of stretchesOf(due)) {
    for (const frame of stretch)
      for (const event of frame.events()) for (const fold of folds) foldOne(fold, event);
    await nextTurn();
  }
  return folds.flatMap(({ projection, byKey }) =>
    [...byKey].map(([key, fold]) => ({ tenant, projection, key, state: fold.print() })),
  );
}
