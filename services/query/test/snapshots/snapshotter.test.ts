import { describe, expect, it } from '@jest/globals';
import { until } from '@allsource/testkit';
import { SnapshotRuns } from '../../src/snapshots/snapshot-runs.ts';
import { Snapshotter, type WatchedHistory } from '../../src/snapshots/snapshotter.ts';
import { GeneratedLog } from '../support/generated-log.ts';
import { follow, openReadSide, type ReadSide } from '../support/read-side.ts';
import { HandClock, openSnapshots, type SnapshotWorld } from '../support/snapshot-world.ts';
import { withFolder } from '../support/temporary-folder.ts';

interface World extends ReadSide, SnapshotWorld {
  readonly log: GeneratedLog;
  readonly clock: HandClock;
  readonly gate: { isBehind: boolean };
  readonly snapshotter: (history?: WatchedHistory) => Snapshotter;
  /** Appends events of an entity, and the history follows. */
  readonly append: (tenant: string, entity: string, count: number) => Promise<void>;
  /** The versions of the snapshots of an entity, the newest first. */
  readonly versions: (tenant: string, entity: string) => number[];
}

const FRAME_EVENTS = 13;

/** A history in blocks of 150 events, so that most of it lies in files. */
async function withWorld(use: (world: World) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const side = await openReadSide(folder, 150);
    const clock = new HandClock();
    const opened = openSnapshots(folder, side, clock);
    const log = new GeneratedLog();
    const gate = { isBehind: false };
    const world: World = {
      ...side,
      ...opened,
      log,
      clock,
      gate,
      snapshotter: (history = side.history) =>
        new Snapshotter({
          ...side,
          history,
          ...opened,
          everyEvents: 100,
          ageMs: 3_600_000,
          isBehind: () => gate.isBehind,
          clock,
          logger: { warn: () => {} },
        }),
      append: async (tenant, entity, count) => {
        for (let n = 0; n < count; n += FRAME_EVENTS) {
          const events = Math.min(FRAME_EVENTS, count - n);
          const draft = (_: unknown, i: number) => ({
            type: 'a',
            entity,
            payload: `{"n":${n + i}}`,
          });
          log.commit(tenant, Array.from({ length: events }, draft));
        }
        await follow(side.history, log);
      },
      versions: (tenant, entity) =>
        opened.snapshots
          .list({ tenant, entity, limit: 100, before: Number.MAX_SAFE_INTEGER })
          .entries.map(({ last }) => last.version),
    };
    await use(world);
    await side.history.close();
    opened.store.close();
  });
}

