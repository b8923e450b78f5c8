import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { micros } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import {
  CHANGING_CALLS,
  diskError,
  isLong,
  type SeededRandom,
  SimulatedDisk,
} from '@allsource/testkit';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { InProcessSealer } from '../../src/log/in-process-sealer.ts';
import type { LogNotice } from '../../src/log/log-notice.ts';
import type { SegmentSealer } from '../../src/log/sealing.ts';
import type { Disk } from '../../src/storage/disk.ts';
import { SAMPLE_LOG_ID, SampleFrames } from './sample-frames.ts';

/** Small enough that a test fills several, and more than one block of a sealed segment. */
export const SEGMENT_BYTES = 20 * 4096;

/** What a loss of power at one call of the disk may leave: so many samples. */
const LOSSES_A_CALL = isLong ? 6 : 3;

export interface SealingOptions {
  readonly segmentBytes?: number;
  readonly notices?: LogNotice[];
  /** Null = nothing is sealed. In this thread by default. */
  readonly sealer?: SegmentSealer | null;
}

export function sealingStore(disk: Disk, options: SealingOptions = {}): FileLogStore {
  const { segmentBytes = SEGMENT_BYTES, notices = [], sealer } = options;
  return new FileLogStore({
    disk,
    segmentBytes,
    partitionCount: 256,
    makeLogId: () => SAMPLE_LOG_ID,
    clock: { nowMicros: () => micros(0) },
    nowMs: () => 0,
    sealer: sealer === undefined ? new InProcessSealer(disk) : sealer,
    sealingRetryMs: 1,
    onNotice: (notice) => notices.push(notice),
  });
}

/** Opens a store and collects what it replays. */
export async function openedStore(
  disk: Disk,
  options: SealingOptions = {},
): Promise<{ readonly store: FileLogStore; readonly frames: Frame[] }> {
  const store = sealingStore(disk, options);
  const frames: Frame[] = [];
  await store.open({ onFrame: (frame) => frames.push(frame) });
  return { store, frames };
}

/** A start of the log that seals nothing behind itself, and its end. */
export async function openAndClose(disk: SimulatedDisk): Promise<void> {
  const { store } = await openedStore(disk, { sealer: null });
  await store.close();
}

/** Waits until nothing is left to seal, or until nothing more will be. */
export async function settled(
  store: FileLogStore,
  isOver: () => boolean = () => false,
): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    await store.sealed();
    if (store.sealing?.waiting === 0 || isOver()) return;
    await sleep(1);
  }
  expect('sealing').toBe('settled');
}

/** A disk with a log of this many full raw segments and a little of the next one, cleanly closed. */
export async function rawLog(
  fullSegments: number,
): Promise<{ readonly disk: SimulatedDisk; readonly frames: readonly Frame[] }> {
  const disk = new SimulatedDisk();
  const store = sealingStore(disk, { sealer: null });
  const maker = new SampleFrames(await store.open());
  const frames: Frame[] = [];
  while (disk.fileNames('.seg').length <= fullSegments) {
    const payloadBytes = 100 + ((frames.length * 37) % 400);
    const group = maker.take(3, { events: 1 + (frames.length % 5), payloadBytes });
    expect((await store.append(group)).kind).toBe('appended');
    frames.push(...group);
  }
  await store.close();
  return { disk, frames };
}

/** Makes frames that go on where these end. */
export function framesBehind(frames: readonly Frame[]): SampleFrames {
  const { logId, lastPosition, checksum } = must(frames.at(-1), 'a log with frames');
  return new SampleFrames({ logId, position: lastPosition, checksum });
}

export function kinds(notices: readonly LogNotice[]): string[] {
  return notices.map(({ kind }) => kind);
}

/**
 * Runs `step` on copies of a disk, each of which crashes at a later call than the one before, until one gets through. Gives for each crash the disks that it may have left: one
 * as after kill -9, and samples of what a loss of power leaves.
 */
export async function* crashesAtEachCall(
  start: SimulatedDisk,
  random: SeededRandom,
  step: (disk: SimulatedDisk, hasCrashed: () => boolean) => Promise<void>,
): AsyncGenerator<readonly SimulatedDisk[], void, undefined> {
  for (let nth = 1; ; nth++) {
    const disk = start.afterKill();
    const left = crashAtCall(disk, nth, random);
    try {
      await step(disk, () => left() !== null);
    } catch (thrown) {
      if (left() === null) throw thrown;
    }
    const disks = left();
    if (disks === null) return;
    yield disks;
  }
}

/** Arms a disk to crash at its n-th call. Returns the disks that the crash may have left; null if it never came. */
function crashAtCall(
  disk: SimulatedDisk,
  nth: number,
  random: SeededRandom,
): () => readonly SimulatedDisk[] | null {
  let seen = 0;
  let left: SimulatedDisk[] | null = null;
  disk.onCall = (call) => {
    if (CHANGING_CALLS.includes(call)) seen += 1;
    if (seen < nth) return;
    left ??= [
      disk.afterKill(),
      ...Array.from({ length: LOSSES_A_CALL }, () => disk.afterPowerLoss(random)),
    ];
    throw diskError('EIO', call);
  };
  return () => left;
}
