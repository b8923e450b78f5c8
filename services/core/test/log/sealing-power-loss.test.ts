import { describe, expect, it } from '@jest/globals';
import { position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { CHANGING_CALLS, diskError, isLong, SeededRandom, SimulatedDisk } from '@allsource/testkit';
import type { FileLogStore } from '../../src/log/file-log-store.ts';
import { bytesOf, collect, SAMPLE_LOG_ID, SampleFrames } from './sample-frames.ts';
import { framesBehind, openedStore } from './sealing-world.ts';

const SEEDS = isLong ? 600 : 20;
const LIVES = 5;
const SEGMENT_BYTES = 3 * 4096;

/** What the world outside knows of a log. */
class Expected {
  acknowledged: Frame[] = [];
  attempted: Frame[] = [];

  async append(store: FileLogStore, random: SeededRandom): Promise<boolean> {
    const maker =
      this.acknowledged.length === 0
        ? new SampleFrames({ logId: SAMPLE_LOG_ID, position: position(0), checksum: 0 })
        : framesBehind(this.acknowledged);
    const last = this.acknowledged.at(-1)?.lastPosition ?? position(0);
    this.attempted = Array.from({ length: 1 + random.below(4) }, () =>
      maker.next({
        durablePosition: last,
        events: 1 + random.below(3),
        payloadBytes: random.below(random.below(10) === 0 ? 20_000 : 1500),
      }),
    );
    if ((await store.append(this.attempted)).kind !== 'appended') return false;
    this.acknowledged.push(...this.attempted);
    this.attempted = [];
    return true;
  }
}

/** The log holds all that was acknowledged, and of what was attempted a prefix of whole frames, which counts from now on. */
function expectSound(frames: readonly Frame[], expected: Expected): void {
  const { acknowledged, attempted } = expected;
  expect(frames.length).toBeGreaterThanOrEqual(acknowledged.length);
  const known = [...acknowledged, ...attempted].slice(0, frames.length);
  expect(bytesOf(frames) === bytesOf(known)).toBe(true);
  expected.acknowledged = [...frames];
  expected.attempted = [];
}

describe('a loss of power while events are appended and segments are sealed', () => {
  it('at any call of the disk loses no acknowledged event', async () => {
    const counts = { losses: 0, sealed: 0, events: 0 };
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new SeededRandom(seed);
      const expected = new Expected();
      let disk = new SimulatedDisk();
      for (let life = 0; life < LIVES; life++) {
        disk = await liveUntilPowerLoss(disk, expected, random);
        counts.losses += 1;
      }
      const { store, frames } = await openedStore(disk, { segmentBytes: SEGMENT_BYTES });
      expectSound(frames, expected);
      await store.sealed();
      counts.sealed += disk.fileNames('.sealed').length;
      counts.events += frames.at(-1)?.lastPosition ?? 0;
      const read = await collect(store.read(position(1)));
      expect(bytesOf(read) === bytesOf(frames)).toBe(true);
      await store.close();
    }
    console.log(`power lost while sealing, seeds 1 to ${SEEDS}: ${JSON.stringify(counts)}`);
    expect(counts.sealed).toBeGreaterThan(SEEDS);
  });
});

/** Opens, appends and seals until a random call fails with the power. Returns the disk that is left. */
async function liveUntilPowerLoss(
  disk: SimulatedDisk,
  expected: Expected,
  random: SeededRandom,
): Promise<SimulatedDisk> {
  let callsLeft = random.below(250);
  let left: SimulatedDisk | null = null;
  disk.onCall = (call) => {
    if (!CHANGING_CALLS.includes(call) || callsLeft-- > 0) return;
    left ??= random.below(4) === 0 ? disk.afterKill() : disk.afterPowerLoss(random);
    throw diskError('EIO', call);
  };
  try {
    const { store, frames } = await openedStore(disk, { segmentBytes: SEGMENT_BYTES });
    expectSound(frames, expected);
    for (let i = 0; i < 80 && (await expected.append(store, random)); i++)
      for (let turns = random.below(6); turns > 0; turns--)
        await new Promise((resolve) => setImmediate(resolve));
    // What happens after the power is gone is no part of the story, but the handles are given back.
    left ??= disk.afterPowerLoss(random);
    await store.close();
  } catch (thrown) {
    if (left === null) throw thrown;
  }
  return left;
}
