import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { micros, position } from '@allsource/shared/model';
import { CHANGING_CALLS, diskError, SeededRandom, SimulatedDisk } from '@allsource/testkit';
import type { JournalSnapshot } from '../../src/append/journal.ts';
import { CheckpointFolder } from '../../src/checkpoint/checkpoint-folder.ts';
import type { CheckpointNotice } from '../../src/checkpoint/checkpoint-notice.ts';
import { Checkpointer } from '../../src/checkpoint/checkpointer.ts';
import { StoredCheckpoint } from '../../src/checkpoint/stored-checkpoint.ts';
import type { CheckpointSection } from '../../src/storage/checkpoint-port.ts';
import {
  type BuilderName,
  CheckpointWorld,
  interrupted,
  type OpenCore,
} from './checkpoint-world.ts';

const IS_LONG = process.env['ALLSOURCE_TEST_FAULTS'] === 'long';
const SEEDS = IS_LONG ? 200 : 4;
const CRASH_SEEDS = IS_LONG ? 20 : 2;
const NOW = micros(1_800_000_000_000_000);

class Folder {
  readonly notices: CheckpointNotice[] = [];
  readonly folder: CheckpointFolder;
  readonly disk: SimulatedDisk;

  constructor(disk = new SimulatedDisk()) {
    this.disk = disk;
    this.folder = new CheckpointFolder(disk, (notice) => this.notices.push(notice));
  }

  get names(): string[] {
    return [...this.disk.names.keys()].sort();
  }

  get setAside(): string[] {
    return this.notices.flatMap((n) => (n.kind === 'checkpoint_set_aside' ? [n.reason] : []));
  }

  /** Opens a world from the newest checkpoint that can be used; says where the replay began. */
  async start(world: CheckpointWorld): Promise<OpenCore> {
    return this.folder.startFrom((saved) => world.open(saved));
  }
}

describe.each<[BuilderName]>([['kernel'], ['typescript']])('with the builder %s', (builder) => {
  it('a start from a checkpoint and the log behind it knows what a start from the whole log knows', async () => {
    const totals = {
      checkpoints: 0,
      worthless: 0,
      starts: 0,
      appended: 0,
      refused: 0,
      conflicts: 0,
      replays: 0,
    };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new CheckpointWorld(seed, builder);
      const { random } = world;
      const folder = new Folder();
      let core = await world.open();
      let newest = 0;
      await world.act(core, 30);
      for (let round = 0; round < 8; round++) {
        world.fullPercent = random.pick([0, 0, 20]);
        const running: Promise<void>[] = [world.act(core, random.below(20))];
        const snapshot = interrupted(core.journal.snapshot(), () => {
          if (random.below(3) === 0) running.push(world.act(core, random.below(6)));
        });
        const written = await folder.folder.write(snapshot, NOW);
        if (written === null) totals.worthless++;
        else totals.checkpoints++;
        await Promise.all(running);
        await world.act(core, random.below(30));
        const again = await folder.start(world);
        expect(await world.knowledge(again)).toEqual(await world.knowledge(await world.open()));
        newest = written?.position ?? newest;
        expect(again.journal.replayed.after).toBe(newest);
        totals.starts++;
        // Half of the times the restarted one goes on, so that checkpoints are made of what was loaded.
        if (random.below(2) === 0) core = again;
        else core = await world.open();
      }
      expect(folder.setAside).toEqual([]);
      expect(folder.names.filter((name) => !name.endsWith('.ckpt'))).toEqual([]);
      expect(folder.names.length).toBeLessThanOrEqual(2);
      for (const [what, count] of Object.entries(world.counts))
        totals[what as keyof typeof world.counts] += count;
    }
    console.log(
      `checkpoints with the builder ${builder}, seeds 1 to ${SEEDS}: ${JSON.stringify(totals)}`,
    );
    expect(totals.worthless).toBeGreaterThan(0);
  });
});

