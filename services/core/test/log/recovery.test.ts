import { describe, expect, it } from '@jest/globals';
import type { Problem } from '@allsource/shared/errors';
import { must as mustBe } from '@allsource/shared/lang';
import { position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { diskError, SeededRandom, SimulatedDisk, survivalOf } from '@allsource/testkit';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import type { LogNotice } from '../../src/log/log-notice.ts';
import type { ReplayOnOpen } from '../../src/storage/log-store.ts';
import { bytesOf, collect, SAMPLE_LOG_ID, SampleFrames } from './sample-frames.ts';

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

/** A log whose process is killed in its first roll: the new segment has its name, and the folder was not synced since. */
async function killedInRoll(): Promise<{ disk: SimulatedDisk; acknowledged: Frame[] }> {
  const disk = new SimulatedDisk();
  const store = storeOn(disk);
  const maker = new SampleFrames(await store.open());
  const acknowledged: Frame[] = [];
  let isRenamed = false;
  disk.onCall = (call) => {
    if (isRenamed) throw diskError('EIO', call);
    isRenamed = call === 'rename';
  };
  for (;;) {
    const frames = maker.take(1, { payloadBytes: 1000 });
    if ((await store.append(frames)).kind !== 'appended') break;
    acknowledged.push(...frames);
  }
  expect(isRenamed).toBe(true);
  return { disk: disk.afterKill(), acknowledged };
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

async function refusal(disk: SimulatedDisk, replay: ReplayOnOpen = {}): Promise<Problem> {
  const logFiles = [...disk.names.keys()].filter((n) => n === 'head' || n.endsWith('.seg'));
  const before = logFiles.map((name) => Buffer.from(disk.bytes(name)));
  const store = storeOn(disk);
  const problem = await problemOf(store.open(replay));
  await store.close();
  for (const [i, name] of logFiles.entries())
    expect(disk.bytes(name).equals(must(before[i]))).toBe(true);
  return problem;
}

describe('damage in what was acknowledged', () => {
  it('of the newest append is refused when a checkpoint knows that it was durable, and looks like a torn write otherwise', async () => {
    const { disk, acknowledged, groupOffset } = await killedLog({ acknowledged: 6, group: 0 });
    const newest = must(acknowledged.at(-1));
    const offset = groupOffset - newest.bytes.length;
    disk.bytes(FIRST_SEGMENT)[offset + 50] = 255;
    const { checksum } = newest;
    const durable = { logId: SAMPLE_LOG_ID, position: position(6), checksum };
    expect(await refusal(disk, { durable })).toMatchObject({
      code: 'log_damaged',
      members: { offset, first_position: 6, last_position: 6 },
    });
    expect(await reopened(disk)).toHaveLength(5);
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
});

function flipBit(bytes: Buffer, at: number, random: SeededRandom): number {
  const bit = 1 << random.below(8);
  bytes[at] = (bytes[at] ?? 0) ^ bit;
  return bit;
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
  it('that a killed process had named are not lost with the power behind what came after it', async () => {
    const { disk, acknowledged } = await killedInRoll();
    const store = storeOn(disk);
    const more = new SampleFrames(await store.open()).take(3);
    expect(await store.append(more)).toEqual({ kind: 'appended' });
    const frames = await reopened(disk.afterPowerLoss(survivalOf(() => false)));
    const all = [...acknowledged, ...more];
    expect(frames.map((frame) => frame.position)).toEqual(all.map((frame) => frame.position));
    expect(bytesOf(frames) === bytesOf(all)).toBe(true);
  });

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

  it('are refused when a name is no position', async () => {
    const { disk } = await segmentedLog();
    const damaged = disk.afterKill();
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
