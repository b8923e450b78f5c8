import { describe, expect, it } from '@jest/globals';
import { position } from '@allsource/shared/model';
import { SeededRandom, type SimulatedDisk } from '@allsource/testkit';
import type { LogNotice } from '../../src/log/log-notice.ts';
import { bytesOf, collect } from './sample-frames.ts';
import {
  crashesAtEachCall,
  kinds,
  openAndClose,
  openedStore,
  rawLog,
  settled,
} from './sealing-world.ts';

const ALL = position(1);

describe('a raw segment in the place of a sealed one, from a backup', () => {
  it('is sealed at the start, and everything is there', async () => {
    for (const restored of [[0], [1], [0, 1], [2], [0, 1, 2]]) {
      const { disk, frames, names, backup } = await sealedWithBackup();
      for (const n of restored) restoreRaw(disk, backup, names[n] as string);
      const notices: LogNotice[] = [];
      const { store, frames: seen } = await openedStore(disk, { notices, sealer: null });
      expect(bytesOf(seen)).toBe(bytesOf(frames));
      expect(bytesOf(await collect(store.read(ALL)))).toBe(bytesOf(frames));
      // Those with only raw segments behind them wait for their turn.
      const isAtEnd = restored.includes(2);
      expect(disk.fileNames('.sealed')).toHaveLength(isAtEnd ? 3 - restored.length : 3);
      expect(kinds(notices)).toEqual(isAtEnd ? [] : restored.map(() => 'segment_sealed'));
      await store.close();
      const again = await openedStore(disk);
      await settled(again.store);
      expect(disk.fileNames('.sealed')).toEqual(names);
      await again.store.close();
    }
  });

  it('is used in place of the damaged one that it was put beside', async () => {
    const { disk, frames, names, backup } = await sealedWithBackup();
    const name = names[0] as string;
    disk.bytes(name).writeUInt8(disk.bytes(name).readUInt8(900) ^ 1, 900);
    copyRaw(disk, backup, name);
    const { store, frames: seen } = await openedStore(disk);
    expect(bytesOf(seen)).toBe(bytesOf(frames));
    expect(disk.names.has(`aside/${name}`)).toBe(true);
    await store.close();
  });

  it('with a damaged byte is refused with the place of its frame, and nothing is changed', async () => {
    const { disk, frames, names, backup } = await sealedWithBackup();
    restoreRaw(disk, backup, names[1] as string);
    const raw = (names[1] as string).replace('.sealed', '.seg');
    const hit = frames.find(({ position: first }) => first === Number.parseInt(raw, 10));
    disk.bytes(raw).writeUInt8(disk.bytes(raw).readUInt8(4200) ^ 1, 4200);
    await expect(openedStore(disk)).rejects.toMatchObject({
      code: 'log_damaged',
      members: {
        segment: raw,
        offset: 4096,
        end_offset: 4096 + (hit?.bytes.length ?? 0),
        first_position: hit?.position,
        last_position: hit?.lastPosition,
      },
    });
    expect(disk.fileNames('.seg')).toContain(raw);
    expect(disk.fileNames('.tmp').filter((name) => name.startsWith('sealing-'))).toEqual([]);
  });

  it('is whole at every crash of the start that seals it', async () => {
    const { disk: start, frames, names, backup } = await sealedWithBackup();
    for (const name of names.slice(0, 2)) restoreRaw(start, backup, name);
    const random = new SeededRandom(8);
    const counts = { calls: 0, disks: 0 };
    for await (const disks of crashesAtEachCall(start, random, openAndClose)) {
      counts.calls += 1;
      for (const one of disks) {
        counts.disks += 1;
        const after = await openedStore(one, { sealer: null });
        expect(bytesOf(after.frames) === bytesOf(frames)).toBe(true);
        expect(one.fileNames('.sealed')).toEqual(names);
        await after.store.close();
      }
    }
    console.log(`crashes while restored segments are sealed, seed 8: ${JSON.stringify(counts)}`);
    expect(counts.calls).toBeGreaterThan(10);
  });
});

/** A log with three sealed segments, and as it was before they were sealed. */
async function sealedWithBackup() {
  const { disk, frames } = await rawLog(3);
  const backup = disk.afterKill();
  const { store } = await openedStore(disk);
  await settled(store);
  await store.close();
  return { disk, frames, backup, names: disk.fileNames('.sealed') };
}

function copyRaw(disk: SimulatedDisk, backup: SimulatedDisk, sealed: string): void {
  const raw = sealed.replace('.sealed', '.seg');
  disk.place(raw, Buffer.from(backup.bytes(raw)));
}

function restoreRaw(disk: SimulatedDisk, backup: SimulatedDisk, sealed: string): void {
  copyRaw(disk, backup, sealed);
  disk.remove(sealed);
}
