import { describe, expect, it } from '@jest/globals';
import { SeededRandom, type SimulatedDisk, survivalOf } from '@allsource/testkit';
import { RETIRED_KEEP_MS } from '../../src/parquet/folder/tenant-files.ts';
import { ParquetSink } from '../../src/parquet/writing/parquet-sink.ts';
import { GeneratedLog } from '../support/generated-log.ts';
import { propertySeed, Random } from '../support/random.ts';
import { appendSome, eventsOf, expectedOf, ParquetWorld } from './parquet-world.ts';

const TENANTS = ['acme', 'Other', 'third'];

async function expectAll(world: ParquetWorld, log: GeneratedLog): Promise<void> {
  for (const tenant of TENANTS) expect(await world.events(tenant)).toEqual(expectedOf(log, tenant));
}

/** A log of some commits, written a few frames at a time. */
async function written(seed = 5, commits = 60, framesAtOnce = 10) {
  const log = new GeneratedLog(seed);
  appendSome(log, new Random(seed), commits);
  const world = await ParquetWorld.open();
  await world.write(log, framesAtOnce);
  return { log, world };
}

describe('the Parquet files of a log', () => {
  it('hold every event of a tenant once, in order, with its texts byte for byte', async () => {
    const { log, world } = await written();
    expect(world.folder.position).toBe(log.head);
    await expectAll(world, log);
    expect(world.folder.find('_system')).toBeNull();
  });

  it('go on where they were after a restart, whatever was written since', async () => {
    const { log, world } = await written();
    appendSome(log, new Random(6), 30);
    const again = await ParquetWorld.open(world.disk);
    expect(again.folder.position).toBe(world.folder.position);
    await again.write(log, 7);
    await expectAll(again, log);
    expect(again.warnings).toEqual([]);
  });

  it('are not written on when the disk has refused some of them', async () => {
    const log = new GeneratedLog(5);
    appendSome(log, new Random(5), 40);
    const world = await ParquetWorld.open();
    const { disk, folder } = world;
    const sink = new ParquetSink({ disk, folder, limits: { events: 60, frameBytes: 1e9 } });
    let hasFailed = false;
    world.disk.onCall = (call, name) => {
      if (hasFailed || call !== 'create' || !name.startsWith('tenants/third')) return;
      hasFailed = true;
      throw Object.assign(new RangeError('ENOSPC'), { code: 'ENOSPC' });
    };
    await expect(sink.apply(log.frames, log.logIdHex)).rejects.toThrow('ENOSPC');
    const rest = log.frames.filter(({ position }) => position > sink.appliedPosition);
    await expect(sink.apply(rest, log.logIdHex)).rejects.toThrow('ENOSPC');
    const again = await ParquetWorld.open(world.disk);
    await again.write(log);
    await expectAll(again, log);
  });

  it('are written again when they are of another log', async () => {
    const { world } = await written();
    const other = new GeneratedLog(9, 'other');
    appendSome(other, new Random(9), 20);
    const sink = new ParquetSink(world);
    await expect(sink.apply(other.frames, other.logIdHex)).rejects.toThrow('one log');
    await sink.reset();
    expect([...world.disk.names.keys()]).toEqual([]);
    await world.write(other);
    await expectAll(world, other);
  });
});

