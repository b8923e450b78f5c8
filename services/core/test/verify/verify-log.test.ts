import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { micros, position, version } from '@allsource/shared/model';
import { encodeFrame } from '@allsource/shared/protocol';
import { SeededRandom } from '@allsource/testkit';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import type { LogNotice } from '../../src/log/log-notice.ts';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { collect } from '../log/sample-frames.ts';
import { type TemporaryFolder, temporaryFolder } from '../log/temporary-folder.ts';
import {
  flipBit,
  overwrite,
  type PlacedFrame,
  stateOf,
  verifyFolder,
  writeSampleLog,
} from './damaged-log.ts';

let folder: TemporaryFolder;
let frames: PlacedFrame[];

beforeEach(async () => {
  folder = temporaryFolder();
  frames = await writeSampleLog(folder.path);
});
afterEach(() => folder.remove());

const inFolder = (name: string) => join(folder.path, name);
const segments = () =>
  readdirSync(folder.path)
    .filter((name) => name.endsWith('.seg'))
    .toSorted();

function frame(index: number): PlacedFrame {
  const found = frames.at(index);
  if (found === undefined) throw new TypeError('no such frame');
  return found;
}

/** A frame that is not the last of its segment. */
function innerFrame(from: number): PlacedFrame {
  const index = frames.findIndex((each, i) => i >= from && frames[i + 1]?.segment === each.segment);
  return frame(index);
}

describe('verification of a whole log', () => {
  it('finds nothing, counts everything and changes nothing', async () => {
    expect(segments().length).toBeGreaterThan(2);
    const names = readdirSync(folder.path);
    const before = stateOf(folder.path, names);
    const { findings, summary } = await verifyFolder(folder.path);
    expect(findings).toEqual([]);
    expect(summary).toMatchObject({
      frames: 40,
      events: 120,
      entities: 1,
      head: 120,
      intact: [[1, 120]],
      intact_events: 120,
    });
    expect(stateOf(folder.path, readdirSync(folder.path))).toBe(before);
  });

  it('ends at the position that it is told', async () => {
    const { findings, summary } = await verifyFolder(folder.path, { upTo: 60 });
    expect(findings).toEqual([]);
    expect(summary).toMatchObject({ head: 60, events: 60 });
  });

  it('says when the log does not reach the position that was durable', async () => {
    const { damages } = await verifyFolder(folder.path, { upTo: 123 });
    expect(damages).toMatchObject([
      { kind: 'missing_positions', first_position: 121, last_position: 123 },
    ]);
  });
});

describe('a flipped bit', () => {
  it('in any frame or header is found, and named by segment, bytes and positions', async () => {
    const random = new SeededRandom(20261121);
    let flips = 0;
    for (const name of segments()) {
      const used = Math.max(...frames.filter((f) => f.segment === name).map((f) => f.endOffset));
      for (let n = 0; n < 60; n++) {
        const bit = random.below(used * 8);
        flipBit(inFolder(name), bit);
        const { damages, summary } = await verifyFolder(folder.path);
        const hit = frames.find(
          (f) => f.segment === name && f.offset <= bit >> 3 && bit >> 3 < f.endOffset,
        );
        expect([bit, damages]).toMatchObject([bit, [{ segment: name }]]);
        const [damage] = damages;
        expect(damage?.offset).toBeLessThanOrEqual(bit >> 3);
        expect(damage?.end_offset).toBeGreaterThan(bit >> 3);
        // A flip in the header costs no position.
        expect([damage?.first_position, summary.intact_events]).toEqual([
          hit?.firstPosition ?? null,
          hit === undefined ? 120 : 117,
        ]);
        flipBit(inFolder(name), bit);
        flips += 1;
      }
    }
    process.stderr.write(`verify: ${flips} flips planted, ${flips} found\n`);
  });

  it('does not hide the next: each of many is named, and what lies between is intact', async () => {
    const hit = frames.filter((_, index) => index % 5 === 2);
    for (const { segment, offset } of hit) flipBit(inFolder(segment), (offset + 100) * 8 + 3);
    const { damages, summary } = await verifyFolder(folder.path);
    expect(damages.map((found) => found.first_position)).toEqual(hit.map((f) => f.firstPosition));
    expect(damages.map((found) => found.last_position)).toEqual(hit.map((f) => f.lastPosition));
    expect(summary.intact_events).toBe(120 - hit.length * 3);
    expect(summary.intact.at(0)).toEqual([1, frame(2).firstPosition - 1]);
  });

  it('in the last frame of a full segment is named once, and not again as stray bytes', async () => {
    const [first = ''] = segments();
    const last = frames.findLast(({ segment }) => segment === first);
    flipBit(inFolder(first), ((last?.offset ?? 0) + 100) * 8);
    const { findings } = await verifyFolder(folder.path);
    expect(findings).toMatchObject([
      { kind: 'damaged_bytes', segment: first, last_position: last?.lastPosition },
    ]);
  });

  it('behind the end of a sealed segment is a notice, for no event needs it', async () => {
    const [first = ''] = segments();
    flipBit(inFolder(first), statSync(inFolder(first)).size * 8 - 5);
    const { findings } = await verifyFolder(folder.path);
    expect(findings).toMatchObject([{ kind: 'stray_bytes', severity: 'notice', segment: first }]);
  });
});

