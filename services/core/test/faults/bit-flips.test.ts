/**
 * R5: every bit of the records of a segment, and one random bit of each 4 KiB of a large one, is flipped while the log is open and before it is opened. Each flip is found, named by segment, bytes
 * and positions, and what it hit is never served; what lies elsewhere is. The same for writes that a disk has dropped or put in the wrong place.
 */
import { describe, expect, it } from '@jest/globals';
import type { Problem } from '@allsource/shared/errors';
import { micros, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import {
  type DiskFault,
  isLong,
  report,
  seed,
  SeededRandom,
  SimulatedDisk,
} from '@allsource/testkit';
import type { FileLogStore } from '../../src/log/file-log-store.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from '../../src/log/segment.ts';
import { bytesOf, collect, SAMPLE_LOG_ID, SampleFrames } from '../log/sample-frames.ts';
import { openedLog, PAGE_BYTES, storeOn } from './sample-writer.ts';
import { firstFrameOf } from '../../src/storage/stretch.ts';

const SEGMENT = '00000000000000000001.seg';
const RECORDS = isLong ? 1000 : 24;
const RECORD_PAYLOAD_BYTES = 220;
const LARGE_SEGMENT_BYTES = (isLong ? 256 : 8) * 1024 * 1024;
const LARGE_PAYLOAD_BYTES = 16_000;
const LARGE_OPENS = isLong ? 24 : 4;

interface PlacedFrame {
  readonly frame: Frame;
  readonly offset: number;
}

/** A log of one segment with these frames, each of which tells that the one before was durable, and where they lie. */
function logOf(frames: readonly Frame[], segmentBytes: number) {
  const header = encodeSegmentHeader({
    logId: SAMPLE_LOG_ID,
    partitionCount: 256,
    previousChecksum: 0,
    firstPosition: position(1),
    createdAt: micros(0),
  });
  const segment = Buffer.alloc(segmentBytes);
  header.copy(segment);
  const placed: PlacedFrame[] = [];
  let offset = SEGMENT_HEADER_BYTES;
  for (const frame of frames) {
    frame.bytes.copy(segment, offset);
    placed.push({ frame, offset });
    offset += frame.bytes.length;
  }
  const disk = new SimulatedDisk();
  disk.place(SEGMENT, segment);
  return { disk, placed, end: offset };
}

function framesOf(count: number, payloadBytes: number): Frame[] {
  return new SampleFrames({ logId: SAMPLE_LOG_ID, position: position(0), checksum: 0 }).take(
    count,
    { payloadBytes },
  );
}

function flip(bytes: Buffer, bit: number): void {
  const at = Math.floor(bit / 8);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
}

async function problemOf(action: Promise<unknown>): Promise<Problem> {
  try {
    await action;
  } catch (thrown) {
    return thrown as Problem;
  }
  throw new TypeError('a problem was expected');
}

async function firstFrame(store: FileLogStore, from: number): Promise<Frame> {
  const frame = await firstFrameOf(store.read(position(from)));
  if (frame !== null) return frame;
  throw new TypeError(`nothing is at ${from}`);
}

async function isServed(store: FileLogStore, { frame }: PlacedFrame): Promise<boolean> {
  return (await firstFrame(store, frame.position)).bytes.equals(frame.bytes);
}

/** The place of a frame as a problem names it; the end may be that of a stretch of frames. */
function isNamed({ code, members }: Problem, { frame, offset }: PlacedFrame): boolean {
  return (
    code === 'log_damaged' &&
    members['segment'] === SEGMENT &&
    members['offset'] === offset &&
    Number(members['end_offset']) >= offset + frame.bytes.length &&
    members['first_position'] === frame.position &&
    Number(members['last_position']) >= frame.lastPosition
  );
}

describe('R5: a flipped bit', () => {
  it('of any record is found by a read of an open log, named, and not served; the records before it are', async () => {
    const { disk, placed } = logOf(framesOf(RECORDS, RECORD_PAYLOAD_BYTES), segmentOf(RECORDS));
    const { store } = await openedLog(disk, PAGE_BYTES);
    const bytes = disk.bytes(SEGMENT);
    let flips = 0;
    let named = 0;
    let served = 0;
    for (const [index, one] of placed.entries()) {
      const { frame, offset } = one;
      for (let bit = offset * 8; bit < (offset + frame.bytes.length) * 8; bit++, flips++) {
        flip(bytes, bit);
        if (isNamed(await problemOf(firstFrame(store, frame.position)), one)) named += 1;
        flip(bytes, bit);
      }
      const before = placed[Math.max(0, index - 1)] ?? one;
      flip(bytes, (offset + 90) * 8);
      if (before !== one && (await isServed(store, before))) served += 1;
      flip(bytes, (offset + 90) * 8);
    }
    expect(named).toBe(flips);
    expect(served).toBe(RECORDS - 1);
    report('R5 flips met by reads', { flips, 'found and named': named, records: RECORDS });
  }, 1_200_000);

  it('of any record is found when the log is opened, named, and left as it is', async () => {
    const records = isLong ? 40 : 6;
    const { disk, placed, end } = logOf(framesOf(records + 1, 24), segmentOf(records));
    const bytes = disk.bytes(SEGMENT);
    let flips = 0;
    for (const one of placed.slice(0, -1)) {
      const { frame, offset } = one;
      const bits = { from: offset * 8, to: (offset + frame.bytes.length) * 8 };
      for (let bit = bits.from; bit < bits.to; bit++, flips++) {
        flip(bytes, bit);
        const damaged = Buffer.from(bytes);
        const problem = await problemOf(storeOn(disk, PAGE_BYTES).open());
        expect(isNamed(problem, one)).toBe(true);
        expect(problem.members['end_offset']).toBe(offset + frame.bytes.length);
        expect(bytes.equals(damaged)).toBe(true);
        flip(bytes, bit);
      }
    }
    expect(end).toBeLessThan(bytes.length);
    report('R5 flips met by starts', { flips, 'found and named': flips });
  }, 1_200_000);

  it('in the newest commit is found after a clean close, although no later commit speaks for it', async () => {
    const disk = new SimulatedDisk();
    const { store } = await openedLog(disk, 4 * PAGE_BYTES);
    const frames = framesOf(3, 24);
    await store.append(frames);
    await store.close();
    const end = PAGE_BYTES + bytesIn(frames);
    const last = frames[2]?.bytes.length ?? 0;
    let flips = 0;
    for (let bit = (end - last) * 8; bit < end * 8; bit++, flips++) {
      const damaged = disk.afterKill();
      flip(damaged.bytes(SEGMENT), bit);
      expect((await problemOf(storeOn(damaged, 4 * PAGE_BYTES).open())).members).toMatchObject({
        offset: end - last,
        first_position: 3,
        last_position: 3,
      });
    }
    report('R5 flips of the newest commit after a clean close', {
      flips,
      'found and named': flips,
    });
  });

  it('of a segment header is found when the log is opened', async () => {
    const { disk } = logOf(framesOf(3, 24), 4 * PAGE_BYTES);
    const bytes = disk.bytes(SEGMENT);
    let flips = 0;
    for (let bit = 0; bit < PAGE_BYTES * 8; bit += bit < 48 * 8 ? 1 : 61, flips++) {
      flip(bytes, bit);
      expect(await problemOf(storeOn(disk, PAGE_BYTES).open())).toMatchObject({
        code: 'log_damaged',
        members: { segment: SEGMENT },
      });
      flip(bytes, bit);
    }
    report('R5 flips of a segment header', { flips, 'found and named': flips });
  });

  it(`in each 4 KiB of a segment of ${LARGE_SEGMENT_BYTES / 1024 / 1024} MiB is found by a read, and some by a start`, async () => {
    const random = new SeededRandom(seed);
    const frameBytes = framesOf(1, LARGE_PAYLOAD_BYTES)[0]?.bytes.length ?? 0;
    const count = Math.floor((LARGE_SEGMENT_BYTES - PAGE_BYTES) / frameBytes);
    const { disk, placed, end } = logOf(framesOf(count, LARGE_PAYLOAD_BYTES), LARGE_SEGMENT_BYTES);
    const { store } = await openedLog(disk, PAGE_BYTES);
    const bytes = disk.bytes(SEGMENT);
    let flips = 0;
    let named = 0;
    for (let page = PAGE_BYTES; page + PAGE_BYTES < end; page += PAGE_BYTES, flips++) {
      const bit = page * 8 + random.below(PAGE_BYTES * 8);
      const hit = placed[Math.floor((bit / 8 - PAGE_BYTES) / frameBytes)];
      if (hit === undefined) throw new TypeError('the flip lies in a frame');
      flip(bytes, bit);
      if (isNamed(await problemOf(firstFrame(store, hit.frame.position)), hit)) named += 1;
      flip(bytes, bit);
    }
    expect(named).toBe(flips);
    await store.close();
    disk.remove('head');
    for (let i = 0; i < LARGE_OPENS; i++) {
      const hit = random.pick(placed.slice(0, -1));
      const bit = (hit.offset + random.below(frameBytes)) * 8 + random.below(8);
      flip(bytes, bit);
      expect(isNamed(await problemOf(storeOn(disk, PAGE_BYTES).open()), hit)).toBe(true);
      flip(bytes, bit);
    }
    report('R5 flips in a large segment', { flips, 'found by reads': named, starts: LARGE_OPENS });
  }, 1_200_000);
});

function segmentOf(records: number): number {
  return Math.ceil(((records + 1) * (RECORD_PAYLOAD_BYTES + 400)) / PAGE_BYTES + 2) * PAGE_BYTES;
}

function bytesIn(frames: readonly Frame[]): number {
  return frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
}

/** A write of an append that goes wrong, and how. */
const WRONG_WRITES: Record<string, (offset: number) => DiskFault> = {
  'was dropped': () => ({ kind: 'dropped' }),
  'landed 4096 bytes behind its place': (offset) => ({
    kind: 'misdirected',
    offset: offset + 4096,
  }),
  'landed on an earlier record': () => ({ kind: 'misdirected', offset: PAGE_BYTES }),
  'landed on the segment header': () => ({ kind: 'misdirected', offset: 0 }),
};

describe('R5: a write that the disk has said it made', () => {
  it.each(Object.keys(WRONG_WRITES))(
    'and that %s is found by reads and by the next start',
    async (how) => {
      let cases = 0;
      for (let nth = 2; nth <= 9; nth++, cases++) {
        const disk = new SimulatedDisk();
        const { store } = await openedLog(disk, 16 * PAGE_BYTES);
        const frames = framesOf(10, 300);
        let offset = PAGE_BYTES;
        for (const [index, frame] of frames.entries()) {
          const isWrong = index === nth - 1;
          disk.onCall = (call) =>
            isWrong && call === 'write' ? WRONG_WRITES[how]?.(offset) : undefined;
          await store.append([frame]);
          offset += frame.bytes.length;
        }
        disk.onCall = () => undefined;
        expect(await problemOf(collect(store.read(position(1))))).toMatchObject({
          code: 'log_damaged',
        });
        const segment = Buffer.from(disk.bytes(SEGMENT));
        const left = disk.afterKill();
        expect(await problemOf(storeOn(left, 16 * PAGE_BYTES).open())).toMatchObject({
          code: 'log_damaged',
        });
        expect(left.bytes(SEGMENT).equals(segment)).toBe(true);
      }
      report(`R5 a write that ${how}`, { cases, found: cases });
    },
  );

  it('that hits one of many segments leaves the others readable', async () => {
    const disk = new SimulatedDisk();
    const { store } = await openedLog(disk, 4 * PAGE_BYTES);
    const frames = framesOf(60, 900);
    for (const frame of frames) await store.append([frame]);
    const segments = disk.fileNames('.seg');
    expect(segments.length).toBeGreaterThan(3);
    for (const segment of segments.slice(1)) {
      const bytes = disk.bytes(segment);
      const first = Number(segment.slice(0, 20));
      flip(bytes, (PAGE_BYTES + 100) * 8);
      expect(await problemOf(collect(store.read(position(first))))).toMatchObject({
        code: 'log_damaged',
        members: { segment, offset: PAGE_BYTES, first_position: first },
      });
      expect((await firstFrame(store, first - 1)).position).toBe(first - 1);
      flip(bytes, (PAGE_BYTES + 100) * 8);
    }
    expect(bytesOf(await collect(store.read(position(1))))).toBe(bytesOf(frames));
    await store.close();
  });
});