describe('compaction', () => {
  it('merges files that follow each other into one with the same events', async () => {
    const { log, world } = await written();
    const before = world.files('acme').files;
    const result = await world.compact('acme');
    const after = world.files('acme').files;
    expect(before.length).toBeGreaterThan(3);
    expect(after).toHaveLength(1);
    expect(after[0]).toMatchObject({
      firstPosition: before[0]?.firstPosition,
      lastPosition: before.at(-1)?.lastPosition,
    });
    const events = expectedOf(log, 'acme').length;
    expect(result).toMatchObject({ files: before.length, events, damaged: 0 });
    expect(result.bytesBefore).toBe(before.reduce((sum, { bytes }) => sum + bytes, 0));
    expect(result.bytesAfter).toBe(after[0]?.bytes);
    expect(result.bytesAfter).toBeLessThan(result.bytesBefore);
    await expectAll(world, log);
    expect(world.files('Other').files.length).toBeGreaterThan(3);
  });

  it('adds up what it did, over restarts', async () => {
    const { log, world } = await written();
    const first = await world.compact('acme');
    appendSome(log, new Random(8), 60);
    const again = await ParquetWorld.open(world.disk);
    await again.write(log, 10);
    const second = await again.compact('acme', 'fullcompaction');
    expect(second.files).toBeGreaterThan(3);
    expect(again.files('acme').totals).toMatchObject({
      compactions: 2,
      files: first.files + second.files,
      bytesBefore: first.bytesBefore + second.bytesBefore,
      bytesAfter: first.bytesAfter + second.bytesAfter,
      events: first.events + second.events,
    });
    await expectAll(again, log);
  });

  it('leaves replaced files for ten minutes to those who have their names', async () => {
    const { log, world } = await written();
    const before = world.files('acme').files;
    await world.compact('acme');
    const told = before.map(({ name }) => world.files('acme').pathOf(name));
    const again = await ParquetWorld.open(world.disk, world.nowMs + RETIRED_KEEP_MS - 1);
    await again.files('acme').sweep();
    const events = [];
    for (const path of told) events.push(...(await eventsOf(world.disk, path, 'acme')));
    expect(events).toEqual(expectedOf(log, 'acme'));
    again.nowMs += 1;
    await again.files('acme').sweep();
    for (const path of told) expect(again.disk.names.has(path)).toBe(false);
    await expectAll(again, log);
  });

  it('finds nothing to do a second time', async () => {
    const { world } = await written();
    await world.compact('acme', 'fullcompaction');
    const operations = world.disk.operations;
    expect(await world.compact('acme', 'fullcompaction')).toMatchObject({ files: 0, events: 0 });
    expect(world.disk.operations).toBe(operations);
  });
});

/** Ways to hurt a file, without a change of its manifest. */
const DAMAGES: Record<string, (world: ParquetWorld, path: string) => void> = {
  'a bit is flipped': (world, path) => {
    const bytes = world.disk.bytes(path);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
  },
  'it is cut short': (world, path) => world.disk.cut(path, 100),
  'it is deleted': (world, path) => world.disk.remove(path),
};

