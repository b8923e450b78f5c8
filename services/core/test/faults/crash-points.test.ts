/**
 * R3: every crash point of making, appending, rolling, taking back, closing and recovering a log. Before each call that changes or syncs something stand a kill and every subset of the unsynced writes
 * and names that a loss of power can leave (sampled beyond 2^10), and some that tear single writes. Each disk so left is opened, holds what was
 * acknowledged, takes an append, and opens again.
 */
import { describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import {
  CHANGING_CALLS,
  diskError,
  isLong,
  report,
  seed,
  SeededRandom,
  SimulatedDisk,
  survivalOf,
} from '@allsource/testkit';
import {
  type Expectation,
  expectRecovers,
  NOTHING,
  openedLog,
  PAGE_BYTES,
  SampleWriter,
} from './sample-writer.ts';

const SEGMENT_BYTES = 2 * PAGE_BYTES;
const SUBSETS_MAX = isLong ? 1024 : 64;
const TORN_PER_POINT = isLong ? 24 : 3;
const GROUPS = isLong ? 16 : 7;

interface CrashDisk {
  readonly disk: SimulatedDisk;
  readonly expected: Expectation;
  readonly where: string;
}

/** Gathers what a crash at each point of an action would leave, while the action runs. */
class CrashPoints {
  readonly #random: SeededRandom;
  #disks: CrashDisk[] = [];
  points = 0;
  recovered = 0;
  unsyncedMax = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** Watches a disk; `expected` tells what must be there if it crashed at this moment. */
  watch(disk: SimulatedDisk, phase: string, expected: () => Expectation): void {
    disk.onCall = (call, name) => {
      if (!CHANGING_CALLS.includes(call)) return;
      this.#take(disk, { where: `${phase}, before ${call} of ${name}`, expected: expected() });
    };
  }

  #take(disk: SimulatedDisk, at: Omit<CrashDisk, 'disk'>): void {
    this.points += 1;
    this.#disks.push({ ...at, disk: disk.afterKill() });
    for (const kept of this.#subsets(disk.unsyncedOperations()))
      this.#disks.push({ ...at, disk: disk.afterPowerLoss(survivalOf((one) => kept.has(one))) });
    for (let i = 0; i < TORN_PER_POINT; i++)
      this.#disks.push({ ...at, disk: disk.afterPowerLoss(this.#random) });
  }

  #subsets(operations: readonly number[]): Set<number>[] {
    this.unsyncedMax = Math.max(this.unsyncedMax, operations.length);
    const all = 2 ** operations.length;
    const count = Math.min(all, SUBSETS_MAX);
    return Array.from({ length: count }, (_, i) => {
      const mask = all <= SUBSETS_MAX ? i : this.#random.below(all);
      return new Set(operations.filter((_one, bit) => Math.floor(mask / 2 ** bit) % 2 === 1));
    });
  }

  /** Opens every disk that was gathered so far, and lets go of it. */
  async expectAllRecover(): Promise<void> {
    const disks = this.#disks;
    this.#disks = [];
    for (const { disk, expected, where } of disks) {
      try {
        await expectRecovers(disk, SEGMENT_BYTES, expected);
        this.recovered += 1;
      } catch (thrown) {
        throw new Error(`after a crash in ${where}`, { cause: thrown });
      }
    }
  }
}

/** A log with a few groups in it, and its writer. */
async function writtenLog(random: SeededRandom, groups: number) {
  const disk = new SimulatedDisk();
  const log = await openedLog(disk, SEGMENT_BYTES);
  const writer = new SampleWriter({ ...log, random });
  for (let i = 0; i < groups; i++) expect(await writer.append()).toBe('appended');
  return { disk, log, writer };
}

const PHASES: Record<string, (points: CrashPoints, random: SeededRandom) => Promise<void>> = {
  'making a log': async (points) => {
    const disk = new SimulatedDisk();
    points.watch(disk, 'making', () => NOTHING);
    const { store } = await openedLog(disk, SEGMENT_BYTES);
    await store.close();
  },
  'appends and rolls': async (points, random) => {
    const { disk, log, writer } = await writtenLog(random, 0);
    points.watch(disk, 'an append', () => writer.expectation());
    for (let i = 0; i < GROUPS; i++) {
      expect(await writer.append()).toBe('appended');
      await points.expectAllRecover();
    }
    expect(disk.fileNames('.seg').length).toBeGreaterThan(2);
    await log.store.close();
  },
  'an append taken back from a full disk': async (points, random) => {
    for (let nth = 1; nth <= 3; nth++) {
      const { disk, log, writer } = await writtenLog(random, 2);
      points.watch(disk, 'taking back', () => writer.expectation());
      const watch = disk.onCall;
      let writes = 0;
      disk.onCall = (call, name) => {
        watch(call, name);
        const isFrame = call === 'write' && name.endsWith('.seg');
        if (isFrame && ++writes === nth) throw diskError('ENOSPC', name);
      };
      let outcome = '';
      for (let i = 0; i < GROUPS && outcome !== 'full'; i++) {
        outcome = await writer.append();
        await points.expectAllRecover();
      }
      expect(outcome).toBe('full');
      expect(await writer.append()).toBe('appended');
      await log.store.close();
    }
  },
  'closing a log': async (points, random) => {
    const { disk, log, writer } = await writtenLog(random, 4);
    points.watch(disk, 'closing', () => writer.expectation());
    await log.store.close();
  },
  'recovering from a torn tail': async (points, random) => {
    for (let i = 0; i < 3; i++) {
      const { disk, log, writer } = await writtenLog(random, 3);
      const torn = await tornDisk({ disk, writer, random });
      await log.store.close();
      const expected = writer.expectation();
      points.watch(torn, 'recovering', () => expected);
      const { store } = await openedLog(torn, SEGMENT_BYTES);
      points.watch(torn, 'closing after a recovery', () => expected);
      await store.close();
    }
  },
};

/** A disk on which a loss of power has left whole bytes that are no frame behind the last one. */
async function tornDisk(log: {
  readonly disk: SimulatedDisk;
  readonly writer: SampleWriter;
  readonly random: SeededRandom;
}): Promise<SimulatedDisk> {
  const { disk, writer, random } = log;
  const power: { left: SimulatedDisk | null } = { left: null };
  disk.onCall = (call, name) => {
    if (call !== 'datasync' || !name.endsWith('.seg') || power.left !== null) return;
    const survival = { ...survivalOf(() => true), keepsSector: () => random.below(3) > 0 };
    power.left = disk.afterPowerLoss(survival);
    throw diskError('EIO', name);
  };
  for (let i = 0; i < 20 && power.left === null; i++) await writer.append();
  disk.onCall = () => undefined;
  return must(power.left, 'the power was lost');
}

describe('R3: a crash at every point', () => {
  it.each(Object.keys(PHASES))(
    'of %s leaves a log that holds what was acknowledged and goes on',
    async (phase) => {
      const random = new SeededRandom(seed);
      const points = new CrashPoints(random);
      await PHASES[phase]?.(points, random);
      expect(points.points).toBeGreaterThan(0);
      await points.expectAllRecover();
      report(`R3 crash in ${phase}`, {
        points: points.points,
        'most unsynced operations': points.unsyncedMax,
        'disks recovered': points.recovered,
      });
    },
    600_000,
  );
});
