import type { EventRun, RunSource } from '../history/event-run.ts';
import type { Pace } from '@allsource/service-kit/turns';
import { compareBytesOfTexts } from '../catalog/compare-texts.ts';

const NUMBERS_A_STEP = 262_144;
const ENTITIES_A_STEP = 32_768;

/** A run that was counted, and the numbers of its entities. */
export interface CountedRun {
  readonly run: EventRun;
  readonly numbers: Uint32Array;
  readonly tenant: number;
}

export interface TopEntity {
  readonly entity: string;
  readonly count: number;
}

export interface TopEntitiesWanted {
  /** Entity number to count. */
  readonly counts: Uint32Array;
  /** Where the names of the entities are. */
  readonly runs: readonly CountedRun[];
  readonly pace: Pace;
  readonly topMax: number;
}

/**
 * How many entities were counted, and those with the most events; equal counts in the order of their ids (by UTF-16 code units). Ids lie in the
 * runs, so they are looked at only where the count is high enough, and as bytes.
 */
export async function topEntities(
  wanted: TopEntitiesWanted,
): Promise<{ readonly unique: number; readonly top: readonly TopEntity[] }> {
  const { unique, least } = await survey(wanted);
  if (unique === 0) return { unique, top: [] };
  const best = new Best(wanted.topMax);
  let unseen = await countAtLeast(wanted, least);
  const seen = new Uint8Array(wanted.counts.length);
  for (const { run, numbers, tenant } of wanted.runs) {
    const { source } = run;
    for (let start = 0; start < numbers.length; start += ENTITIES_A_STEP) {
      if (unseen === 0) return { unique, top: best.entities() };
      if (wanted.pace.isTurnOver) await wanted.pace.nextTurn();
      const end = Math.min(numbers.length, start + ENTITIES_A_STEP);
      const { entityTenants } = source;
      for (let entity = start; entity < end; entity++) {
        const number = numbers[entity] as number;
        // An entity without events that are meant may have a number behind all counts.
        const count = wanted.counts[number] ?? 0;
        if (count < least || seen[number] === 1 || entityTenants[entity] !== tenant) continue;
        seen[number] = 1;
        unseen -= 1;
        best.offer(source, entity, count);
      }
    }
  }
  return { unique, top: best.entities() };
}

/** How many counts there are, and the least count that can be among the top. */
async function survey({ counts, pace, topMax }: TopEntitiesWanted) {
  let unique = 0;
  const top: number[] = [];
  let least = 1;
  for (let start = 0; start < counts.length; start += NUMBERS_A_STEP) {
    if (pace.isTurnOver) await pace.nextTurn();
    const end = Math.min(counts.length, start + NUMBERS_A_STEP);
    for (let number = start; number < end; number++) {
      const count = counts[number] as number;
      if (count === 0) continue;
      unique++;
      if (top.length === topMax && count <= least) continue;
      top.push(count);
      top.sort((a, b) => b - a);
      top.length = Math.min(top.length, topMax);
      if (top.length === topMax) least = top[topMax - 1] as number;
    }
  }
  return { unique, least };
}

async function countAtLeast({ counts, pace }: TopEntitiesWanted, least: number): Promise<number> {
  let found = 0;
  for (let start = 0; start < counts.length; start += NUMBERS_A_STEP) {
    if (pace.isTurnOver) await pace.nextTurn();
    const end = Math.min(counts.length, start + NUMBERS_A_STEP);
    for (let number = start; number < end; number++)
      found += (counts[number] as number) >= least ? 1 : 0;
  }
  return found;
}

interface Candidate {
  readonly id: Buffer;
  readonly count: number;
}

class Best {
  readonly #max: number;
  /** The best first. */
  readonly #candidates: Candidate[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  offer(source: RunSource, entity: number, count: number): void {
    const { entityNames, entityNameEnds } = source;
    const start = entity === 0 ? 0 : (entityNameEnds[entity - 1] as number);
    const end = entityNameEnds[entity] as number;
    const worst = this.#candidates[this.#max - 1];
    if (worst !== undefined && !isBetter(entityNames, { start, end, count }, worst)) return;
    const id = Buffer.from(entityNames.subarray(start, end));
    const place = this.#candidates.findIndex((other) =>
      isBetter(id, { start: 0, end: id.length, count }, other),
    );
    this.#candidates.splice(place === -1 ? this.#candidates.length : place, 0, { id, count });
    this.#candidates.length = Math.min(this.#candidates.length, this.#max);
  }

  entities(): TopEntity[] {
    return this.#candidates.map(({ id, count }) => ({ entity: id.toString('utf8'), count }));
  }
}

/** True when an id in `bytes` with its count comes before another. */
function isBetter(
  bytes: Uint8Array,
  { start, end, count }: { readonly start: number; readonly end: number; readonly count: number },
  other: Candidate,
): boolean {
  if (count !== other.count) return count > other.count;
  const length = Math.min(end - start, other.id.length);
  for (let i = 0; i < length; i++) {
    const [own, others] = [bytes[start + i] as number, other.id[i] as number];
    if (own !== others) return compareBytesOfTexts(own, others) < 0;
  }
  return end - start < other.id.length;
}