/** A world with two checkpoints and some log behind each. */
async function worldWithTwo(seed: number, builder: BuilderName = 'typescript') {
  const world = new CheckpointWorld(seed, builder);
  const core = await world.open();
  const folder = new Folder();
  const write = async () => {
    await world.act(core, 25);
    return must(await folder.folder.write(core.journal.snapshot(), NOW), 'a checkpoint');
  };
  const older = await write();
  const newer = await write();
  await world.act(core, 25);
  return { world, core, folder, older, newer };
}

function fileOf({ position: at }: { readonly position: number }): string {
  return `${String(at).padStart(20, '0')}.ckpt`;
}

describe('a crash at any call while a checkpoint is written', () => {
  it('leaves the checkpoints before or the whole new one, and never one that is set aside', async () => {
    const random = new SeededRandom(77);
    const counts = { crashes: 0, newest: 0, older: 0 };
    for (let seed = 1; seed <= CRASH_SEEDS; seed++) {
      const { world, core, folder, newer } = await worldWithTwo(seed);
      const knowledge = await world.knowledge(await world.open());
      const disks: SimulatedDisk[] = [];
      folder.disk.onCall = () => {
        disks.push(folder.disk.afterKill());
        for (let i = 0; i < 3; i++) disks.push(folder.disk.afterPowerLoss(random));
      };
      const newest = must(await folder.folder.write(core.journal.snapshot(), NOW), 'written');
      for (const disk of [...disks, folder.disk.afterPowerLoss(random)]) {
        const again = new Folder(disk);
        const started = await again.start(world);
        expect(await world.knowledge(started)).toEqual(knowledge);
        expect(again.setAside).toEqual([]);
        expect(again.names).not.toContain('writing.tmp');
        const { after } = started.journal.replayed;
        expect([newer.position, newest.position]).toContain(after);
        counts.crashes++;
        counts[after === newest.position ? 'newest' : 'older']++;
      }
    }
    console.log(
      `crashes while writing a checkpoint, seeds 1 to ${CRASH_SEEDS} and 77: ${JSON.stringify(counts)}`,
    );
    expect(Math.min(counts.newest, counts.older)).toBeGreaterThan(0);
  });

  it('or an error there is told, and the next checkpoint is written', async () => {
    let cases = 0;
    for (const code of ['EIO', 'ENOSPC'])
      for (let failing = 0; ; failing++, cases++) {
        const { world, core, folder } = await worldWithTwo(5);
        let calls = 0;
        folder.disk.onCall = (call, name) => {
          if (CHANGING_CALLS.includes(call) && calls++ === failing) throw diskError(code, name);
        };
        const outcome = await folder.folder
          .write(core.journal.snapshot(), NOW)
          .then(() => 'written', String);
        if (calls <= failing) break;
        expect(outcome === 'written' || outcome.includes(code)).toBe(true);
        folder.disk.onCall = () => undefined;
        const knowledge = await world.knowledge(await world.open());
        expect(await world.knowledge(await folder.start(world))).toEqual(knowledge);
        await world.act(core, 5);
        await folder.folder.write(core.journal.snapshot(), NOW);
        expect((await folder.start(world)).journal.replayed.frames).toBe(0);
        expect(folder.setAside).toEqual([]);
      }
    console.log(`errors while writing a checkpoint: ${cases} calls`);
  });
});

/** Sections that take anything, by the names of a world's own. */
function sinks(names: readonly string[]): CheckpointSection[] {
  return names.map((sectionName) => ({ sectionName, save: () => [], load: () => undefined }));
}

/** Takes the end of the log away, from a frame on. Returns the position that it ends at then. */
function cutAt(world: CheckpointWorld, index: number): number {
  world.log.frames.length = index;
  const { lastPosition, checksum } = must(world.log.frames.at(-1), 'a frame');
  world.log.head = { ...world.log.head, position: lastPosition, checksum };
  return lastPosition;
}

