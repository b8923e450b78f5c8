/** The real file log on a simulated disk, and a writer that knows what it was told is durable. */
import { expect } from '@jest/globals';
import { micros } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { SeededRandom, SimulatedDisk } from '@allsource/testkit';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import type { LogNotice, NoticeListener } from '../../src/log/log-notice.ts';
import type { LogHead } from '../../src/storage/log-store.ts';
import { SAMPLE_LOG_ID, SampleFrames } from '../log/sample-frames.ts';

export const PAGE_BYTES = 4096;

/** What a log must hold: all that was acknowledged, then of what was attempted a prefix of whole frames. */
export interface Expectation {
  readonly acknowledged: readonly Frame[];
  readonly attempted: readonly Frame[];
}

export const NOTHING: Expectation = { acknowledged: [], attempted: [] };

export interface OpenedLog {
  readonly store: FileLogStore;
  readonly head: LogHead;
  /** What `open` has handed to the folds. */
  readonly frames: readonly Frame[];
  readonly notices: readonly LogNotice[];
}

/** A file log on a disk; its clock stands still. */
export function storeOn(
  disk: SimulatedDisk,
  segmentBytes: number,
  onNotice: NoticeListener = () => undefined,
): FileLogStore {
  return new FileLogStore({
    onNotice,
    disk,
    segmentBytes,
    partitionCount: 256,
    makeLogId: () => SAMPLE_LOG_ID,
    clock: { nowMicros: () => micros(0) },
    nowMs: () => 0,
  });
}

export async function openedLog(disk: SimulatedDisk, segmentBytes: number): Promise<OpenedLog> {
  const notices: LogNotice[] = [];
  const store = storeOn(disk, segmentBytes, (notice) => notices.push(notice));
  const frames: Frame[] = [];
  const head = await store.open({ onFrame: (frame) => frames.push(frame) });
  return { store, head, frames, notices };
}

/** Appends random groups to a log. */
export class SampleWriter implements Expectation {
  readonly acknowledged: Frame[];
  attempted: readonly Frame[] = [];
  readonly #store: FileLogStore;
  readonly #random: SeededRandom;
  #head: LogHead;

  constructor(log: OpenedLog & { readonly random: SeededRandom }) {
    this.#store = log.store;
    this.#head = log.head;
    this.#random = log.random;
    this.acknowledged = [...log.frames];
  }

  /** What is known at this moment, for a crash that happens now. */
  expectation(): Expectation {
    return { acknowledged: [...this.acknowledged], attempted: this.attempted };
  }

  /** Appends a group of random frames, the last time's again if the disk was full. Returns how it ended. */
  async append(): Promise<string> {
    if (this.attempted.length === 0) this.attempted = this.#randomGroup();
    const { kind } = await this.#store.append(this.attempted);
    if (kind !== 'appended') return kind;
    this.acknowledged.push(...this.attempted);
    const last = this.acknowledged.at(-1);
    if (last !== undefined)
      this.#head = { ...this.#head, position: last.lastPosition, checksum: last.checksum };
    this.attempted = [];
    return kind;
  }

  #randomGroup(): Frame[] {
    const maker = new SampleFrames(this.#head);
    const durablePosition = this.#head.position;
    const isLarge = this.#random.below(12) === 0;
    return Array.from({ length: 1 + this.#random.below(5) }, () =>
      maker.next({
        durablePosition,
        events: 1 + this.#random.below(3),
        payloadBytes: this.#random.below(isLarge ? 20_000 : 1500),
      }),
    );
  }
}

/** Says how a log breaks an expectation; null when it keeps it. */
export function breachOf(frames: readonly Frame[], expected: Expectation): string | null {
  const { acknowledged, attempted } = expected;
  if (frames.length < acknowledged.length)
    return `${acknowledged.length - frames.length} acknowledged frames are lost`;
  const all = [...acknowledged, ...attempted];
  if (frames.length > all.length) return 'there are frames that nobody appended';
  const index = frames.findIndex((frame, i) => all[i]?.bytes.equals(frame.bytes) !== true);
  return index === -1 ? null : `frame ${index} is not the one that was appended`;
}

/** The log holds all that was acknowledged, and of what was attempted a prefix of whole frames. */
export function expectSound(frames: readonly Frame[], expected: Expectation): void {
  expect(breachOf(frames, expected)).toBeNull();
}

/**
 * Opens what a crash has left, expects it sound, and shows that it goes on: it takes an append, and opens again with it. Returns the frames that were
 * found.
 */
export async function expectRecovers(
  disk: SimulatedDisk,
  segmentBytes: number,
  expected: Expectation,
): Promise<readonly Frame[]> {
  const { store, head, frames } = await openedLog(disk, segmentBytes);
  expectSound(frames, expected);
  const more = new SampleFrames(head).take(1, { payloadBytes: 40 });
  expect(await store.append(more)).toEqual({ kind: 'appended' });
  await store.close();
  const again = await openedLog(disk, segmentBytes);
  expectSound(again.frames, { acknowledged: [...frames, ...more], attempted: [] });
  expect(again.notices).toEqual([]);
  await again.store.close();
  return frames;
}
