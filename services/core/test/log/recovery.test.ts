import { describe, expect, it } from '@jest/globals';
import type { Problem } from '@allsource/shared/errors';
import { must as mustBe } from '@allsource/shared/lang';
import { position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { SeededRandom } from '@allsource/testkit';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import type { LogNotice } from '../../src/log/log-notice.ts';
import { bytesOf, collect, SAMPLE_LOG_ID, SampleFrames } from './sample-frames.ts';
import { diskError, SimulatedDisk } from './simulated-disk.ts';

const SEGMENT_BYTES = 4 * 4096;
const FIRST_SEGMENT = '00000000000000000001.seg';

function storeOn(disk: SimulatedDisk, notices: LogNotice[] = []): FileLogStore {
  return new FileLogStore({
    disk,
    segmentBytes: SEGMENT_BYTES,
    partitionCount: 256,
    makeLogId: () => SAMPLE_LOG_ID,
    onNotice: (notice) => notices.push(notice),
  });
}

/** What is there, or a failed test. */
function must<T>(value: T | undefined): T {
  return mustBe(value, 'the file is there');
}

/** A log as a killed process leaves it: acknowledged frames, each told of by the next, then one group that nobody was told of. */
interface KilledLog {
  readonly disk: SimulatedDisk;
  readonly acknowledged: readonly Frame[];
  readonly group: readonly Frame[];
  /** Where the group begins in the only segment. */
  readonly groupOffset: number;
}

async function killedLog(shape: { readonly acknowledged: number; readonly group: number }) {
  const disk = new SimulatedDisk();
  const store = storeOn(disk);
  const maker = new SampleFrames(await store.open());
  const acknowledged = maker.take(shape.acknowledged);
  for (const frame of acknowledged) await store.append([frame]);
  const durablePosition = position(shape.acknowledged);
  const group = maker.take(shape.group, { durablePosition });
  if (group.length > 0) await store.append(group);
  const groupOffset = 4096 + totalBytes(acknowledged);
  return { disk: disk.afterKill(), acknowledged, group, groupOffset } satisfies KilledLog;
}

function totalBytes(frames: readonly Frame[]): number {
  return frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
}

/** Opens the disk and returns the whole frames that are there; then proves that the log takes appends and opens again. */
async function reopened(disk: SimulatedDisk): Promise<Frame[]> {
  const store = storeOn(disk);
  const head = await store.open();
  const frames = await collect(store.read(position(1)));
  const more = new SampleFrames(head).take(2, { payloadBytes: 40 });
  expect(await store.append(more)).toEqual({ kind: 'appended' });
  await store.close();
  const notices: LogNotice[] = [];
  const again = storeOn(disk.afterKill(), notices);
  expect((await again.open()).position).toBe(head.position + 2);
  expect(bytesOf(await collect(again.read(position(1))))).toBe(bytesOf([...frames, ...more]));
  await again.close();
  expect(notices).toEqual([]);
  return frames;
}

async function problemOf(action: Promise<unknown>): Promise<Problem> {
  try {
    await action;
  } catch (thrown) {
    return thrown as Problem;
  }
  throw new TypeError('a problem was expected');
}

async function refusal(disk: SimulatedDisk): Promise<Problem> {
  const logFiles = [...disk.names.keys()].filter((n) => n === 'head' || n.endsWith('.seg'));
  const before = logFiles.map((name) => Buffer.from(disk.bytes(name)));
  const store = storeOn(disk);
  const problem = await problemOf(store.open());
  await store.close();
  for (const [i, name] of logFiles.entries())
    expect(disk.bytes(name).equals(must(before[i]))).toBe(true);
  return problem;
}

const FILLS: Record<string, (bytes: Buffer, random: SeededRandom) => void> = {
  zeros: (bytes) => bytes.fill(0),
  'all ones': (bytes) => bytes.fill(0xff),
  'random bytes': (bytes, random) => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256);
  },
};

