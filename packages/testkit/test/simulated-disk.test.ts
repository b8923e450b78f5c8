import { describe, expect, it } from '@jest/globals';
import {
  diskError,
  failAtCall,
  FakeClock,
  SeededRandom,
  SimulatedDisk,
  survivalOf,
} from '@allsource/testkit';

const NOTHING = survivalOf(() => false);
const EVERYTHING = survivalOf(() => true);
const SECTOR = 512;

/** A durable file of four sectors of the letter a. */
async function diskWithFile() {
  const disk = new SimulatedDisk();
  const file = await disk.create('log');
  file.writeNow([Buffer.alloc(4 * SECTOR, 'a')], 0);
  await file.datasync();
  await disk.syncFolder('');
  return { disk, file };
}

function letters(disk: SimulatedDisk): string {
  const { length } = disk.bytes('log');
  return Array.from({ length: length / SECTOR }, (_, i) =>
    String.fromCodePoint(disk.bytes('log')[i * SECTOR] ?? 0),
  ).join('');
}

describe('a simulated disk that loses its power', () => {
  it('keeps what was synced, and of the rest whatever sectors chance or a rule says', async () => {
    const { disk, file } = await diskWithFile();
    file.writeNow([Buffer.alloc(3 * SECTOR, 'b')], SECTOR);
    expect(letters(disk.afterPowerLoss(NOTHING))).toBe('aaaa');
    expect(letters(disk.afterPowerLoss(EVERYTHING))).toBe('abbb');
    const torn = { ...EVERYTHING, keepsSector: (_write: number, sector: number) => sector === 2 };
    expect(letters(disk.afterPowerLoss(torn))).toBe('aaba');
    const seen = new Set<string>();
    for (let seed = 1; seed <= 300; seed++)
      seen.add(letters(disk.afterPowerLoss(new SeededRandom(seed))));
    expect([...seen].sort()).toEqual([
      'aaaa',
      'aaab',
      'aaba',
      'aabb',
      'abaa',
      'abab',
      'abba',
      'abbb',
    ]);
  });

  it('may keep a later write and drop an earlier one', async () => {
    const { disk, file } = await diskWithFile();
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 0);
    file.writeNow([Buffer.alloc(SECTOR, 'c')], SECTOR);
    const [, second = 0] = disk.unsyncedOperations();
    expect(letters(disk.afterPowerLoss(survivalOf((one) => one === second)))).toBe('acaa');
  });

  it('forgets names that were not synced, in any combination', async () => {
    const { disk } = await diskWithFile();
    const file = await disk.create('new');
    await file.datasync();
    await disk.rename('log', 'old');
    const [made = 0] = disk.unsyncedOperations();
    expect([...disk.afterPowerLoss(NOTHING).names.keys()]).toEqual(['log']);
    expect([...disk.afterPowerLoss(survivalOf((one) => one !== made)).names.keys()]).toEqual([
      'old',
    ]);
    await disk.syncFolder('');
    expect([...disk.afterPowerLoss(NOTHING).names.keys()].sort()).toEqual(['new', 'old']);
  });

  it('shows zeros or old data where a file has grown and its content is lost', async () => {
    const { disk, file } = await diskWithFile();
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 4 * SECTOR);
    const grown = { ...NOTHING, keepsLength: () => true };
    expect(letters(disk.afterPowerLoss(grown))).toBe('aaaa\0');
    const stale = { ...grown, staleSector: () => Buffer.alloc(SECTOR, 'x') };
    expect(letters(disk.afterPowerLoss(stale))).toBe('aaaax');
  });

  it('has lost what a failed sync was to keep, although it stays visible and a second sync succeeds', async () => {
    const { disk, file } = await diskWithFile();
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 0);
    disk.onCall = failAtCall({ code: 'EIO', call: 'datasync', nth: 1 }).hook;
    await expect(file.datasync()).rejects.toMatchObject({ code: 'EIO' });
    await file.datasync();
    expect(letters(disk)).toBe('baaa');
    expect(letters(disk.afterPowerLoss(EVERYTHING))).toBe('aaaa');
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 0);
    await file.datasync();
    expect(letters(disk.afterPowerLoss(NOTHING))).toBe('baaa');
  });

  it('does not keep by a sync what was written after it had begun', async () => {
    const { disk, file } = await diskWithFile();
    const clock = new FakeClock();
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 0);
    disk.onCall = (call) =>
      call === 'datasync' ? { kind: 'stalled', wait: () => clock.sleep(500) } : undefined;
    const sync = file.datasync();
    file.writeNow([Buffer.alloc(SECTOR, 'c')], SECTOR);
    expect(letters(disk.afterPowerLoss(NOTHING))).toBe('aaaa');
    clock.advance(500);
    await sync;
    expect(letters(disk.afterPowerLoss(NOTHING))).toBe('baaa');
  });
});

describe('a simulated disk', () => {
  it('leaves all that was written after a kill, and does not call it synced', async () => {
    const { disk, file } = await diskWithFile();
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 0);
    const killed = disk.afterKill();
    expect(letters(killed)).toBe('baaa');
    expect(letters(killed.afterPowerLoss(NOTHING))).toBe('aaaa');
    file.writeNow([Buffer.alloc(SECTOR, 'c')], 0);
    expect(letters(killed)).toBe('baaa');
  });

  it('drops, misdirects and refuses calls as it is told', async () => {
    const { disk, file } = await diskWithFile();
    disk.onCall = (call) => (call === 'write' ? { kind: 'dropped' } : undefined);
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 0);
    expect(letters(disk)).toBe('aaaa');
    disk.onCall = (call) =>
      call === 'write' ? { kind: 'misdirected', offset: 3 * SECTOR } : undefined;
    file.writeNow([Buffer.alloc(SECTOR, 'b')], 0);
    expect(letters(disk)).toBe('aaab');
    disk.onCall = (call, name) => {
      if (call === 'write') throw diskError('ENOSPC', name);
    };
    expect(() => file.writeNow([Buffer.alloc(2 * SECTOR, 'c')], 0)).toThrow('ENOSPC: log');
    expect(letters(disk)).toBe('caab');
  });
});
