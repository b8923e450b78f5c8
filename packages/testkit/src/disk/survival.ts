/**
 * What of the unsynced outlives a loss of power. Every write and every change of a name has a number, in the order of the calls; until it is synced each
 * sector of 512 bytes of it, the file length it made, and the change of the name survive or not, independently. So any subset can be had: dropped, torn
 * and reordered writes are all of this kind.
 */
import type { SeededRandom } from '../seeded-random.ts';

export const SECTOR_BYTES = 512;

export interface Survival {
  /** Of one sector of one write. */
  keepsSector(write: number, sector: number): boolean;
  /** Of the file length that a write made. */
  keepsLength(write: number): boolean;
  /** Of a file made, renamed or removed. */
  keepsName(change: number): boolean;
  /**
   * What a sector shows that a file has grown over and whose content did not survive. Null: zeros. Some file systems show what the block held
   * before, for another file.
   */
  readonly staleSector: ((sector: number) => Buffer | null) | null;
}

/** Whole writes and changes survive or not: `keeps` says which. */
export function survivalOf(keeps: (operation: number) => boolean): Survival {
  return { keepsSector: keeps, keepsLength: keeps, keepsName: keeps, staleSector: null };
}

/** How likely something unsynced is to survive, by the kind of loss: all, nothing, little, half, most. */
const CHANCES = [0, 0.1, 0.5, 0.5, 0.9, 1];

/** One of the many outcomes of a loss of power. `oldContents` are what reused blocks may hold; none = zeros. */
export function seededSurvival(
  random: SeededRandom,
  oldContents: readonly Buffer[] = [],
): Survival {
  const chance = random.pick(CHANCES);
  const keeps = () => random.next() < chance;
  const isStale = oldContents.length > 0 && random.below(2) === 0;
  return {
    keepsSector: keeps,
    keepsLength: keeps,
    keepsName: keeps,
    staleSector: isStale ? (sector) => sectorOf(random.pick(oldContents), sector) : null,
  };
}

function sectorOf(content: Buffer, sector: number): Buffer | null {
  const from = sector * SECTOR_BYTES;
  return from + SECTOR_BYTES <= content.length ? content.subarray(from, from + SECTOR_BYTES) : null;
}