describe('a torn tail', () => {
  it.each(Object.keys(FILLS))(
    'of %s from any byte of the unacknowledged frames leaves the whole frames before it',
    async (fill) => {
      const log = await killedLog({ acknowledged: 5, group: 3 });
      const random = new SeededRandom(7);
      const end = log.groupOffset + totalBytes(log.group);
      let cases = 0;
      for (let from = log.groupOffset; from < end; from++, cases++) {
        const disk = log.disk.afterKill();
        FILLS[fill]?.(disk.bytes(FIRST_SEGMENT).subarray(from, end), random);
        const frames = await reopened(disk);
        expect(bytesOf(frames)).toBe(bytesOf(wholeFrames(log, disk)));
      }
      console.log(`torn tail filled with ${fill}: ${cases} cases, seed 7`);
    },
  );

  it('of a file cut at any byte of the unacknowledged frames leaves the whole frames before it', async () => {
    const log = await killedLog({ acknowledged: 5, group: 3 });
    const end = log.groupOffset + totalBytes(log.group);
    let cases = 0;
    for (let length = log.groupOffset; length <= end; length++, cases++) {
      const disk = log.disk.afterKill();
      disk.cut(FIRST_SEGMENT, length);
      expect(bytesOf(await reopened(disk))).toBe(bytesOf(wholeFrames(log, disk)));
    }
    console.log(`torn tail cut short: ${cases} cases`);
  });

  it('of stale frames of this very log is not taken for its continuation', async () => {
    const log = await killedLog({ acknowledged: 8, group: 0 });
    let cases = 0;
    // Old frames of this log at the place where the next frame belongs, in every alignment to the real frames.
    for (let from = 0; from < totalBytes(log.acknowledged); from += 8, cases++) {
      const disk = log.disk.afterKill();
      const bytes = disk.bytes(FIRST_SEGMENT);
      bytes.copy(bytes, log.groupOffset, 4096 + from, 4096 + totalBytes(log.acknowledged));
      expect(bytesOf(await reopened(disk))).toBe(bytesOf(log.acknowledged));
    }
    console.log(`stale frames behind the end: ${cases} cases`);
  });

  it('of a frame that followed another history of the same length is not revived', async () => {
    const log = await killedLog({ acknowledged: 5, group: 2 });
    const last = log.acknowledged[4];
    const head = { logId: SAMPLE_LOG_ID, position: position(5), checksum: last?.checksum ?? 0 };
    const [other] = new SampleFrames(head).take(1, { filler: 'y' });
    other?.bytes.copy(log.disk.bytes(FIRST_SEGMENT), log.groupOffset);
    expect(other?.bytes.length).toBe(log.group[0]?.bytes.length);
    expect(bytesOf(await reopened(log.disk))).toBe(bytesOf([...log.acknowledged, must(other)]));
  });

  it('is kept in a file of its own, also when an earlier attempt left one', async () => {
    const log = await killedLog({ acknowledged: 4, group: 1 });
    const bytes = log.disk.bytes(FIRST_SEGMENT);
    bytes.writeUInt8(bytes.readUInt8(log.groupOffset + 100) ^ 1, log.groupOffset + 100);
    const torn = Buffer.from(
      bytes.subarray(log.groupOffset, log.groupOffset + totalBytes(log.group)),
    );
    const notices: LogNotice[] = [];
    for (const savedAs of [
      'torn/00000000000000000001-4896.bin',
      'torn/00000000000000000001-4896-2.bin',
    ]) {
      torn.copy(log.disk.bytes(FIRST_SEGMENT), log.groupOffset);
      const store = storeOn(log.disk, notices);
      expect((await store.open()).position).toBe(4);
      await store.close();
      expect(notices.at(-1)).toMatchObject({
        kind: 'torn_tail_set_aside',
        offset: log.groupOffset,
        savedAs,
      });
      const copy = log.disk.bytes(savedAs);
      expect(copy.equals(torn.subarray(0, copy.length))).toBe(true);
    }
  });

  it('stays where it is when there is no space to keep a copy', async () => {
    const log = await killedLog({ acknowledged: 4, group: 1 });
    flipBit(log.disk.bytes(FIRST_SEGMENT), log.groupOffset + 100, new SeededRandom(1));
    log.disk.onCall = (call, name) => {
      if (call === 'write' && name.startsWith('torn/')) throw diskError('ENOSPC', name);
    };
    const before = Buffer.from(log.disk.bytes(FIRST_SEGMENT));
    const problem = await problemOf(storeOn(log.disk).open());
    expect(problem).toMatchObject({ code: 'storage_full' });
    expect(log.disk.bytes(FIRST_SEGMENT).equals(before)).toBe(true);
  });
});

/** The frames that are still whole up to the first that is not: a fill may have put back what was there. */
function wholeFrames(log: KilledLog, disk: SimulatedDisk): Frame[] {
  const whole = [...log.acknowledged];
  let offset = log.groupOffset;
  for (const frame of log.group) {
    const end = offset + frame.bytes.length;
    if (!disk.bytes(FIRST_SEGMENT).subarray(offset, end).equals(frame.bytes)) break;
    whole.push(frame);
    offset = end;
  }
  return whole;
}

