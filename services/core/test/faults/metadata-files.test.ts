/**
 * R6: every file beside the segments is deleted, emptied, cut at any length, or has any bit flipped, for every file that a log has after rolls, a torn tail, a clean close and a kill. The log opens with
 * the same frames, no byte of a segment changes, and it goes on.
 */
import { describe, expect, it } from '@jest/globals';
import type { Frame } from '@allsource/shared/protocol';
import { isLong, report, seed, SeededRandom, SimulatedDisk, survivalOf } from '@allsource/testkit';
import {
  expectRecovers,
  expectSound,
  openedLog,
  PAGE_BYTES,
  SampleWriter,
} from './sample-writer.ts';

const SEGMENT_BYTES = 3 * PAGE_BYTES;
const SMALL_FILE_BYTES = 128;
/** Of a large file, so many lengths and bits are tried. */
const SAMPLES = isLong ? 2000 : 60;

interface Harmed {
  readonly disk: SimulatedDisk;
  readonly what: string;
}

/** A log with every kind of file that a log can have: several segments, what a torn write left, and prepared segments. */
async function wornLog(
  isClosed: boolean,
): Promise<{ disk: SimulatedDisk; frames: readonly Frame[] }> {
  const random = new SeededRandom(seed);
  let disk = new SimulatedDisk();
  let log = await openedLog(disk, SEGMENT_BYTES);
  for (let life = 0; life < 3; life++) {
    const writer = new SampleWriter({ ...log, random });
    for (let i = 0; i < 6; i++) expect(await writer.append()).toBe('appended');
    const power: { left: SimulatedDisk | null } = { left: null };
    const current = disk;
    disk.onCall = (call, name) => {
      if (call !== 'datasync' || !name.endsWith('.seg')) return;
      power.left ??= current.afterPowerLoss({
        ...survivalOf(() => true),
        keepsSector: (_write, sector) => sector % 2 === 0,
      });
    };
    for (let i = 0; i < 4 && power.left === null; i++) await writer.append();
    disk = power.left ?? disk;
    log = await openedLog(disk, SEGMENT_BYTES);
  }
  const { frames } = log;
  if (isClosed) await log.store.close();
  return { disk: disk.afterKill(), frames };
}

function* harmOf(disk: SimulatedDisk, name: string, random: SeededRandom): Generator<Harmed> {
  const { length } = disk.bytes(name);
  const deleted = disk.afterKill();
  deleted.remove(name);
  yield { disk: deleted, what: 'deleted' };
  for (const at of placesIn(length, random)) {
    const cut = disk.afterKill();
    cut.cut(name, at);
    yield { disk: cut, what: `cut to ${at} bytes` };
  }
  for (const bit of placesIn(length * 8, random)) {
    const flipped = disk.afterKill();
    const bytes = flipped.bytes(name);
    const at = Math.floor(bit / 8);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
    yield { disk: flipped, what: `bit ${bit} flipped` };
  }
}

function placesIn(length: number, random: SeededRandom): number[] {
  if (length <= SMALL_FILE_BYTES * 8) return Array.from({ length }, (_, i) => i);
  return [0, length - 1, ...Array.from({ length: SAMPLES }, () => random.below(length))];
}

describe('R6: a file beside the segments', () => {
  it.each([
    ['after a kill', false],
    ['after a clean close', true],
  ])(
    '%s may be gone, cut or flipped: the log is the same, and no segment is touched',
    async (_when, isClosed) => {
      const random = new SeededRandom(seed);
      const { disk, frames } = await wornLog(isClosed);
      const counts: Record<string, number> = {};
      const segments = disk.fileNames('.seg');
      const others = [...disk.names.keys()].filter((name) => !segments.includes(name));
      expect(others).toEqual(expect.arrayContaining(['head', 'writer']));
      expect(others.some((name) => name.startsWith('torn/'))).toBe(true);
      for (const name of others) {
        counts[name] = 0;
        for (const harmed of harmOf(disk, name, random)) {
          const left = harmed.disk;
          const found = await openedLog(left, SEGMENT_BYTES);
          expectSound(found.frames, { acknowledged: frames, attempted: [] });
          for (const segment of segments)
            expect(left.bytes(segment).equals(disk.bytes(segment))).toBe(true);
          counts[name] += 1;
          if (counts[name] % 16 === 1)
            await expectRecovers(left, SEGMENT_BYTES, { acknowledged: frames, attempted: [] });
        }
      }
      report('R6 files beside the segments', counts);
    },
    600_000,
  );

  it('that says more than the log has is believed: what it vouched for is missing, and nothing is changed', async () => {
    const { disk, frames } = await wornLog(true);
    // The newest segment may be empty, and losing that loses nothing.
    const newest = frames.at(-1)?.position ?? 0;
    const holding = disk
      .fileNames('.seg')
      .findLastIndex((name) => Number.parseInt(name, 10) <= newest);
    for (const name of disk.fileNames('.seg').slice(holding)) disk.remove(name);
    const names = [...disk.names.keys()].filter((name) => name.endsWith('.seg'));
    await expect(openedLog(disk, SEGMENT_BYTES)).rejects.toMatchObject({ code: 'log_damaged' });
    expect(disk.fileNames('.seg')).toEqual(names);
  });
});