describe('a damaged file', () => {
  for (const [what, damage] of Object.entries(DAMAGES)) {
    it(`is found by a compaction when ${what}, and made again from the log`, async () => {
      const { log, world } = await written();
      const { name } = world.files('acme').files[1] ?? { name: '' };
      damage(world, world.files('acme').pathOf(name));
      expect(await world.compact('acme')).toMatchObject({ files: 0, damaged: 1 });
      expect(world.warnings).toEqual([expect.stringContaining(name)]);
      expect(world.folder.position).toBeLessThan(log.head);
      // What lies around the hole must not be merged over it.
      await world.compact('acme', 'fullcompaction');
      appendSome(log, new Random(3), 20);
      await world.write(log);
      await expectAll(world, log);
      expect(await world.compact('acme')).toMatchObject({ damaged: 0 });
      await expectAll(world, log);
    });
  }

  it('is found whichever bit has flipped', async () => {
    const { world: start } = await written();
    const random = new Random(propertySeed('flipped bits'));
    const { name, bytes } = start.files('acme').files[0] ?? { name: '', bytes: 0 };
    for (let i = 0; i < 60; i++) {
      const world = await ParquetWorld.open(start.disk.afterKill());
      const content = world.disk.bytes(world.files('acme').pathOf(name));
      const at = random.below(bytes);
      content[at] = (content[at] ?? 0) ^ (1 << random.below(8));
      expect([at, await world.compact('acme')]).toEqual([
        at,
        expect.objectContaining({ damaged: 1 }),
      ]);
    }
  });

  it('is made again under a name of its own, beside one that is still kept', async () => {
    expect.hasAssertions();
    const { log, world } = await written();
    await world.compact('acme');
    const merged = world.files('acme').lastPosition;
    appendSome(log, new Random(4), 30);
    await world.write(log);
    await world.compact('acme', 'fullcompaction');
    world.disk.remove(world.files('acme').pathOf(world.files('acme').files[0]?.name ?? ''));
    const again = await ParquetWorld.open(world.disk, world.nowMs);
    const sink = new ParquetSink(again);
    const frames = log.frames.filter(({ position }) => position > again.folder.position);
    await sink.apply(
      frames.filter(({ position }) => position <= merged),
      log.logIdHex,
    );
    await sink.flush();
    await again.write(log);
    again.nowMs += RETIRED_KEEP_MS;
    await again.files('acme').sweep();
    await expectAll(again, log);
  });

  it('is found at the next start when its length is wrong or it is gone', async () => {
    for (const what of ['it is cut short', 'it is deleted']) {
      const { log, world } = await written();
      const { name } = world.files('acme').files.at(-1) ?? { name: '' };
      DAMAGES[what]?.(world, world.files('acme').pathOf(name));
      const again = await ParquetWorld.open(world.disk);
      expect(again.warnings).toEqual([expect.stringContaining(name)]);
      await again.write(log);
      await expectAll(again, log);
    }
  });

  it('may be a manifest or the position: what it spoke of is written again', async () => {
    const { log, world } = await written();
    for (const name of ['manifests/acme.json', 'manifests/+other.json', 'position.json']) {
      for (const damage of Object.values(DAMAGES)) {
        damage(world, name);
        const again = await ParquetWorld.open(world.disk);
        expect(again.warnings).toHaveLength(1);
        await again.write(log);
        expect(again.folder.position).toBe(log.head);
        await expectAll(again, log);
      }
    }
  });
});

const CHANGES = ['write', 'datasync', 'create', 'rename', 'unlink', 'syncFolder'];

/** What a kill leaves, and what losses of power leave: nothing that was not synced, only the newest of it, and some of it. */
function disksAfter(disk: SimulatedDisk, random: SeededRandom): SimulatedDisk[] {
  const losses = [survivalOf(() => false), survivalOf((n) => n === disk.operations), random];
  return [disk.afterKill(), ...losses.map((loss) => disk.afterPowerLoss(loss))];
}

/** Runs `work` and stops the disk at its n-th change: that call and all after it fail. False when the work ended before. */
async function stoppedAt(world: ParquetWorld, n: number, work: () => Promise<unknown>) {
  let seen = 0;
  world.disk.onCall = (call) => {
    if (CHANGES.includes(call)) seen += 1;
    if (seen >= n) throw Object.assign(new RangeError('EIO: stopped'), { code: 'EIO' });
  };
  try {
    await work();
    return seen >= n;
  } catch (error) {
    if ((error as { code?: string }).code !== 'EIO') throw error;
    return true;
  } finally {
    world.disk.onCall = () => undefined;
  }
}

/** The folder whose names must be durable before this call. */
function restsOn(call: string, name: string): string | null {
  if (call === 'unlink') return name.endsWith('.parquet') ? 'manifests' : null;
  if (call !== 'rename') return null;
  if (name.startsWith('manifests/')) return 'tenants/';
  return name.startsWith('position.json') ? 'manifests' : null;
}