describe('damage in what was acknowledged', () => {
  it('by one bit in any byte is refused, named and left as it is', async () => {
    const log = await killedLog({ acknowledged: 6, group: 1 });
    const random = new SeededRandom(11);
    let cases = 0;
    let offset = 4096;
    for (const frame of log.acknowledged) {
      const endOffset = offset + frame.bytes.length;
      for (let at = offset; at < endOffset; at++, cases++) {
        const disk = log.disk.afterKill();
        flipBit(disk.bytes(FIRST_SEGMENT), at, random);
        expect(await refusal(disk)).toMatchObject({
          code: 'log_damaged',
          members: {
            segment: FIRST_SEGMENT,
            offset,
            end_offset: endOffset,
            first_position: frame.position,
            last_position: frame.lastPosition,
          },
        });
      }
      offset = endOffset;
    }
    console.log(`flipped bits found at the start: ${cases} of ${cases}, seed 11`);
  });

  it('by zeros in place of whole frames is refused: they are not the end of the log', async () => {
    const log = await killedLog({ acknowledged: 6, group: 1 });
    let offset = 4096;
    for (const frame of log.acknowledged) {
      const disk = log.disk.afterKill();
      disk.bytes(FIRST_SEGMENT).fill(0, offset, log.groupOffset);
      expect(await refusal(disk)).toMatchObject({
        code: 'log_damaged',
        members: {
          offset,
          end_offset: log.groupOffset,
          first_position: frame.position,
          last_position: 6,
        },
      });
      offset += frame.bytes.length;
    }
  });

  it('in the newest frame is refused when the log had been closed', async () => {
    const disk = new SimulatedDisk();
    const store = storeOn(disk);
    const frames = new SampleFrames(await store.open()).take(3);
    await store.append(frames);
    await store.close();
    const end = 4096 + totalBytes(frames);
    const random = new SeededRandom(5);
    for (let at = end - (frames[2]?.bytes.length ?? 0); at < end; at++) {
      const damaged = disk.afterKill();
      flipBit(damaged.bytes(FIRST_SEGMENT), at, random);
      expect(await refusal(damaged)).toMatchObject({
        members: {
          offset: end - must(frames[2]).bytes.length,
          first_position: 3,
          last_position: 3,
        },
      });
      const zeroed = disk.afterKill();
      zeroed.bytes(FIRST_SEGMENT).fill(0, at, end);
      // The last bytes of a frame may be zeros anyway.
      if (zeroed.bytes(FIRST_SEGMENT).equals(disk.bytes(FIRST_SEGMENT))) continue;
      expect(await refusal(zeroed)).toMatchObject({ code: 'log_damaged' });
    }
  });

  it('that appears while the log is open fails the reads of that place and no others', async () => {
    const disk = new SimulatedDisk();
    const store = storeOn(disk);
    const frames = new SampleFrames(await store.open()).take(120, { payloadBytes: 900 });
    for (const frame of frames) await store.append([frame]);
    const random = new SeededRandom(3);
    let cases = 0;
    for (const segment of disk.fileNames('.seg')) {
      const first = Number(segment.slice(0, 20));
      const bytes = disk.bytes(segment);
      for (let k = 0; k < 40; k++, cases++) {
        const length = bytes.readUInt32LE(4096 + 4);
        const at = 4096 + random.below(length);
        const bit = flipBit(bytes, at, random);
        const problem = await problemOf(collect(store.read(position(Math.max(1, first - 1)))));
        expect(problem).toMatchObject({
          code: 'log_damaged',
          members: { segment, offset: 4096, first_position: first },
        });
        const elsewhere = position(first === 1 ? 120 : first - 1);
        const [near] = await collect(firstOf(store.read(elsewhere)));
        expect(near?.position).toBe(elsewhere);
        bytes[at] = (bytes[at] ?? 0) ^ bit;
      }
    }
    expect(bytesOf(await collect(store.read(position(1))))).toBe(bytesOf(frames));
    await store.close();
    console.log(`flipped bits found by reads: ${cases} of ${cases}, seed 3`);
  });
});

function flipBit(bytes: Buffer, at: number, random: SeededRandom): number {
  const bit = 1 << random.below(8);
  bytes[at] = (bytes[at] ?? 0) ^ bit;
  return bit;
}

async function* firstOf(frames: AsyncIterable<Frame>): AsyncGenerator<Frame> {
  for await (const frame of frames) {
    yield frame;
    return;
  }
}

