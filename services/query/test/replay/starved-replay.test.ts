/** A process of a replay that has had no processor time goes on in another one. Here each counts as starved when it is looked at, wherever it is then. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ReplayProcess } from '../../src/replay/replay-process.ts';
import type { ReplayJob } from '../../src/replay/replay-protocol.ts';
import { GeneratedLog } from '../support/generated-log.ts';
import { LogFeed } from '../support/log-feed.ts';
import { withFolder } from '../support/temporary-folder.ts';

const COMMITS = 400;
const EVENTS_A_COMMIT = 50;
const EVENTS = COMMITS * EVENTS_A_COMMIT;
/** At this rate it takes a second. */
const EVENTS_PER_SECOND = 20_000;
const KEYS = 300;

const log = new GeneratedLog();
const feed = new LogFeed(log);

beforeAll(async () => {
  for (let commit = 0; commit < COMMITS; commit++)
    log.commit(
      'acme',
      Array.from({ length: EVENTS_A_COMMIT }, (_, i) => ({
        type: 'order.placed',
        entity: `order-${(commit * EVENTS_A_COMMIT + i) % KEYS}`,
        payload: `{"n":${commit * EVENTS_A_COMMIT + i}}`,
      })),
    );
  feed.show(COMMITS);
  await feed.listen();
});
afterAll(() => feed.close());

function jobIn(folder: string): ReplayJob {
  return {
    shadowFile: join(folder, 'shadow.sqlite'),
    projectionsFile: join(folder, 'projections.sqlite'),
    coreUrl: feed.url,
    internalToken: 'token-of-the-test',
    tenant: 'acme',
    projections: ['entity_snapshots', 'event_counters'],
    filter: { entity: null, types: null, from: null, to: null },
    share: { index: 0, count: 1 },
    generation: null,
    batchEvents: 100,
    eventsPerSecond: EVENTS_PER_SECOND,
    progressEvents: 100,
  };
}

const STARVED_WHEREVER = {
  judgedOverMs: 0,
  readyShareMin: 0,
  ranShareMin: Number.POSITIVE_INFINITY,
};

interface Run {
  readonly computed: unknown;
  readonly starved: number;
  /** The largest number of events folded that was told. */
  readonly processed: number;
}

/** Folds everything in two steps and computes. The process has starved after so long. */
async function replay(starvedAfterMs: number): Promise<Run> {
  let starved = 0;
  let processed = 0;
  let computed: unknown;
  await withFolder(async (folder) => {
    const process = new ReplayProcess({
      job: jobIn(folder),
      onProgress: (count) => {
        processed = Math.max(processed, count);
      },
      onWaiting: () => undefined,
      onStarved: () => {
        starved += 1;
      },
      starvationRule: { ...STARVED_WHEREVER, lookEveryMs: starvedAfterMs },
    });
    try {
      for (const limit of [EVENTS / 2, EVENTS])
        expect(await process.tell({ kind: 'fold', limit })).toMatchObject({ kind: 'reached' });
      const keys = { entity_snapshots: ['order-7'] };
      computed = await process.tell({ kind: 'compute', keys });
    } finally {
      await process.stop();
    }
  });
  return { computed, starved, processed };
}

describe('a process of a replay that has starved', () => {
  it('goes on in another one, to the same end', async () => {
    const undisturbed = await replay(600_000);
    expect(undisturbed).toMatchObject({ starved: 0, processed: EVENTS });
    for (const afterMs of [1, 400, 1_000]) {
      const { computed, starved, processed } = await replay(afterMs);
      expect(starved).toBe(1);
      expect(processed).toBe(EVENTS);
      expect(computed).toEqual(undisturbed.computed);
    }
  });

  it('is not begun again when it is stopped meanwhile, and what it was told fails', async () => {
    await withFolder(async (folder) => {
      const stopped = Promise.withResolvers<void>();
      const process = new ReplayProcess({
        job: jobIn(folder),
        onProgress: () => undefined,
        onWaiting: () => undefined,
        onStarved: () => {
          // Its end has begun when this is called.
          setImmediate(() => stopped.resolve(process.stop()));
        },
        starvationRule: { ...STARVED_WHEREVER, lookEveryMs: 600 },
      });
      const told = process.tell({ kind: 'fold', limit: EVENTS });
      await expect(told).rejects.toThrow('the replay was stopped');
      await stopped.promise;
      const opened = feed.feedsFrom.length;
      await sleep(1_000);
      expect(feed.feedsFrom).toHaveLength(opened);
    });
  });
});
