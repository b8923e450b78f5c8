import { setImmediate as nextRound } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { ScanDesk } from '../../src/analytics/scan-desk.ts';
import { eventSummary } from '../../src/analytics/summary.ts';
import { GeneratedLog } from '../support/generated-log.ts';
import { Random } from '../support/random.ts';
import { follow, openReadSide } from '../support/read-side.ts';
import { withFolder } from '../support/temporary-folder.ts';

/** Gives way wherever a scan may. */
const YIELDING = { isSpent: true, next: () => nextRound() };
const TYPES = ['order.placed', 'order.paid'];

it('scans that count the same runs at the same time keep one list of each, as scans one after the other do', () =>
  withFolder(async (folder) => {
    const log = new GeneratedLog(1);
    const random = new Random(1);
    while (log.events.length < 300) {
      const draft = () => ({ type: random.pick(TYPES), entity: `e-${random.below(40)}` });
      log.commit('acme', [draft(), draft(), draft()]);
    }
    const { history } = await openReadSide(folder, 50);
    await follow(history, log);
    const selections = TYPES.flatMap((type) => [{ tenant: 'acme' }, { tenant: 'acme', type }]);
    const scanOf = (desk: ScanDesk) => (selection: (typeof selections)[number]) =>
      eventSummary(desk, selection, YIELDING);

    const [together, alone] = [new ScanDesk(history), new ScanDesk(history)];
    // A digest, and with it the lists, are made of a run that was met before.
    await scanOf(together)({ tenant: 'acme' });
    const answers = await Promise.all([...selections, ...selections].map(scanOf(together)));
    await scanOf(alone)({ tenant: 'acme' });
    const expected = [];
    for (const selection of selections) expected.push(await scanOf(alone)(selection));

    expect(answers).toEqual([...expected, ...expected]);
    expect(alone.counts.figures.bytes).toBeGreaterThan(0);
    expect(together.counts.figures.bytes).toBe(alone.counts.figures.bytes);
    await history.close();
  }));
