import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { sealedNameOf } from '../../src/log/sealed-format.ts';
import { type TemporaryFolder, temporaryFolder } from '../log/temporary-folder.ts';
import { flipBit, overwrite, verifyFolder, writeSampleLog } from './damaged-log.ts';

const SEGMENT_BYTES = 40 * 4096;
const FRAMES = 300;
const SHAPE = { events: 3, payloadBytes: 700 };
const HEAD = FRAMES * SHAPE.events;

let folder: TemporaryFolder;

beforeEach(async () => {
  folder = temporaryFolder();
  const options = { frames: FRAMES, shape: SHAPE, segmentBytes: SEGMENT_BYTES, isSealed: true };
  await writeSampleLog(folder.path, options);
});
afterEach(() => folder.remove());

const inFolder = (name: string) => join(folder.path, name);
const names = () => readdirSync(folder.path).toSorted();
const sealed = () => names().filter((name) => name.endsWith('.sealed'));
const firstOf = (name: string) => Number.parseInt(name, 10);

/** The last position of a segment. */
function lastOf(name: string): number {
  const segments = names().filter((each) => /^\d{20}\./.test(each));
  const next = segments[segments.indexOf(name) + 1];
  return next === undefined ? HEAD : firstOf(next) - 1;
}

describe('verification of sealed segments', () => {
  it('finds nothing in whole ones, and walks every event of them', async () => {
    expect(sealed().length).toBeGreaterThan(2);
    const { findings, summary } = await verifyFolder(folder.path);
    expect(findings).toEqual([]);
    expect(summary).toMatchObject({ events: HEAD, head: HEAD, entities: 1, intact: [[1, HEAD]] });
  });

  it('finds any flipped bit, and names file, bytes and positions', async () => {
    const random = new SeededRandom(20261121);
    let flips = 0;
    for (const name of sealed()) {
      const before = readFileSync(inFolder(name));
      for (let n = 0; n < 32; n++) {
        // One in four hits the header or the index.
        const bytes = [192, before.length][n % 4 === 0 ? 0 : 1] ?? 0;
        const bit = (n % 8 === 1 ? before.length - 1 - random.below(200) : random.below(bytes)) * 8;
        flipBit(inFolder(name), bit + (n % 8));
        const { damages, summary } = await verifyFolder(folder.path);
        expect([name, bit, damages.length]).toEqual([name, bit, 1]);
        const [damage] = damages;
        expect(damage).toMatchObject({ segment: name, kind: 'damaged_bytes' });
        expect(damage?.offset).toBeLessThanOrEqual(bit / 8);
        expect(damage?.end_offset).toBeGreaterThan(bit / 8);
        expect(damage?.first_position).toBeGreaterThanOrEqual(firstOf(name));
        expect(damage?.last_position).toBeLessThanOrEqual(lastOf(name));
        const lost = Number(damage?.last_position) - Number(damage?.first_position) + 1;
        expect(summary.intact_events).toBe(HEAD - lost);
        overwrite(inFolder(name), 0, before);
        flips += 1;
      }
    }
    process.stderr.write(`verify, sealed: ${flips} flips planted, ${flips} found\n`);
  });

  it('goes on behind a damaged block, and names each of several', async () => {
    const hit = sealed();
    for (const name of hit) flipBit(inFolder(name), 1000 * 8);
    const { damages, summary } = await verifyFolder(folder.path);
    expect(damages.map(({ segment }) => segment)).toEqual(hit);
    expect(summary.head).toBe(HEAD);
    expect(summary.intact_events).toBeGreaterThan(HEAD / 2);
  });

  it('finds one that was cut short, is missing, or stands in the place of another', async () => {
    const [first = '', second = '', third = ''] = sealed();
    const bytes = readFileSync(inFolder(second));
    truncateSync(inFolder(second), statSync(inFolder(second)).size - 5);
    const lost = { first_position: firstOf(second), last_position: lastOf(second) };
    expect((await verifyFolder(folder.path)).damages).toMatchObject([{ segment: second, ...lost }]);
    rmSync(inFolder(second));
    expect((await verifyFolder(folder.path)).damages).toMatchObject([
      { segment: third, kind: 'missing_positions', ...lost },
    ]);
    overwriteWhole(second, readFileSync(inFolder(first)));
    expect((await verifyFolder(folder.path)).damages).toMatchObject([{ segment: second }]);
    overwriteWhole(second, bytes);
    expect((await verifyFolder(folder.path)).damages).toEqual([]);
  });

  it('of another history of the same log is found by its digest', async () => {
    const other = temporaryFolder();
    const shape = { ...SHAPE, filler: 'y' };
    const options = { frames: FRAMES, shape, segmentBytes: SEGMENT_BYTES, isSealed: true };
    await writeSampleLog(other.path, options);
    const [, second = ''] = sealed();
    overwriteWhole(second, readFileSync(join(other.path, second)));
    other.remove();
    const { damages } = await verifyFolder(folder.path);
    expect(damages.map(({ kind }) => kind)).toContain('broken_chain');
    expect(damages.some(({ reason }) => reason.includes('sealed behind another'))).toBe(true);
  });

  it('without the segment behind them is missing positions: one is sealed only when another follows', async () => {
    const last =
      names()
        .filter((name) => name.endsWith('.seg'))
        .at(-1) ?? '';
    rmSync(inFolder(last));
    rmSync(inFolder('head'));
    expect((await verifyFolder(folder.path)).damages).toMatchObject([
      { kind: 'missing_positions', first_position: firstOf(last), last_position: firstOf(last) },
    ]);
  });

  it('takes the one that is whole where both files of a segment are there, as a start does', async () => {
    const [first = ''] = sealed();
    const other = temporaryFolder();
    await writeSampleLog(other.path, { frames: FRAMES, shape: SHAPE, segmentBytes: SEGMENT_BYTES });
    const raw = readdirSync(other.path).find((name) => name.endsWith('.seg')) ?? '';
    expect(sealedNameOf(raw)).toBe(first);
    overwriteWhole(raw, readFileSync(join(other.path, raw)));
    other.remove();
    flipBit(inFolder(first), 1000 * 8);
    expect((await verifyFolder(folder.path)).findings).toMatchObject([
      { kind: 'stray_bytes', severity: 'notice', segment: first },
    ]);
    // With the raw one rotten and the sealed one whole it is the other way round; with both rotten there is damage.
    flipBit(inFolder(raw), 4200 * 8);
    expect((await verifyFolder(folder.path)).damages).toMatchObject([
      { kind: 'damaged_bytes', segment: raw, offset: 4096 },
    ]);
    flipBit(inFolder(first), 1000 * 8);
    const { findings, damages } = await verifyFolder(folder.path);
    expect(damages).toEqual([]);
    expect(findings).toMatchObject([{ kind: 'stray_bytes', segment: raw }]);
  });
});

function overwriteWhole(name: string, bytes: Uint8Array): void {
  rmSync(inFolder(name), { force: true });
  writeFileSync(inFolder(name), bytes);
}