async function expectMissing(
  start: Promise<unknown>,
  { after, until }: { readonly after: number; readonly until: number },
): Promise<void> {
  await expect(start).rejects.toMatchObject({
    code: 'log_damaged',
    members: { first_position: after + 1, last_position: until },
  });
}

describe('a checkpoint that is not as it was written', () => {
  it('by a flip of any bit, by a cut at any byte or by bytes too many is refused', async () => {
    const { core, folder, newer } = await worldWithTwo(3, 'kernel');
    const sections = sinks(core.journal.snapshot().sections.map(({ name }) => name));
    const name = fileOf(newer);
    const load = async (disk: SimulatedDisk) =>
      (await StoredCheckpoint.open(disk, name)).loadInto(sections);
    await load(folder.disk);
    const random = new SeededRandom(9);
    const bytes = folder.disk.bytes(name);
    // The short run leaves out up to two bytes between those that it looks at; no field is as short.
    const step = (most: number) => (IS_LONG ? 1 : 1 + random.below(most));
    for (let at = 0; at < bytes.length; at += step(3)) {
      const bit = 1 << random.below(8);
      bytes[at] = (bytes[at] ?? 0) ^ bit;
      await expect(load(folder.disk)).rejects.toMatchObject({ name: 'UnusableCheckpoint' });
      bytes[at] = (bytes[at] ?? 0) ^ bit;
    }
    for (let length = 0; length < bytes.length; length += step(7)) {
      const disk = folder.disk.afterKill();
      disk.cut(name, length);
      await expect(load(disk)).rejects.toMatchObject({ name: 'UnusableCheckpoint' });
    }
    const file = await folder.disk.open(name, 'write');
    file.writeNow([Buffer.from('x')], bytes.length);
    await expect(load(folder.disk)).rejects.toMatchObject({ name: 'UnusableCheckpoint' });
    console.log(`a checkpoint of ${bytes.length} bytes: flipped and cut all over, seed 9`);
  });

  /** Each case spoils the newest checkpoint, or what it belongs to; the start then comes from the older one, or from the whole log. */
  const CASES: [string, (w: Awaited<ReturnType<typeof worldWithTwo>>) => void, 'older' | 'none'][] =
    [
      [
        'damaged in its middle',
        ({ folder, newer }) => {
          const bytes = folder.disk.bytes(fileOf(newer));
          const at = Math.floor(bytes.length / 2);
          bytes[at] = (bytes[at] ?? 0) ^ 4;
        },
        'older',
      ],
      ['cut short', ({ folder, newer }) => folder.disk.cut(fileOf(newer), 500), 'older'],
      ['empty', ({ folder, newer }) => folder.disk.cut(fileOf(newer), 0), 'older'],
      [
        'of a later format',
        ({ folder, newer }) => {
          folder.disk.bytes(fileOf(newer))[3] = 0x32;
        },
        'older',
      ],
      [
        'of another log',
        ({ world }) => {
          world.log.head = { ...world.log.head, logId: Buffer.from('another!') };
        },
        'none',
      ],
    ];

  it.each(CASES)(
    'because it is %s is set aside, and the start is as good',
    async (_, spoil, from) => {
      const made = await worldWithTwo(11);
      spoil(made);
      const { world, folder, older, newer } = made;
      const started = await folder.start(world);
      expect(started.journal.replayed.after).toBe(from === 'older' ? older.position : 0);
      expect(await world.knowledge(started)).toEqual(await world.knowledge(await world.open()));
      expect(folder.setAside).toHaveLength(from === 'older' ? 1 : 2);
      expect(folder.names).toContain(`${fileOf(newer)}.set-aside`);
    },
  );

  it('that is ahead of a log that has lost its end is believed: the log is damaged', async () => {
    const { world, folder, newer } = await worldWithTwo(11);
    const end = world.log.frames.findIndex((frame) => frame.lastPosition >= newer.position);
    const last = cutAt(world, end);
    await expectMissing(folder.start(world), { after: last, until: newer.position });
    expect(folder.setAside).toEqual([]);
  });

  it('that knows of commits that the log has lost is believed: the log is damaged', async () => {
    const world = new CheckpointWorld(21, 'kernel');
    const core = await world.open();
    const folder = new Folder();
    await world.act(core, 20);
    const at = core.journal.head;
    const running: Promise<void>[] = [];
    await folder.folder.write(
      interrupted(core.journal.snapshot(), () => running.push(world.act(core, 4))),
      NOW,
    );
    await Promise.all(running);
    const end = world.log.frames.findIndex((frame) => frame.lastPosition > at + 5);
    const until = must(world.log.frames.at(-1), 'a frame').lastPosition;
    await expectMissing(folder.start(world), { after: cutAt(world, end), until });
    expect(folder.setAside).toEqual([]);
  });

  it('because another builder made it is set aside', async () => {
    const { folder } = await worldWithTwo(13, 'typescript');
    const world = new CheckpointWorld(13, 'kernel');
    const core = await world.open();
    await world.act(core, 10);
    await folder.start(world);
    expect(folder.setAside).toHaveLength(2);
  });
});

