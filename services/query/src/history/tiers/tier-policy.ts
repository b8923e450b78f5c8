/**
 * When entity indexes merge. Blocks are level 0; eight neighbours of one level become one index of the next, up to level 3. So a store of n blocks
 * has at most 7 units of each lower level and one index for each 512 blocks, and an entry is written three times in its life.
 * bench/tiers.ts runs this policy for a billion events.
 */
export const TIER_FANOUT = 8;
export const TIER_LEVEL_MAX = 3;

/** Neighbours that should become one index. */
export interface DueMerge {
  /** The first of TIER_FANOUT units. */
  readonly from: number;
  /** The level of the index to be. */
  readonly level: number;
}

/** Looks for a merge that is due among units in position order; the oldest one of the highest level, because it makes the most lookups cheaper. */
export function dueMerge(levels: readonly number[]): DueMerge | null {
  let due: DueMerge | null = null;
  let start = 0;
  for (let i = 1; i <= levels.length; i++) {
    if (levels[i] === levels[start]) continue;
    const level = (levels[start] as number) + 1;
    if (i - start >= TIER_FANOUT && level <= TIER_LEVEL_MAX && level > (due?.level ?? 0))
      due = { from: start, level };
    start = i;
  }
  return due;
}
