import { expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
import { type CountedDigest, EntityCountLists } from '../../src/analytics/entity-counts.ts';
import { EntityNumbers } from '../../src/analytics/entity-numbers.ts';
import { RunDigests } from '../../src/analytics/run-digest.ts';
import { searchOf } from '../../src/analytics/run-search.ts';
import type { EventHistory } from '../../src/history/event-history.ts';
import { GeneratedLog } from '../support/generated-log.ts';
import { Random } from '../support/random.ts';
import { follow, openReadSide } from '../support/read-side.ts';
import { withFolder } from '../support/temporary-folder.ts';

const TURN = { isTurnOver: false, nextTurn: async () => {} };
const TENANT = 'acme';
const TYPES = ['order.placed', 'order.paid'];

/** The first run of a history, to be counted by type and as a whole. */
async function countedOf(history: EventHistory): Promise<CountedDigest[]> {
  const run = must([...history.runs()][0], 'a run');
  const search = must(searchOf(run, { tenant: TENANT }), 'rows of the tenant');
  const digests = new RunDigests();
  await digests.of(run, TURN);
  const digest = must(await digests.of(run, TURN), 'the digest of a run that was met before');
  const numbers = await new EntityNumbers().ofTenant(TENANT).of(run, TURN);
  return [0, 1, null].map((type) => ({ run, digest, numbers, search, type }));
}

it('scans that count a run for the first time at the same time keep one list of each kind between them', () =>
  withFolder(async (folder) => {
    const log = new GeneratedLog(1);
    const random = new Random(1);
    while (log.events.length < 300)
      log.commit(TENANT, [{ type: random.pick(TYPES), entity: `e-${random.below(40)}` }]);
    const { history } = await openReadSide(folder, 1000);
    await follow(history, log);
    const counted = await countedOf(history);

    const alone = new EntityCountLists();
    const expected = [];
    for (const each of counted) expected.push(await alone.of(each, TURN));
    const together = new EntityCountLists();
    const lists = await Promise.all(
      [...counted, ...counted].map((each) => together.of(each, TURN)),
    );

    expect(lists).toEqual([...expected, ...expected]);
    expect(together.figures.bytes).toBe(alone.figures.bytes);
    for (const [i, each] of counted.entries()) {
      expect(lists[i]).toBe(lists[i + counted.length]);
      expect(await together.of(each, TURN)).toBe(lists[i]);
    }
    await history.close();
  }));