describe('checkpoints', () => {
  it('are written whenever enough of the log has come, and at the end; a full disk only puts them off', async () => {
    const world = new CheckpointWorld(31, 'typescript');
    const core = await world.open();
    const folder = new Folder();
    const checkpointer = new Checkpointer({
      journal: core.journal,
      folder: folder.folder,
      everyBytes: 20_000,
      lastBytes: 0,
      clock: { nowMicros: () => NOW },
      nowMs: () => 0,
      onNotice: (notice) => folder.notices.push(notice),
    });
    const kinds = () => folder.notices.map(({ kind }) => kind);
    const isFull = (full: boolean) => {
      folder.disk.onCall = (call, name) => {
        if (full && call === 'write') throw diskError('ENOSPC', name);
      };
    };
    const until = async (kind: CheckpointNotice['kind'], count: number) => {
      while (kinds().filter((k) => k === kind).length < count) await world.act(core, 4);
    };
    await until('checkpoint_written', 3);
    isFull(true);
    await until('checkpoint_failed', 2);
    isFull(false);
    await until('checkpoint_written', 5);
    await world.act(core, 2);
    await checkpointer.close();
    await checkpointer.close();
    expect(folder.names).toHaveLength(2);
    const again = await folder.start(world);
    expect(again.journal.replayed).toMatchObject({ after: core.journal.head, frames: 0 });
    expect(await world.knowledge(again)).toEqual(await world.knowledge(await world.open()));
  });

  it('have pinned bytes: changing them needs another format version', async () => {
    const logId = Buffer.from('a11500ceb0017e57', 'hex');
    const snapshot: JournalSnapshot = {
      anchor: { logId, position: position(41), checksum: 7 },
      recordedAt: micros(1_700_000_000_000_000),
      sections: [
        { name: 'one/1', parts: [Buffer.from('first'), Buffer.alloc(0)] },
        { name: 'sixteen-letters!', parts: [Buffer.from('second part')] },
      ],
      settled: async () => ({ logId, position: position(43), checksum: 0xdeadbeef }),
    };
    const { disk, folder } = new Folder();
    await folder.write(snapshot, micros(1_700_000_001_000_000));
    const bytes = disk.bytes('00000000000000000041.ckpt');
    expect(bytes.length).toBe(216);
    expect(bytes.toString('hex', 0, 48)).toBe(
      '41534331c1b5d914a11500ceb0017e572900000000000000070000000000000000401e18240a060040822d18240a0600',
    );
    expect(bytes.toString('latin1', 64, 93)).toBe(
      'one/1'.padEnd(16, '\0') + bytes.toString('latin1', 80, 88) + 'first',
    );
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      '31f7fd3665b7360dfc9b1e52c5e83284f53ab8ad711994c7b468cf5c0e6b1c3e',
    );
  });
});
