/**
 * R8: the data folder is a small file system that fills up, again and again. Appends are refused with 507 and nothing of them is stored, reads go on, readiness names
 * the reason, and when space comes back appends go on without a restart. In the end every acknowledged append is there, also after a kill -9.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { must } from '@allsource/shared/lang';
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
import { type KeyedAppend, keyedAppend, type SentEvent } from '../support/keyed-append.ts';
import { SmallDisk } from '../support/small-disk.ts';

const MIB = 1024 * 1024;
const ROUNDS = isLong ? 20 : 4;
const DISK_BYTES = (6 + 3 * ROUNDS) * MIB;
const CLIENTS = 4;
/** Larger than a segment with its batch, so that it needs a segment of its own. */
const LARGE_PADDING = 120_000;
const PADDINGS = [0, 2000, 20_000];

const disk = SmallDisk.mount(DISK_BYTES);
const suite = typeof disk === 'string' ? describe.skip : describe;
if (typeof disk === 'string') reportNotTested('R8 disk full', disk);
const cleanups = new Cleanups();
afterEach(() => cleanups.run());

/** Keys say how large the payloads are, so that an audit knows too. */
function sized(padding: number, name: string): KeyedAppend {
  return keyedAppend(`${padding}:${seed}:${name}`, padding);
}

function paddingOf(key: string): number {
  return Number(key.split(':')[0]);
}

/** Appends of several sizes until the disk refuses a small one. */
class Filling {
  readonly acknowledged: Acknowledgement[] = [];
  readonly refused: KeyedAppend[] = [];
  readonly faults: string[] = [];
  replays = 0;
  readonly #core: CoreProcess;

  constructor(core: CoreProcess) {
    this.#core = core;
  }

  /** Sends one append; false when it was refused for want of space. */
  async send(append: KeyedAppend): Promise<boolean> {
    const answer = await sendAppend(this.#core, append);
    if (answer.headers['idempotent-replayed'] === 'true') this.replays += 1;
    if (answer.status === 200) {
      this.acknowledged.push(acknowledgementOf(append, answer));
      return true;
    }
    this.refused.push(append);
    if (answer.status !== 507 || answer.body.code !== 'storage_full')
      this.faults.push(`${append.key} was answered ${answer.status}: ${answer.text}`);
    return false;
  }

  async fill(name: string, random: SeededRandom): Promise<void> {
    await Promise.all(
      Array.from({ length: CLIENTS }, (_, client) => this.#fillAs(`${name}-${client}`, random)),
    );
    // One client alone ends it, so that the last answer is a refusal.
    for (let n = 0; await this.send(sized(0, `${name}-last-${n}`)); n++);
  }

  async #fillAs(name: string, random: SeededRandom): Promise<void> {
    for (let n = 0; this.faults.length === 0; n++) {
      const padding = random.below(40) === 0 ? LARGE_PADDING : random.pick(PADDINGS);
      const isTaken = await this.send(sized(padding, `${name}-${n}`));
      if (!isTaken && padding === 0) return;
    }
  }
}

suite('core on a disk that fills up', () => {
  it(`${ROUNDS} times refuses appends with 507, goes on reading, and goes on appending when there is space`, async () => {
    if (typeof disk === 'string') return;
    cleanups.add(() => disk.remove());
    const core = new CoreProcess({
      folder: disk.folder,
      environment: { ALLSOURCE_SEGMENT_BYTES: String(MIB), ALLSOURCE_LOG_LEVEL: 'error' },
    });
    cleanups.add(() => core.remove());
    const random = new SeededRandom(seed);
    for (let round = 1; round <= ROUNDS; round++)
      disk.fill(`filler-${round}`, MIB + random.below(1.5 * MIB));
    await core.start();
    const filling = new Filling(core);
    let retried = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      await filling.fill(`round-${round}`, random);
      await expectFull(core, filling.acknowledged.at(-1));
      disk.free(`filler-${round}`);
      const again = filling.refused.splice(0).filter(({ key }) => paddingOf(key) === 0);
      for (const append of again) expect(await filling.send(append)).toBe(true);
      retried += again.length;
      const ready = await core.ask({ path: '/readyz' });
      expect({ round, status: ready.status }).toEqual({ round, status: 200 });
    }
    await filling.fill('end', random);
    const audit = auditOfKeyedAppends(paddingOf);
    await audit.read(core);
    // The disk is said to be full when it becomes so, and not for each append.
    expect(core.output).not.toContain('append failed');
    await core.kill();
    await core.start();
    const after = auditOfKeyedAppends(paddingOf);
    await after.read(core);
    report('R8 disk full', {
      'times full': ROUNDS + 1,
      'disk bytes': DISK_BYTES,
      'acknowledged appends': filling.acknowledged.length,
      events: after.events,
      'refused and sent again': retried,
    });
    expect([...filling.faults, ...audit.faults, ...after.faults]).toEqual([]);
    expect(brokenPromises(filling.acknowledged, audit)).toEqual([]);
    expect(brokenPromises(filling.acknowledged, after)).toEqual([]);
    // What was refused is not stored, so no retry found it there and nothing stands in the log that nobody was promised.
    expect(filling.replays).toBe(0);
    expect(after.commits.size).toBe(filling.acknowledged.length);
  }, 600_000);
});

async function expectFull(core: CoreProcess, newest: Acknowledgement | undefined): Promise<void> {
  const ready = await core.ask({ path: '/readyz' });
  expect(ready.status).toBe(503);
  expect(ready.body.checks).toContainEqual(
    expect.objectContaining({
      name: 'space',
      ok: false,
      detail: expect.stringMatching(/disk is full/),
    }),
  );
  const { key, eventIds } = must(newest, 'an append that was acknowledged');
  const [{ entity }] = keyedAppend(key, paddingOf(key)).events as [SentEvent];
  const path = `/api/v1/events/query?entity_id=${encodeURIComponent(entity)}`;
  const page = await core.ask({ path });
  expect(page.status).toBe(200);
  expect(page.body.events.length).toBe(page.body.entity_version);
  const ids = page.body.events.map(({ id }: { id: string }) => id);
  expect(ids).toContain(eventIds[0]);
}