describe('damage of other kinds', () => {
  it('a zeroed page is named with the positions that it held', async () => {
    const hit = innerFrame(3);
    overwrite(inFolder(hit.segment), hit.offset, Buffer.alloc(hit.endOffset - hit.offset));
    const { damages } = await verifyFolder(folder.path);
    expect(damages).toMatchObject([
      {
        kind: 'damaged_bytes',
        segment: hit.segment,
        offset: hit.offset,
        end_offset: hit.endOffset,
        first_position: hit.firstPosition,
        last_position: hit.lastPosition,
        reason: 'zeros where a frame belongs',
      },
    ]);
  });

  it('a frame that lies where another belongs is found, though it is whole', async () => {
    const hit = innerFrame(8);
    const other = innerFrame(2);
    const bytes = readFileSync(inFolder(other.segment)).subarray(other.offset, other.endOffset);
    overwrite(inFolder(hit.segment), hit.offset, bytes);
    const { damages } = await verifyFolder(folder.path);
    expect(damages).toMatchObject([
      {
        first_position: hit.firstPosition,
        last_position: hit.lastPosition,
        reason: `the frame of position ${other.firstPosition} lies where position ${hit.firstPosition} belongs`,
      },
    ]);
  });

  it('a missing segment is named by its positions', async () => {
    const [, second = '', third = ''] = segments();
    rmSync(inFolder(second));
    const { damages, summary } = await verifyFolder(folder.path);
    const first = Number(second.slice(0, 20));
    const last = Number(third.slice(0, 20)) - 1;
    expect(damages).toMatchObject([
      { kind: 'missing_positions', first_position: first, last_position: last, segment: third },
    ]);
    expect(summary.intact).toEqual([
      [1, first - 1],
      [last + 1, 120],
    ]);
  });

  it('a log of which only the marker is left, or that lost its newest segment, is missing positions', async () => {
    const names = segments();
    rmSync(inFolder(names.at(-1) ?? ''));
    const first = Number((names.at(-1) ?? '').slice(0, 20));
    expect((await verifyFolder(folder.path)).damages).toMatchObject([
      { kind: 'missing_positions', first_position: first, last_position: 120 },
    ]);
    for (const name of segments()) rmSync(inFolder(name));
    expect((await verifyFolder(folder.path)).damages).toMatchObject([
      { kind: 'missing_positions', first_position: 1, last_position: 120 },
    ]);
  });

  it('a file that was cut short anywhere is damage where positions were durable', async () => {
    const { segment, offset, firstPosition } = innerFrame(0);
    truncateSync(inFolder(segment), offset + 50);
    const { damages } = await verifyFolder(folder.path);
    expect(damages[0]).toMatchObject({ segment, offset, first_position: firstPosition });
    expect(damages[0]?.last_position).toBe(Number((segments()[1] ?? '').slice(0, 20)) - 1);
  });

  it('with every header damaged the frames are still held to account', async () => {
    for (const name of segments()) overwrite(inFolder(name), 8, Buffer.from('not the log id'));
    const { damages, summary } = await verifyFolder(folder.path);
    expect(damages.map(({ kind }) => kind)).toEqual(segments().map(() => 'damaged_header'));
    expect(summary).toMatchObject({ events: 120, head: 120 });
  });

  it('a segment of another log is named and its frames are not taken for ours', async () => {
    const other = temporaryFolder();
    await writeSampleLog(other.path);
    const [, second = ''] = segments();
    const foreign = readFileSync(join(other.path, second));
    foreign.write('another!', 8, 'latin1');
    overwrite(inFolder(second), 0, foreign);
    other.remove();
    const { damages } = await verifyFolder(folder.path);
    expect(damages).toMatchObject([{ kind: 'damaged_header', segment: second }]);
  });

  it('an older state of the last segment is damage, because the marker says so', async () => {
    const old = temporaryFolder();
    await writeSampleLog(old.path, { frames: 38 });
    const last = segments().at(-1) ?? '';
    if (readdirSync(old.path).includes(last)) copyFileSync(join(old.path, last), inFolder(last));
    else rmSync(inFolder(last));
    old.remove();
    expect((await verifyFolder(folder.path)).damages).toMatchObject([
      { kind: 'missing_positions', last_position: 120 },
    ]);
  });
});

