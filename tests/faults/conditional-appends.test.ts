/**
 * R11: 64 clients race with conditional appends on 1, 10 and 100 entities while core is killed and started again. The history of each entity is linearizable: every version has
 * exactly one winner, and what was answered fits one order of instants between call and answer. The checker has tests of its own, in entity-register.test.ts.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups, SeededRandom } from '@allsource/testkit';
import { ConditionalLoad } from '../support/conditional-load.ts';
import { CoreProcess } from '../support/core-process.ts';
import { type RegisterWrite, registerFaults } from '../support/entity-register.ts';
import { isLong, pause, report, seed } from '../support/fault-run.ts';
import { LogAudit } from '../support/log-audit.ts';

const CLIENTS = 64;
const KILLS = isLong ? 20 : 2;
const OPERATIONS_BETWEEN_KILLS = isLong ? 10_000 : 800;
const ENTITIES = [1, 10, 100];
const cleanups = new Cleanups();

afterEach(() => cleanups.run());

/** The appends of each entity in the order of the log. */
async function readLog(core: CoreProcess) {
  const writes = new Map<string, RegisterWrite[]>();
  const audit = new LogAudit((frame, key) => {
    const { entity } = frame.event(0);
    const versions = [...frame.events()].map(({ version }) => version);
    const before = writes.get(entity);
    if (before === undefined) writes.set(entity, [{ key, versions }]);
    else before.push({ key, versions });
  });
  await audit.read(core);
  return { audit, writes };
}

describe('conditional appends of 64 clients, with kills in between', () => {
  for (const entities of ENTITIES)
    it(`on ${entities} entities are linearizable, with one winner for each version`, async () => {
      const core = new CoreProcess();
      cleanups.add(() => core.remove());
      const random = new SeededRandom(seed + entities);
      const name = `race-${seed}-${entities}`;
      const load = new ConditionalLoad({ core, clients: CLIENTS, entities, seed, name });
      await core.start();
      load.start();
      for (let kill = 0; kill < KILLS; kill++) {
        await load.reach(load.answered + 1 + random.below(OPERATIONS_BETWEEN_KILLS));
        await pause(random.below(4));
        await core.kill();
        await core.start();
      }
      await load.reach(load.answered + OPERATIONS_BETWEEN_KILLS);
      await load.finish();
      const { audit, writes } = await readLog(core);
      const faults = [...load.operations].flatMap(([entity, operations]) =>
        registerFaults(operations, writes.get(entity) ?? []),
      );
      report(`R11 ${entities} entities`, {
        clients: CLIENTS,
        kills: KILLS,
        operations: load.answered,
        won: load.counts.acknowledged,
        conflicts: load.counts.conflict,
        unknown: load.counts.unknown,
        'found stored by a retry': load.counts.replayed,
      });
      expect([...load.faults, ...audit.faults, ...faults]).toEqual([]);
      expect(load.operations.size).toBe(entities);
      expect(load.counts.conflict).toBeGreaterThan(0);
    }, 900_000);
});