describe('a crash', () => {
  // The simulated disk syncs all folders at once, so what rests on which folder is looked at call by call.
  it('finds the names of a folder synced before anything rests on them', async () => {
    const log = new GeneratedLog(5);
    appendSome(log, new Random(5), 40);
    const world = await ParquetWorld.open();
    const unsynced = new Set<string>();
    const early: string[] = [];
    world.disk.onCall = (call, name) => {
      if (call === 'syncFolder') unsynced.delete(name);
      const base = restsOn(call, name);
      if (base !== null && [...unsynced].some((folder) => folder.startsWith(base)))
        early.push(`${call} ${name}`);
      if (call === 'rename') unsynced.add(name.slice(0, Math.max(0, name.lastIndexOf('/'))));
    };
    await world.write(log, 10);
    await world.compact('acme');
    world.nowMs += RETIRED_KEEP_MS;
    await world.files('acme').sweep();
    expect(early).toEqual([]);
  });

  it('at any point of a compaction leaves the old files or the new ones', async () => {
    const { log, world: start } = await written(5, 15, 5);
    const random = new SeededRandom(propertySeed('crash in a compaction'));
    let [old, fresh] = [0, 0];
    let n = 1;
    for (let isStopped = true; isStopped; n++) {
      const world = await ParquetWorld.open(start.disk.afterKill());
      const filesBefore = world.files('acme').files.length;
      isStopped = await stoppedAt(world, n, async () => {
        await world.compact('acme');
        world.nowMs += RETIRED_KEEP_MS;
        await world.files('acme').sweep();
      });
      for (const disk of disksAfter(world.disk, random)) {
        const after = await ParquetWorld.open(disk);
        expect(after.warnings).toEqual([]);
        const { files } = after.files('acme');
        expect([1, filesBefore]).toContain(files.length);
        if (files.length === 1) fresh += 1;
        else old += 1;
        expect(after.folder.position).toBe(log.head);
        expect(await after.events('acme')).toEqual(expectedOf(log, 'acme'));
        await expectNothingLeftOver(after);
        await after.compact('acme');
        expect(await after.events('acme')).toEqual(expectedOf(log, 'acme'));
      }
    }
    console.info(`${n - 1} points of a crash: ${old} left the old files, ${fresh} the new one`);
    expect(Math.min(old, fresh)).toBeGreaterThan(3);
  });

  it('at any point of the writing loses and repeats nothing', async () => {
    const log = new GeneratedLog(11);
    appendSome(log, new Random(11), 6);
    const random = new SeededRandom(propertySeed('crash in the writing'));
    for (let n = 1, isStopped = true; isStopped; n++) {
      const world = await ParquetWorld.open();
      isStopped = await stoppedAt(world, n, () => world.write(log, 3));
      for (const disk of disksAfter(world.disk, random)) {
        const after = await ParquetWorld.open(disk);
        for (const tenant of TENANTS) {
          const { position } = after.folder;
          const upTo = (await after.events(tenant)).filter((event) => event.position <= position);
          expect(upTo).toEqual(expectedOf(log, tenant, position));
        }
        await after.write(log, 5);
        await expectAll(after, log);
        await expectNothingLeftOver(after);
      }
    }
  });

  it('while a lost file is made again loses and repeats nothing', async () => {
    expect.hasAssertions();
    const { log, world: start } = await written(12, 18, 6);
    const random = new SeededRandom(propertySeed('crash in a repair'));
    const { name } = start.files('acme').files[1] ?? { name: '' };
    for (let n = 1, isStopped = true; isStopped; n++) {
      const disk = start.disk.afterKill();
      DAMAGES['a bit is flipped']?.({ disk } as ParquetWorld, start.files('acme').pathOf(name));
      const world = await ParquetWorld.open(disk);
      isStopped = await stoppedAt(world, n, async () => {
        await world.compact('acme');
        await world.write(log, 9);
      });
      for (const left of disksAfter(disk, random)) {
        const after = await ParquetWorld.open(left);
        await after.compact('acme', 'fullcompaction');
        await after.write(log, 9);
        await expectAll(after, log);
      }
    }
  });
});

/** Every file of the folders counts, or is kept for those who know it. */
async function expectNothingLeftOver(world: ParquetWorld): Promise<void> {
  const names = [...world.disk.names.keys()];
  expect(names.filter((name) => name.endsWith('.draft'))).toEqual([]);
  expect(names.filter((name) => !/^(tenants|manifests|position\.json)/.test(name))).toEqual([]);
}