describe('snapshots that the store takes by itself', () => {
  it('come when an entity passes another hundred events, each time for where it is then', async () => {
    await withWorld(async ({ snapshotter, append, versions, kept }) => {
      const automatic = snapshotter();
      await automatic.round();
      await append('acme', 'slow', 99);
      await append('acme', 'fast', 130);
      await append('globex', 'slow', 100);
      await automatic.round();
      expect([
        versions('acme', 'slow'),
        versions('acme', 'fast'),
        versions('globex', 'slow'),
      ]).toEqual([[], [130], [100]]);
      await automatic.round();
      expect(kept).toEqual(['automatic', 'automatic']);
      await append('acme', 'slow', 1);
      await append('acme', 'fast', 69);
      await automatic.round();
      expect([versions('acme', 'slow'), versions('acme', 'fast')]).toEqual([[100], [130]]);
      await append('acme', 'fast', 1);
      await automatic.round();
      expect(versions('acme', 'fast')).toEqual([200, 130]);
      await append('acme', 'fast', 500);
      await automatic.round();
      expect(versions('acme', 'fast')).toEqual([700, 200, 130]);
    });
  });

  it('are found missing after a start, from the catalog, and not taken twice', async () => {
    await withWorld(async ({ snapshotter, append, versions, history, kept }) => {
      await append('acme', 'a', 250);
      await append('acme', 'b', 99);
      // Whoever goes by the catalog reads no rows: those of events long ago would push others out of memory.
      let looks = 0;
      const { appliedPosition } = history;
      const watched = {
        appliedPosition,
        runs: () => {
          looks++;
          return history.runs();
        },
      };
      await snapshotter(watched).round();
      expect([versions('acme', 'a'), versions('acme', 'b'), looks]).toEqual([[250], [], 0]);
      await snapshotter(watched).round();
      expect(kept).toEqual(['automatic']);
    });
  });

  it('replace one of an hour ago when events have come since, and only then', async () => {
    await withWorld(async ({ snapshotter, append, versions, clock, kept }) => {
      const automatic = snapshotter();
      await append('acme', 'a', 100);
      await append('acme', 'quiet', 100);
      await automatic.round();
      await append('acme', 'a', 5);
      clock.ms += 3_599_000;
      await automatic.round();
      expect(versions('acme', 'a')).toEqual([100]);
      clock.ms += 2_000;
      await automatic.round();
      expect([versions('acme', 'a'), versions('acme', 'quiet')]).toEqual([[105, 100], [100]]);
      await automatic.round();
      expect(kept.length).toBe(3);
    });
  });

  it('wait while the history is behind the log, and lose nothing by it', async () => {
    await withWorld(async ({ snapshotter, append, versions, gate }) => {
      const automatic = snapshotter();
      gate.isBehind = true;
      await append('acme', 'a', 300);
      await automatic.round();
      expect(versions('acme', 'a')).toEqual([]);
      gate.isBehind = false;
      await automatic.round();
      gate.isBehind = true;
      await append('acme', 'a', 300);
      await automatic.round();
      gate.isBehind = false;
      await automatic.round();
      expect(versions('acme', 'a')).toEqual([600, 300]);
    });
  });

  it('are taken anew of a history that was emptied', async () => {
    await withWorld(async ({ snapshotter, append, versions, history, store, log }) => {
      const automatic = snapshotter();
      await append('acme', 'a', 200);
      await automatic.round();
      await history.reset();
      store.clear();
      expect(versions('acme', 'a')).toEqual([]);
      await automatic.round();
      await follow(history, log);
      await automatic.round();
      expect(versions('acme', 'a')).toEqual([200]);
    });
  });
});

describe('a run over all entities of a tenant', () => {
  it('takes one of each that has events since its newest, and says how far it is', async () => {
    await withWorld(async ({ append, versions, history, catalog, snapshots, clock }) => {
      for (let n = 0; n < 100; n++) await append('acme', `e-${n}`, 1 + (n % 3));
      await append('globex', 'theirs', 3);
      const runs = new SnapshotRuns({ history, catalog, snapshots, clock });
      const run = runs.start('acme');
      expect(() => runs.start('acme')).toThrow('being taken already');
      expect(runs.find('globex', run.id)).toBeNull();
      await until(() => run.completedMs !== null);
      expect(runs.find('acme', run.id)).toMatchObject({
        status: 'completed',
        entityCount: 100,
        entitiesDone: 100,
        taken: 100,
        unchanged: 0,
      });
      expect([versions('acme', 'e-2'), versions('globex', 'theirs')]).toEqual([[3], []]);
      await append('acme', 'e-2', 1);
      const again = runs.start('acme');
      await until(() => again.completedMs !== null);
      expect(again).toMatchObject({ taken: 1, unchanged: 99 });
      expect(versions('acme', 'e-2')).toEqual([4, 3]);
      await runs.close();
    });
  });

  it('ends with the service, and says that it is not complete', async () => {
    await withWorld(async ({ append, history, catalog, snapshots, clock }) => {
      for (let n = 0; n < 50; n++) await append('acme', `e-${n}`, 1);
      const runs = new SnapshotRuns({ history, catalog, snapshots, clock });
      const run = runs.start('acme');
      await runs.close();
      expect(run).toMatchObject({ status: 'failed', error: expect.stringContaining('stops') });
    });
  });
});
