/**
 * R1: core is killed with SIGKILL at random moments while clients append, also while it starts, and is started again on the same folder. No acknowledged append
 * is lost, none is stored twice by a retry, positions and versions have no gaps, and payloads come back byte for byte.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { AppendLoad, auditOfKeyedAppends, brokenPromises } from '../support/append-load.ts';
import { CoreProcess } from '../support/core-process.ts';
import { isLong, medianAndMax, pause, report, seed } from '../support/fault-run.ts';

const KILLS = isLong ? 1_000 : 5;
const CLIENTS = 16;
const APPENDS_BETWEEN_KILLS_MAX = isLong ? 800 : 400;
const START_MS_MAX = 400;
const core = new CoreProcess({ environment: { ALLSOURCE_SEGMENT_BYTES: String(1024 * 1024) } });

afterEach(() => core.remove());

async function killDuringStart(afterMs: number): Promise<void> {
  core.spawn();
  await pause(afterMs);
  await core.kill();
}

describe('core, killed with SIGKILL while 16 clients append', () => {
  it(`${KILLS} times keeps every acknowledged append once, in its place`, async () => {
    const random = new SeededRandom(seed);
    const load = new AppendLoad({ core, clients: CLIENTS, name: `kill-${seed}` });
    const audit = auditOfKeyedAppends();
    const readyMs = [await core.start()];
    load.start();
    let startKills = 0;
    for (let kill = 1; kill <= KILLS; kill++) {
      const target = load.acknowledged.length + 1 + random.below(APPENDS_BETWEEN_KILLS_MAX);
      await load.reach(target);
      await pause(random.below(4));
      await core.kill();
      if (kill < KILLS && random.below(4) === 0) {
        kill += 1;
        startKills += 1;
        await killDuringStart(random.below(START_MS_MAX));
      }
      const promised = [...load.acknowledged];
      readyMs.push(await core.start());
      await audit.read(core);
      expect({ kill, broken: brokenPromises(promised, audit) }).toEqual({ kill, broken: [] });
    }
    await load.finish();
    expect(await core.stop()).toBe(0);
    await core.start();
    const final = auditOfKeyedAppends();
    await final.read(core);
    report('R1 kill -9', {
      kills: KILLS,
      'of them during a start': startKills,
      'acknowledged appends': load.acknowledged.length,
      events: load.acknowledgedEvents,
      'answers lost': load.lostAnswers,
      'found stored by a retry': load.replays,
      'ready after': medianAndMax(readyMs),
    });
    expect(load.faults).toEqual([]);
    expect([...audit.faults, ...final.faults]).toEqual([]);
    expect(brokenPromises(load.acknowledged, final)).toEqual([]);
    expect(new Set(final.commits.keys())).toEqual(new Set(load.acknowledged.map(({ key }) => key)));
    expect(final.events).toBe(load.acknowledgedEvents);
    expect(load.lostAnswers).toBeGreaterThan(0);
  }, 3_600_000);
});