/** A log of several segments, as a killed process leaves it. */
async function segmentedLog(): Promise<{
  disk: SimulatedDisk;
  segments: string[];
  frames: Frame[];
}> {
  const disk = new SimulatedDisk();
  const store = storeOn(disk);
  const frames = new SampleFrames(await store.open()).take(60, { payloadBytes: 900 });
  for (const frame of frames) await store.append([frame]);
  const killed = disk.afterKill();
  await store.close();
  return { disk: killed, segments: killed.fileNames('.seg'), frames };
}

describe('the segments of a log', () => {
  it('are refused when one but the last is missing', async () => {
    const { disk, segments } = await segmentedLog();
    expect(segments.length).toBeGreaterThan(4);
    for (const [ordinal, segment] of segments.slice(0, -1).entries()) {
      const damaged = disk.afterKill();
      damaged.names.delete(segment);
      const next = Number(segments[ordinal + 1]?.slice(0, 20));
      expect(await refusal(damaged)).toMatchObject({
        code: 'log_damaged',
        members: { first_position: Number(segment.slice(0, 20)), last_position: next - 1 },
      });
    }
  });

  it('are refused when the last is missing and the head marker knows of it', async () => {
    const { disk, segments } = await segmentedLog();
    const store = storeOn(disk);
    await store.open();
    await store.close();
    for (const missing of [segments.slice(-1), segments]) {
      const damaged = disk.afterKill();
      for (const segment of missing) damaged.names.delete(segment);
      expect(await refusal(damaged)).toMatchObject({
        code: 'log_damaged',
        members: { first_position: Number(missing[0]?.slice(0, 20)), last_position: 60 },
      });
    }
  });

  it('are refused when two have changed places', async () => {
    const { disk, segments } = await segmentedLog();
    for (const [one, other] of [
      [0, 1],
      [1, 2],
      [0, segments.length - 1],
    ]) {
      const damaged = disk.afterKill();
      const [a, b] = [segments[one ?? 0] ?? '', segments[other ?? 0] ?? ''];
      const [bytesA, bytesB] = [damaged.names.get(a), damaged.names.get(b)];
      if (bytesA !== undefined) damaged.names.set(b, bytesA);
      if (bytesB !== undefined) damaged.names.set(a, bytesB);
      expect(await refusal(damaged)).toMatchObject({
        code: 'log_damaged',
        members: { segment: a },
      });
    }
  });

  it('are refused when one is of another log or of another history of this one', async () => {
    const { disk, segments } = await segmentedLog();
    const [first = '', second = ''] = segments;
    const other = new SimulatedDisk();
    const store = new FileLogStore({
      disk: other,
      segmentBytes: SEGMENT_BYTES,
      partitionCount: 256,
    });
    const head = await store.open();
    await store.close();
    const foreign = disk.afterKill();
    foreign.names.set(first, must(other.names.get(first)));
    expect(head.position).toBe(0);
    expect(await refusal(foreign)).toMatchObject({ code: 'log_damaged' });

    const history = new SimulatedDisk();
    const otherStore = storeOn(history);
    const frames = new SampleFrames(await otherStore.open()).take(60, { payloadBytes: 901 });
    for (const frame of frames) await otherStore.append([frame]);
    const mixed = disk.afterKill();
    expect(history.names.has(second)).toBe(true);
    mixed.names.set(second, must(history.names.get(second)));
    expect(await refusal(mixed)).toMatchObject({
      code: 'log_damaged',
      members: { segment: second },
    });
    await otherStore.close();
  });

  it('are refused when a header has one flipped bit, or a name is no position', async () => {
    const { disk, segments } = await segmentedLog();
    const random = new SeededRandom(23);
    const damaged = disk.afterKill();
    let cases = 0;
    for (const segment of segments.slice(0, 3)) {
      const bytes = damaged.bytes(segment);
      for (let at = 0; at < 4096; at += at < 48 ? 1 : 61, cases++) {
        const bit = flipBit(bytes, at, random);
        const problem = await problemOf(storeOn(damaged).open());
        expect(problem).toMatchObject({ code: 'log_damaged', members: { segment } });
        bytes[at] = (bytes[at] ?? 0) ^ bit;
      }
    }
    console.log(`flipped bits found in headers: ${cases} of ${cases}, seed 23`);
    damaged.names.set('17.seg', must(damaged.names.get(FIRST_SEGMENT)));
    expect(await refusal(damaged)).toMatchObject({ members: { segment: '17.seg' } });
  });

  it('vouch for what lies before them: a torn write in a sealed segment is damage', async () => {
    const { disk, segments } = await segmentedLog();
    const last = segments.at(-1) ?? '';
    const sealed = segments.at(-2) ?? '';
    disk.bytes(last).fill(0, 4096);
    const bytes = disk.bytes(sealed);
    let end = bytes.length;
    while (bytes[end - 1] === 0) end -= 1;
    bytes.fill(0, end - 200, end);
    expect(await refusal(disk)).toMatchObject({
      code: 'log_damaged',
      members: { segment: sealed, last_position: Number(last.slice(0, 20)) - 1 },
    });
  });

  it('need no head marker: a missing or damaged one refuses and deletes nothing', async () => {
    const { disk, frames } = await segmentedLog();
    const store = storeOn(disk);
    await store.open();
    await store.close();
    const without = disk.afterKill();
    without.names.delete('head');
    expect(bytesOf(await reopened(without))).toBe(bytesOf(frames));
    for (let at = 0; at < 40; at++) {
      const damaged = disk.afterKill();
      flipBit(damaged.bytes('head'), at, new SeededRandom(at));
      expect(bytesOf(await reopened(damaged))).toBe(bytesOf(frames));
    }
  });

  it('may end in an empty one, and prepared files left behind are removed', async () => {
    const { disk, segments, frames } = await segmentedLog();
    disk.names.set('prepared-3-1.tmp', must(disk.afterKill().names.get(FIRST_SEGMENT)));
    const last = segments.at(-1) ?? '';
    disk.bytes(last).fill(0, 4096);
    const kept = frames.filter((frame) => frame.position < Number(last.slice(0, 20)));
    expect(bytesOf(await reopened(disk))).toBe(bytesOf(kept));
    expect(disk.names.has('prepared-3-1.tmp')).toBe(false);
  });
});

