/**
 * R4: the last segment is cut, or filled with zeros, ones, random bytes or the old data of a reused segment, from every byte of its last three commits on. The log opens, keeps every whole commit before that byte, never half a
 * commit and never old data, and goes on.
 */
import { describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { diskError, isLong, report, seed, SeededRandom, SimulatedDisk } from '@allsource/testkit';
import type { LogNotice } from '../../src/log/log-notice.ts';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { ReadOnlyDisk } from '../../src/verify/read-only-disk.ts';
import { verifyLog } from '../../src/verify/verify-log.ts';
import { SAMPLE_LOG_ID, SampleFrames } from '../log/sample-frames.ts';
import { breachOf, expectRecovers, openedLog, PAGE_BYTES, storeOn } from './sample-writer.ts';

const SEGMENT_BYTES = 16 * PAGE_BYTES;
const SEGMENT = '00000000000000000001.seg';
const EVENTS_OF_LAST = isLong ? [3, 9, 1] : [1, 2, 1];
const PAYLOAD_BYTES = isLong ? 700 : 24;
/** A full check, appends and a further restart included, is made of one case in so many. */
const FULL_CHECK_EVERY = 7;

/** A log as a killed process leaves it: acknowledged commits, each told of by the next, then a group of three that nobody was told of. */
interface KilledLog {
  readonly disk: SimulatedDisk;
  readonly acknowledged: readonly Frame[];
  readonly group: readonly Frame[];
  /** Where the group begins and ends in the only segment. */
  readonly groupOffset: number;
  readonly groupEnd: number;
}

async function killedLog(): Promise<KilledLog> {
  const disk = new SimulatedDisk();
  const store = storeOn(disk, SEGMENT_BYTES);
  const maker = new SampleFrames(await store.open());
  const acknowledged = maker.take(5);
  for (const frame of acknowledged) await store.append([frame]);
  const group = EVENTS_OF_LAST.map((events) =>
    maker.next({ events, payloadBytes: PAYLOAD_BYTES, durablePosition: position(5) }),
  );
  await store.append(group);
  const groupOffset = PAGE_BYTES + bytesIn(acknowledged);
  const groupEnd = groupOffset + bytesIn(group);
  return { disk: disk.afterKill(), acknowledged, group, groupOffset, groupEnd };
}

function bytesIn(frames: readonly Frame[]): number {
  return frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
}

/** What a block may hold that another file, or an earlier life of this one, has left: whole frames at the very places where frames belong. */
async function oldSegments(log: KilledLog): Promise<Buffer[]> {
  const lastOfLog = must(log.acknowledged.at(-1), 'a frame');
  const head = {
    logId: SAMPLE_LOG_ID,
    position: position(5),
    checksum: (lastOfLog.checksum ^ 1) >>> 0,
  };
  const otherHistory = new SampleFrames(head);
  const otherLog = new SampleFrames({
    logId: Buffer.from('otherlog'),
    position: position(5),
    checksum: lastOfLog.checksum,
  });
  // A log that was never at these positions cannot hold a frame that says they were durable.
  const durablePosition = position(5);
  const shapes = EVENTS_OF_LAST.map((events) => ({
    events,
    payloadBytes: PAYLOAD_BYTES,
    durablePosition,
  }));
  return [
    segmentWith(
      log,
      shapes.map((shape) => otherHistory.next(shape)),
    ),
    segmentWith(
      log,
      shapes.map((shape) => otherLog.next(shape)),
    ),
    // Earlier frames of this very log.
    segmentWith(log, log.acknowledged.slice(1)),
  ];
}

function segmentWith(log: KilledLog, frames: readonly Frame[]): Buffer {
  const bytes = Buffer.alloc(SEGMENT_BYTES);
  Buffer.concat(frames.map((frame) => frame.bytes)).copy(bytes, log.groupOffset);
  return bytes;
}

/** The acknowledged frames and those of the group that are whole up to the first that is not: a fill may have put back what was there. */
function wholeFrames(log: KilledLog, bytes: Buffer): Frame[] {
  const whole = [...log.acknowledged];
  let offset = log.groupOffset;
  for (const frame of log.group) {
    const end = offset + frame.bytes.length;
    if (!bytes.subarray(offset, end).equals(frame.bytes)) break;
    whole.push(frame);
    offset = end;
  }
  return whole;
}

/** What a start takes for a torn tail is no damage to an inspection. */
async function expectIntact(disk: SimulatedDisk, expected: readonly Frame[]): Promise<void> {
  const { damages, head } = await verifyLog({
    checkpoint: null,
    disk: new ReadOnlyDisk(disk),
    upTo: null,
    owner: null,
    emit: () => undefined,
    nowMs: () => 0,
  });
  const { lastPosition } = must(expected.at(-1), 'a frame');
  expect({ damages, head }).toEqual({ damages: 0, head: lastPosition });
}

/** Opens a disk; of every seventh case shows too that the log goes on. Returns how what is found breaks with what is expected, or null. */
async function openingBreach(
  disk: SimulatedDisk,
  expected: Frame[],
  ordinal: number,
): Promise<string | null> {
  const expectation = { acknowledged: expected, attempted: [] };
  if (ordinal % FULL_CHECK_EVERY === 0) {
    await expectIntact(disk, expected);
    await expectRecovers(disk.afterKill(), SEGMENT_BYTES, expectation);
  }
  const { frames } = await openedLog(disk, SEGMENT_BYTES);
  return breachOf(frames, expectation);
}

type Fill = (rest: Buffer, from: number) => void;

function fills(old: readonly Buffer[], random: SeededRandom): Record<string, Fill> {
  return {
    zeros: (rest) => rest.fill(0),
    'all ones': (rest) => rest.fill(0xff),
    'random bytes': (rest) => {
      for (let i = 0; i < rest.length; i++) rest[i] = random.below(256);
    },
    'old data of another history': (rest, from) => old[0]?.copy(rest, 0, from),
    'old data of another log': (rest, from) => old[1]?.copy(rest, 0, from),
    'old data of this log': (rest, from) => old[2]?.copy(rest, 0, from),
  };
}

describe('R4: a torn tail', () => {
  it('from any byte of the last three commits on, with whatever in it, leaves the whole commits before it', async () => {
    const log = await killedLog();
    const random = new SeededRandom(seed);
    const counts: Record<string, number> = {};
    for (const [name, fill] of Object.entries(fills(await oldSegments(log), random))) {
      counts[name] = 0;
      for (let from = log.groupOffset; from < log.groupEnd; from++) {
        const disk = log.disk.afterKill();
        const bytes = disk.bytes(SEGMENT);
        fill(bytes.subarray(from, log.groupEnd), from);
        expect(await openingBreach(disk, wholeFrames(log, bytes), from)).toBeNull();
        counts[name] += 1;
      }
    }
    report('R4 torn tail', counts);
  }, 1_200_000);

  it('of a file cut at any byte of the last three commits leaves the whole commits before it', async () => {
    const log = await killedLog();
    let cases = 0;
    for (let length = log.groupOffset; length <= log.groupEnd; length++, cases++) {
      const disk = log.disk.afterKill();
      disk.cut(SEGMENT, length);
      expect(await openingBreach(disk, wholeFrames(log, disk.bytes(SEGMENT)), length)).toBeNull();
    }
    report('R4 file cut short', { cases });
  }, 1_200_000);

  it('of stale frames of this very log, at any offset, is not taken for its continuation', async () => {
    const log = await killedLog();
    let cases = 0;
    for (let from = 0; from < bytesIn(log.acknowledged); from += 8, cases++) {
      const disk = log.disk.afterKill();
      const bytes = disk.bytes(SEGMENT);
      bytes.fill(0, log.groupOffset, log.groupEnd);
      bytes.copy(bytes, log.groupOffset, PAGE_BYTES + from, log.groupOffset);
      expect(await openingBreach(disk, [...log.acknowledged], cases)).toBeNull();
    }
    report('R4 stale frames behind the end', { cases });
  });

  it('of a frame of the same length that followed another history is not revived behind a new one', async () => {
    const log = await killedLog();
    const last = must(log.acknowledged.at(-1), 'a frame');
    const head = { logId: SAMPLE_LOG_ID, position: position(5), checksum: last.checksum };
    const other = new SampleFrames(head).next({
      events: EVENTS_OF_LAST[0] ?? 1,
      payloadBytes: PAYLOAD_BYTES,
      filler: 'y',
    });
    other.bytes.copy(log.disk.bytes(SEGMENT), log.groupOffset);
    expect(other.bytes.length).toBe(log.group[0]?.bytes.length);
    expect(await openingBreach(log.disk, [...log.acknowledged, other], 0)).toBeNull();
  });

  it('is kept in a file of its own, also when an earlier attempt left one', async () => {
    const log = await killedLog();
    const bytes = log.disk.bytes(SEGMENT);
    bytes.writeUInt8(bytes.readUInt8(log.groupOffset + 100) ^ 1, log.groupOffset + 100);
    const torn = Buffer.from(bytes.subarray(log.groupOffset, log.groupEnd));
    const stem = `torn/00000000000000000001-${log.groupOffset}`;
    for (const savedAs of [`${stem}.bin`, `${stem}-2.bin`]) {
      torn.copy(log.disk.bytes(SEGMENT), log.groupOffset);
      const notices: LogNotice[] = [];
      const store = new FileLogStore({
        disk: log.disk,
        segmentBytes: SEGMENT_BYTES,
        partitionCount: 256,
        onNotice: (notice) => notices.push(notice),
      });
      expect((await store.open()).position).toBe(5);
      await store.close();
      expect(notices).toMatchObject([
        { kind: 'torn_tail_set_aside', offset: log.groupOffset, savedAs },
      ]);
      const copy = log.disk.bytes(savedAs);
      expect(copy.equals(torn.subarray(0, copy.length))).toBe(true);
      expect(torn.subarray(copy.length).every((byte) => byte === 0)).toBe(true);
    }
  });

  it('stays where it is when there is no space to keep a copy', async () => {
    const log = await killedLog();
    const bytes = log.disk.bytes(SEGMENT);
    bytes.writeUInt8(bytes.readUInt8(log.groupOffset + 100) ^ 1, log.groupOffset + 100);
    log.disk.onCall = (call, name) => {
      if (call === 'write' && name.startsWith('torn/')) throw diskError('ENOSPC', name);
    };
    const before = Buffer.from(bytes);
    const opening = storeOn(log.disk, SEGMENT_BYTES).open();
    await expect(opening).rejects.toMatchObject({ code: 'storage_full' });
    expect(log.disk.bytes(SEGMENT).equals(before)).toBe(true);
  });
});