describe('a torn tail', () => {
  it('is told apart from damage as recovery does, at every place of the last frame', async () => {
    rmSync(inFolder('head'));
    const last = frame(-1);
    const bytes = readFileSync(inFolder(last.segment)).subarray(last.offset, last.endOffset);
    for (let kept = 8; kept < bytes.length; kept += 97) {
      const torn = Buffer.concat([bytes.subarray(0, kept), Buffer.alloc(bytes.length - kept)]);
      overwrite(inFolder(last.segment), last.offset, torn);
      const { findings, summary } = await verifyFolder(folder.path);
      expect(findings).toMatchObject([
        { kind: 'torn_tail', severity: 'notice', segment: last.segment, offset: last.offset },
        { kind: 'no_head_marker' },
      ]);
      expect(summary).toMatchObject({ damages: 0, head: 117 });
    }
    const store = new FileLogStore({
      disk: new NodeDisk(folder.path),
      segmentBytes: 16_384,
      partitionCount: 256,
    });
    expect((await store.open()).position).toBe(117);
    expect(await collect(store.read(position(1)))).toHaveLength(39);
    await store.close();
    expect((await verifyFolder(folder.path)).findings).toEqual([]);
  });

  it('may hold whole frames that do not follow, and ends where a start says that it does', async () => {
    const last = frame(-1);
    const stale = frames.filter(({ segment }) => segment === last.segment)[0] ?? last;
    const bytes = readFileSync(inFolder(stale.segment)).subarray(stale.offset, stale.endOffset);
    const behind = [bytes, Buffer.alloc(64), bytes, Buffer.from('torn')];
    overwrite(inFolder(last.segment), last.endOffset, Buffer.concat(behind));
    const { findings, summary } = await verifyFolder(folder.path);
    expect(summary).toMatchObject({ damages: 0, head: 120 });
    expect(findings).toMatchObject([{ kind: 'torn_tail', segment: last.segment }]);
    const notices: LogNotice[] = [];
    const store = new FileLogStore({
      disk: new NodeDisk(folder.path),
      segmentBytes: 16_384,
      partitionCount: 256,
      onNotice: (notice) => notices.push(notice),
    });
    expect((await store.open()).position).toBe(120);
    await store.close();
    const offset = findings[0]?.offset ?? 0;
    const end = findings[0]?.end_offset ?? 0;
    expect(notices).toMatchObject([{ kind: 'torn_tail_set_aside', offset, bytes: end - offset }]);
  });

  it('is damage when the marker says that it was durable', async () => {
    const last = frame(-1);
    flipBit(inFolder(last.segment), (last.offset + 90) * 8);
    const { damages } = await verifyFolder(folder.path);
    expect(damages).toMatchObject([
      { kind: 'damaged_bytes', first_position: 118, last_position: 120 },
    ]);
  });

  it('counts up to the last whole frame in the folder of a running node, whatever the files tell to be durable', async () => {
    rmSync(inFolder('head'));
    const owner = { owner: 'core', pid: 1 };
    const { findings, summary } = await verifyFolder(folder.path, { owner });
    expect(findings).toEqual([]);
    expect(summary).toMatchObject({ head: 120, intact_events: 120 });
  });

  it('is not judged in the folder of a running node', async () => {
    rmSync(inFolder('head'));
    const last = frame(-1);
    flipBit(inFolder(last.segment), (last.offset + 90) * 8);
    const owner = { owner: 'core', pid: 1 };
    const { findings, summary } = await verifyFolder(folder.path, { owner });
    expect(findings).toEqual([]);
    expect(summary.head).toBeLessThan(last.firstPosition);
  });
});

describe('a faulty writer', () => {
  it('that leaves a version out is found, though every checksum is right', async () => {
    const other = temporaryFolder();
    const disk = new NodeDisk(other.path);
    const store = new FileLogStore({ disk, segmentBytes: 65_536, partitionCount: 256 });
    const head = await store.open();
    const id = Buffer.alloc(16);
    id.writeUInt32BE(1, 12);
    const tenant = Buffer.from('acme');
    const made = encodeFrame({
      logId: head.logId,
      position: position(1),
      recordedAt: micros(1),
      durablePosition: position(0),
      previousChecksum: 0,
      tenant,
      isSystem: false,
      idempotency: null,
      events: [
        {
          id,
          timestamp: micros(1),
          version: version(2),
          previousPosition: position(0),
          partition: 100,
          type: Buffer.from('a.b'),
          entity: Buffer.from('order-17'),
          payload: Buffer.from('{}'),
          metadata: null,
        },
      ],
    });
    await store.append([made]);
    await store.close();
    const { damages } = await verifyFolder(other.path);
    other.remove();
    expect(damages).toMatchObject([{ kind: 'broken_law', first_position: 1, last_position: 1 }]);
    expect(damages[0]?.reason).toContain('version 2');
  });
});
