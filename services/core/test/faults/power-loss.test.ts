/**
 * R2: the power fails at a random call of the disk, of appends, rolls and recoveries, again and again in the life of one log. What was not synced is kept, dropped, torn at 512
 * bytes and reordered, files and their names alike; grown files may show old data. Some lives end with the process alone: what it had not synced is all there for the next one, and gone
 * with a later loss of power unless that one has synced it.
 */
import { describe, expect, it } from '@jest/globals';
import { diskError, eachSeed, report, SeededRandom, SimulatedDisk } from '@allsource/testkit';
import {
  type Expectation,
  expectSound,
  NOTHING,
  openedLog,
  PAGE_BYTES,
  SampleWriter,
} from './sample-writer.ts';

const FILE = 'services/core/test/faults/power-loss.test.ts';
const LIVES = 4;
const CALLS_MAX = 500;

interface Crash {
  readonly kind: 'losses' | 'kills';
  readonly hasHappened: () => boolean;
  /** The disk that the crash left; the one of a crash right now if the moment never came. */
  readonly diskAfter: () => SimulatedDisk;
}

/** Arms a disk to lose its power or its process at a random call and to fail from then on. */
function crashOf(disk: SimulatedDisk, random: SeededRandom): Crash {
  const kind = random.below(3) === 0 ? 'kills' : 'losses';
  const leave = () => (kind === 'kills' ? disk.afterKill() : disk.afterPowerLoss(random));
  let callsLeft = random.below(CALLS_MAX);
  let after: SimulatedDisk | null = null;
  disk.onCall = (call) => {
    if (callsLeft-- > 0) return;
    after ??= leave();
    throw diskError('EIO', call);
  };
  return { kind, hasHappened: () => after !== null, diskAfter: () => after ?? leave() };
}

describe('R2: a loss of power', () => {
  it('at any call, of appends, rolls and recoveries, loses no acknowledged event', async () => {
    const counts = {
      losses: 0,
      kills: 0,
      'in an append': 0,
      'in a recovery': 0,
      'events kept': 0,
    };
    const seeds = await eachSeed({ file: FILE, short: 120, long: 10_000 }, async (seed) => {
      const random = new SeededRandom(seed);
      const segmentBytes = (2 + random.below(4)) * PAGE_BYTES;
      let disk = new SimulatedDisk();
      let expected: Expectation = NOTHING;
      for (let life = 0; life < LIVES; life++) {
        const crash = crashOf(disk, random);
        let writer: SampleWriter | null = null;
        try {
          const log = await openedLog(disk, segmentBytes);
          expectSound(log.frames, expected);
          writer = new SampleWriter({ ...log, random });
          while ((await writer.append()) === 'appended');
          expect(crash.hasHappened()).toBe(true);
        } catch (thrown) {
          if (!crash.hasHappened()) throw thrown;
        }
        counts[crash.kind] += 1;
        counts[writer === null ? 'in a recovery' : 'in an append'] += 1;
        // A recovery that the crash has cut has acknowledged nothing and was shown to nobody.
        if (writer !== null) expected = writer.expectation();
        disk = crash.diskAfter();
      }
      const last = await openedLog(disk, segmentBytes);
      expectSound(last.frames, expected);
      counts['events kept'] += last.head.position;
      await last.store.close();
    });
    expect(counts.losses + counts.kills).toBe(seeds * LIVES);
    report('R2 power loss', { seeds, ...counts });
  }, 1_200_000);
});
