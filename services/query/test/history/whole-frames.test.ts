import { expect, it } from '@jest/globals';
import { createLogFollower, type FrameSink } from '@allsource/service-kit/feed';
import { createLogger } from '@allsource/service-kit/observability';
import { type Position, position } from '@allsource/shared/model';
import { type GeneratedLog, randomLog } from '../support/generated-log.ts';
import { LogFeed } from '../support/log-feed.ts';
import { modelSelect, plain, randomSelection } from '../support/model-selection.ts';
import { propertySeed, Random } from '../support/random.ts';
import { openReadSide, type ReadSide } from '../support/read-side.ts';
import { withFolder } from '../support/temporary-folder.ts';

const RESTARTS = 5;
const WAIT_MS = 120_000;

interface Round {
  readonly random: Random;
  readonly log: GeneratedLog;
  readonly folder: string;
  readonly blockEvents: number;
}

/** As many small frames as large ones: 1 to 5,000 events. */
function frameEvents(random: Random): number {
  return Math.max(1, Math.floor(5_000 ** random.next()));
}

/** A sink that counts how often it is emptied. */
function countingSink({ history }: ReadSide, onReset: () => void): FrameSink {
  return {
    get appliedPosition() {
      return history.appliedPosition;
    },
    get logId() {
      return history.logId;
    },
    apply: (frames, logId) => history.apply(frames, logId),
    advance: (to, logId) => history.advance(to, logId),
    reset() {
      onReset();
      return history.reset();
    },
  };
}

/** Follows the feed at least up to `target`, on a history opened from its files, and stops. Returns where the history stood first. */
async function followOnce(round: Round, feed: LogFeed, target: Position): Promise<Position> {
  const side = await openReadSide(round.folder, round.blockEvents);
  const { history } = side;
  const start = history.appliedPosition;
  let resets = 0;
  const follower = createLogFollower({
    coreUrl: feed.url,
    internalToken: 'a-token-of-the-tests',
    sink: countingSink(side, () => resets++),
    logger: createLogger('query', 'silent'),
  });
  follower.start();
  const isReached = await follower.waitFor(target, WAIT_MS);
  await follower.close();
  expect({ isReached, resets, warnings: side.warnings }).toEqual({
    isReached: true,
    resets: 0,
    warnings: [],
  });
  requireModel(round, side);
  await history.close();
  return start;
}

/** Every answer is the one of a list of the events applied so far. */
function requireModel({ random, log }: Round, { history }: ReadSide): void {
  const applied = log.events.filter((event) => event.position <= history.appliedPosition);
  for (let query = 0; query < 8; query++) {
    const selection = randomSelection(random, log);
    const found = JSON.stringify([...history.select(selection)].map(plain));
    const isEqual = found === JSON.stringify(modelSelect(applied, selection));
    expect({ selection, isEqual }).toEqual({ selection, isEqual: true });
  }
}

it('goes on right behind its last block after any restart, whatever the sizes of frames and blocks', async () => {
  const seed = propertySeed('whole frames');
  const random = new Random(seed);
  for (let i = 0; i < 6; i++) {
    const log = randomLog({ seed: seed + i, events: 8_000, pastShare: 0.1, frameEvents });
    const ends = new Set([0, ...log.frames.map((frame) => frame.lastPosition)]);
    const feed = new LogFeed(log);
    await feed.listen();
    await withFolder(async (folder) => {
      const round = { random, log, folder, blockEvents: frameEvents(random) };
      for (let run = 0; run <= RESTARTS; run++) {
        feed.show(Math.ceil((log.frames.length * (run + 1)) / (RESTARTS + 1)));
        const target = run === RESTARTS ? feed.head : random.below(feed.head + 1);
        const start = await followOnce(round, feed, position(target));
        expect(ends).toContain(start);
        // The frame that the last block ends with is asked for once more, to be checked against the block's log.
        const opened = feed.feedsFrom.splice(0);
        expect(opened.every((from) => from === Math.max(1, start))).toBe(true);
      }
    });
    await feed.close();
  }
});