/** A closed log of several segments, and the anchor at its end. */
async function sealedLog() {
  const disk = new SimulatedDisk();
  const store = storeOn(disk);
  const { logId } = await store.open();
  const maker = new SampleFrames({ logId, position: position(0), checksum: 0 });
  const frames = maker.take(400, { payloadBytes: 700 });
  for (let i = 0; i < frames.length; i += 10) await store.append(frames.slice(i, i + 10));
  await store.close();
  const last = must(frames.at(-1));
  const after = { logId, position: last.lastPosition, checksum: last.checksum };
  return { disk: disk.afterKill(), frames, after };
}

describe('damage in a segment that a start has trusted', () => {
  it('by one bit is no obstacle to the start; it is named when it is read, and all around it is readable', async () => {
    const { disk, frames, after } = await sealedLog();
    const [, name] = disk.fileNames('.seg').map(must);
    const bytes = disk.bytes(must(name));
    const random = new SeededRandom(31);
    let flips = 0;
    for (let at = 4096; at < bytes.length; at += 1 + random.below(400), flips++) {
      if (bytes.subarray(at).every((byte) => byte === 0)) break;
      const good = must(bytes[at]);
      bytes[at] = good ^ (1 << random.below(8));
      const store = storeOn(disk);
      expect((await store.open({ after })).position).toBe(400);
      const damage = await problemOf(collect(store.read(position(1))));
      expect(damage).toMatchObject({ code: 'log_damaged', members: { segment: name } });
      const { first_position: first, last_position: last } = damage.members as {
        first_position: number;
        last_position: number;
      };
      expect(first).toBe(last);
      const rest = await collect(store.read(position(last + 1)));
      expect(bytesOf(rest)).toBe(bytesOf(frames.slice(last)));
      await store.close();
      bytes[at] = good;
    }
    console.log(`damage in a trusted segment: ${flips} flips, each named with its one position`);
  });

  it('by a segment of another history is refused when it is read', async () => {
    const { disk, after } = await sealedLog();
    const other = new SimulatedDisk();
    const store = storeOn(other);
    const maker = new SampleFrames(await store.open());
    const frames = maker.take(400, { payloadBytes: 700, filler: 'y' });
    for (let i = 0; i < frames.length; i += 10) await store.append(frames.slice(i, i + 10));
    await store.close();
    const name = must(disk.fileNames('.seg')[0]);
    other.bytes(name).copy(disk.bytes(name));
    const second = storeOn(disk);
    await second.open({ after });
    expect(await problemOf(collect(second.read(position(1))))).toMatchObject({
      code: 'log_damaged',
    });
    await second.close();
  });
});
