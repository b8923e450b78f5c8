/**
 * R10: between restarts the clock of the machine jumps an hour back, a year forward and back again, while clients append. The order of the log is that of its positions: they and the versions go
 * on, recorded_at never decreases, and nothing acknowledged is lost.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { AppendLoad, auditOfKeyedAppends, brokenPromises } from '../support/append-load.ts';
import { CoreProcess } from '../support/core-process.ts';
import { findFakeClock } from '../support/fake-clock.ts';
import { isLong, report, reportNotTested, seed } from '../support/fault-run.ts';

const HOUR_MS = 3_600_000;
const OFFSETS = [
  { offset: '+0s', shiftMs: 0 },
  { offset: '-1h', shiftMs: -HOUR_MS },
  { offset: '+365d', shiftMs: 365 * 24 * HOUR_MS },
  { offset: '-1h', shiftMs: -HOUR_MS },
];
const ROUNDS = isLong ? 10 : 1;
const APPENDS = 100;
const CLIENTS = 8;

const clock = findFakeClock();
const suite = typeof clock === 'string' ? describe.skip : describe;
if (typeof clock === 'string') reportNotTested('R10 clock', clock);
const core = new CoreProcess();

afterEach(() => core.remove());

suite('core, started again after the clock has jumped', () => {
  it('goes on with positions and versions and never records an earlier time than before', async () => {
    if (typeof clock === 'string') return;
    const random = new SeededRandom(seed);
    const load = new AppendLoad({ core, clients: CLIENTS, name: `clock-${seed}` });
    const audit = auditOfKeyedAppends();
    let isLoading = false;
    let jumps = 0;
    for (let round = 0; round < ROUNDS; round++)
      for (const { offset, shiftMs } of OFFSETS) {
        await core.start(clock(offset));
        jumps += 1;
        const { headers } = await core.ask({ path: '/livez' });
        const aheadMs = Date.parse(headers.date ?? '') - Date.now();
        expect(Math.abs(aheadMs - shiftMs)).toBeLessThan(HOUR_MS / 2);
        if (!isLoading) load.start();
        isLoading = true;
        await load.reach(load.acknowledged.length + APPENDS);
        await audit.read(core);
        if (random.below(2) === 0) await core.kill();
        else await core.stop();
      }
    await core.start();
    await load.finish();
    const final = auditOfKeyedAppends();
    await final.read(core);
    report('R10 clock', {
      'starts with another clock': jumps,
      'acknowledged appends': load.acknowledged.length,
      events: final.events,
    });
    expect([...load.faults, ...audit.faults, ...final.faults]).toEqual([]);
    expect(brokenPromises(load.acknowledged, final)).toEqual([]);
    expect(new Set(final.commits.keys())).toEqual(new Set(load.acknowledged.map(({ key }) => key)));
    // The year ahead stays the newest time until the clock comes there.
    expect(final.recordedAt / 1000).toBeGreaterThan(Date.now() + 300 * 24 * HOUR_MS);
  }, 600_000);
});
