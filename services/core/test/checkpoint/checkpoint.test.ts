import { describe, expect, it } from '@jest/globals';
import { micros } from '@allsource/shared/model';
import { CheckpointFolder } from '../../src/checkpoint/checkpoint-folder.ts';
import type { CheckpointNotice } from '../../src/checkpoint/checkpoint-notice.ts';
import { SimulatedDisk } from '../log/simulated-disk.ts';
import {
  type BuilderName,
  CheckpointWorld,
  interrupted,
  type OpenCore,
} from './checkpoint-world.ts';

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
    for (let seed = 1; seed <= 12; seed++) {
      const world = new CheckpointWorld(seed, builder);
      const { random } = world;
      const folder = new Folder();
      let core = await world.open();
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
        if (written !== null) expect(again.journal.replayed.after).toBe(written.position);
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
      `checkpoints with the builder ${builder}, seeds 1 to 12: ${JSON.stringify(totals)}`,
    );
    expect(totals.worthless).toBeGreaterThan(0);
  });
});
