/**
 * R7 on a real machine: the N-th fdatasync of core fails with EIO while clients append. What that sync was to make durable is never acknowledged, the file is not synced
 * again, every further append is refused with the reason, and reads go on. After a restart every acknowledged append is there, and those of unknown outcome can be sent again with their keys.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { Cleanups, SeededRandom } from '@allsource/testkit';
import {
  type Acknowledgement,
  acknowledgementOf,
  auditOfKeyedAppends,
  brokenPromises,
  sendAppend,
} from '../support/append-load.ts';
import { CoreProcess } from '../support/core-process.ts';
import { isLong, report, reportNotTested, seed } from '../support/fault-run.ts';
import { type KeyedAppend, keyedAppend } from '../support/keyed-append.ts';
import { Tracer, tracerFault } from '../support/tracer.ts';

const RUNS = isLong ? 40 : 4;
const WHEN_MAX = 30;
/** A lone client is synced in the main thread, several are synced in the pool. */
const CLIENTS = [1, 8];
const APPENDS_MAX = 2000;

const fault = tracerFault();
const suite = fault !== null ? describe.skip : describe;
if (fault !== null) reportNotTested('R7 sync error', fault);
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

interface Appended {
  readonly acknowledged: Acknowledgement[];
  readonly refused: KeyedAppend[];
  readonly faults: string[];
}

/** Clients that append until they are refused. */
async function appendUntilRefused(
  core: CoreProcess,
  { clients, name }: { readonly clients: number; readonly name: string },
): Promise<Appended> {
  const appended: Appended = { acknowledged: [], refused: [], faults: [] };
  const client = async (index: number) => {
    for (let n = 0; n < APPENDS_MAX; n++) {
      const append = keyedAppend(`${name}-${index}-${n}`);
      const answer = await sendAppend(core, append);
      if (answer.status === 200) appended.acknowledged.push(acknowledgementOf(append, answer));
      else {
        appended.refused.push(append);
        if (answer.status !== 503 || answer.body.code !== 'writer_poisoned')
          appended.faults.push(`${append.key} was answered ${answer.status}: ${answer.text}`);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, index) => client(index)));
  return appended;
}

/** The calls behind the failed one that sync the same file. */
function syncsAfterFailure(calls: readonly string[]): string[] {
  const failedAt = calls.findIndex((line) => line.includes('INJECTED'));
  const file = /<([^>]*)>/.exec(calls[failedAt] ?? '')?.[1] ?? '';
  expect(file).toMatch(/\.seg$/);
  return calls.slice(failedAt + 1).filter((line) => line.includes(`<${file}>`));
}

async function expectPoisoned(core: CoreProcess, name: string): Promise<void> {
  const refused = await sendAppend(core, keyedAppend(`${name}-late`));
  expect(refused.status).toBe(503);
  expect(refused.body).toMatchObject({ code: 'writer_poisoned' });
  const ready = await core.ask({ path: '/readyz' });
  expect(ready.status).toBe(503);
  expect(ready.body.checks).toContainEqual(
    expect.objectContaining({
      name: 'writer',
      ok: false,
      detail: expect.stringMatching(/failed to make written bytes durable.*restart core/),
    }),
  );
  expect((await core.ask({ path: '/livez' })).status).toBe(200);
}

suite('core, when fdatasync fails with EIO', () => {
  it(`${RUNS} times acknowledges nothing of that sync, stops to append and loses nothing`, async () => {
    // One thread in the pool, because strace counts the calls of each thread.
    const core = new CoreProcess({
      environment: { UV_THREADPOOL_SIZE: '1', ALLSOURCE_LOG_LEVEL: 'error' },
    });
    cleanups.add(() => core.remove());
    const random = new SeededRandom(seed);
    const promised: Acknowledgement[] = [];
    let refusedInAll = 0;
    let replays = 0;
    await core.start();
    for (let run = 0; run < RUNS; run++) {
      const name = `sync-${seed}-${run}`;
      const when = 1 + random.below(WHEN_MAX);
      const tracer = await Tracer.attach({
        pid: core.pid,
        call: 'fdatasync',
        error: 'EIO',
        when,
      });
      cleanups.add(() => tracer.close());
      const clients = CLIENTS[run % CLIENTS.length] ?? 1;
      const { acknowledged, refused, faults } = await appendUntilRefused(core, { clients, name });
      promised.push(...acknowledged);
      refusedInAll += refused.length;
      expect(faults).toEqual([]);
      expect(refused.length).toBe(clients);
      await expectPoisoned(core, name);
      const reading = auditOfKeyedAppends();
      await reading.read(core);
      expect([...reading.faults, ...brokenPromises(promised, reading)]).toEqual([]);
      // Nobody reads what was not acknowledged: it may be gone after a restart.
      for (const { key } of refused) expect(reading.commits.has(key)).toBe(false);
      expect(syncsAfterFailure(await tracer.detach())).toEqual([]);
      await tracer.close();
      if (random.below(2) === 0) await core.kill();
      else await core.stop();
      await core.start();
      for (const append of refused) {
        const answer = await sendAppend(core, append);
        expect(answer.status).toBe(200);
        if (answer.headers['idempotent-replayed'] === 'true') replays += 1;
        promised.push(acknowledgementOf(append, answer));
      }
      const after = auditOfKeyedAppends();
      await after.read(core);
      expect([...after.faults, ...brokenPromises(promised, after)]).toEqual([]);
    }
    report('R7 sync error', {
      'failed syncs': RUNS,
      'acknowledged appends': promised.length,
      'refused with writer_poisoned': refusedInAll,
      'of them found stored after the restart': replays,
    });
  }, 600_000);
});
