import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { rawMembers } from '@allsource/shared/json';
import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { position } from '@allsource/shared/model';
import Database from 'better-sqlite3';
import { Turns } from '@allsource/service-kit/turns';
import { GeneratedLog, type ModelEvent, randomLog, TENANTS } from '../support/generated-log.ts';
import { propertySeed, Random } from '../support/random.ts';
import { follow, openReadSide, type ReadSide } from '../support/read-side.ts';
import {
  HandClock,
  openSnapshots,
  type SnapshotWorld,
  seen,
  type StateQuestion,
  stateOf,
} from '../support/snapshot-world.ts';
import { withFolder } from '../support/temporary-folder.ts';

/** More with `npm run test:faults`. */
const DAMAGES = process.env['ALLSOURCE_TEST_FAULTS'] === 'long' ? 500 : 25;
/** Where the tables are described. */
const SCHEMA_BYTES = 4096;
const ENTITIES = ['o-1', 'o-2', 'Grüße/ü', 'e-1', 'e-2'];

function take(
  { history }: ReadSide,
  { snapshots }: SnapshotWorld,
  who: { tenant: string; entity: string },
) {
  const untilPosition = history.appliedPosition;
  return snapshots.take({ ...who, kind: 'manual', untilPosition }, new Turns());
}

/** A fold written down in the plainest way: every event of the log, one after the other. */
function naiveState(events: readonly ModelEvent[], wanted: StateQuestion) {
  const { tenant, entity, asOf = Infinity, asOfRecorded = Infinity } = wanted;
  const { untilPosition = Infinity } = wanted;
  const own = events.filter(
    (event) =>
      event.tenant === tenant &&
      event.entity === entity &&
      event.position <= untilPosition &&
      event.timestamp <= asOf &&
      event.recordedAt <= asOfRecorded,
  );
  const last = own.at(-1);
  if (last === undefined) return null;
  const members = new Map<string, string>();
  for (const { payload } of own)
    for (const [name, value] of rawMembers(Buffer.from(payload)) ?? []) members.set(name, value);
  return {
    members: [...members],
    eventCount: own.length,
    version: last.version,
    position: last.position,
    lastUpdated: last.timestamp,
    history: own.map(({ id }) => id),
  };
}

function randomQuestion(random: Random, log: GeneratedLog): StateQuestion {
  const moment = () => {
    const event = random.pick(log.events);
    return random.pick([event.timestamp, event.recordedAt, event.timestamp - 1]);
  };
  return {
    tenant: random.pick(TENANTS),
    entity: random.pick(ENTITIES),
    asOf: random.chance(0.6) ? moment() : undefined,
    asOfRecorded: random.chance(0.4) ? moment() : undefined,
    untilPosition: random.chance(0.3) ? random.below(log.head + 1) : undefined,
    historyLimit: random.pick([0, null]),
  };
}

describe('states with snapshots, taken at random moments of a log with events of the past', () => {
  it('are the states without, at any instants of both clocks', async () => {
    const seed = propertySeed('snapshots change no state');
    const random = new Random(seed);
    let shortened = 0;
    let asked = 0;
    for (const pastShare of [0, 0.1, 0.6]) {
      await withFolder(async (folder) => {
        const side = await openReadSide(folder, 64);
        const world = openSnapshots(folder, side);
        const log = randomLog({ seed: random.below(2 ** 31), events: 1200, pastShare });
        const { logIdHex } = log;
        for (const frame of log.frames) {
          await side.history.apply([frame], logIdHex);
          if (random.chance(0.15))
            await take(side, world, {
              tenant: random.pick(TENANTS),
              entity: random.pick(ENTITIES),
            });
        }
        for (let i = 0; i < 200; i++) {
          const question = randomQuestion(random, log);
          const state = await stateOf(side, world.snapshots, question);
          const expected = naiveState(log.events, question);
          const history = question.historyLimit === 0 ? [] : (expected?.history ?? []);
          expect({ question, state: seen(state) }).toEqual({
            question,
            state: expected === null ? null : { ...expected, history },
          });
          asked++;
          if (state !== null && state.eventsRead < state.eventCount) shortened++;
        }
        expect(world.warnings).toEqual([]);
        await side.history.close();
      });
    }
    console.info(`${shortened} of ${asked} states were shortened by a snapshot`);
    expect(shortened).toBeGreaterThan(asked / 10);
  });

  it('are not shortened by a snapshot that holds an event of later than the instant asked for', async () => {
    await withFolder(async (folder) => {
      const side = await openReadSide(folder, 64);
      const world = openSnapshots(folder, side);
      const log = new GeneratedLog();
      const add = (day: number, payload: string) =>
        log.commit('acme', [{ type: 'a', entity: 'e', timestamp: at(day), payload }]);
      add(1, '{"a":1}');
      add(20, '{"b":20}');
      add(2, '{"a":2}');
      await follow(side.history, log);
      await take(side, world, { tenant: 'acme', entity: 'e' });
      // Back-dated behind the snapshot: of version 4, so it counts in states of its own instant and later.
      add(3, '{"a":3}');
      await follow(side.history, log);
      const read = async (day: number) => {
        const state = await stateOf(side, world.snapshots, {
          tenant: 'acme',
          entity: 'e',
          asOf: at(day),
        });
        return [Object.fromEntries(state?.members ?? []), state?.eventsRead];
      };
      expect(await read(2)).toEqual([{ a: '2' }, 2]);
      expect(await read(19)).toEqual([{ a: '3' }, 3]);
      expect(await read(20)).toEqual([{ a: '3', b: '20' }, 1]);
      // A snapshot that was made from the one before it knows the instants of all events.
      await take(side, world, { tenant: 'acme', entity: 'e' });
      expect(await read(19)).toEqual([{ a: '3' }, 3]);
      expect(await read(20)).toEqual([{ a: '3', b: '20' }, 0]);
      await side.history.close();
    });
  });
});

const at = (day: number) => Date.UTC(2026, 0, day) * 1000;

const commit = (log: GeneratedLog, payload: string) =>
  log.commit('acme', [{ type: 'a', entity: 'e', payload }]);

/** A history with one entity of many events. */
async function longEntity(folder: string, events: number, blockEvents = 4096) {
  const side = await openReadSide(folder, blockEvents);
  const log = new GeneratedLog();
  for (let n = 0; n < events; n += 100) {
    const drafts = Array.from({ length: 100 }, (_, i) => ({
      type: 'meter.read',
      entity: 'meter',
      payload: `{"n":${n + i}.0,"m${(n + i) % 50}":${i}}`,
    }));
    log.commit('acme', drafts);
  }
  await follow(side.history, log);
  return { side, log };
}

const METER = { tenant: 'acme', entity: 'meter' } as const;

describe('an entity of 10,000 events', () => {
  it('is read whole once, and its next state from the snapshot that the read has left', async () => {
    await withFolder(async (folder) => {
      const { side, log } = await longEntity(folder, 10_000);
      const world = openSnapshots(folder, side);
      const first = await stateOf(side, world.snapshots, METER);
      expect(first?.eventsRead).toBe(10_000);
      await world.snapshots.idle();
      log.commit('acme', [{ type: 'meter.read', entity: 'meter', payload: '{"n":"last"}' }]);
      await follow(side.history, log);
      const second = await stateOf(side, world.snapshots, METER);
      expect([second?.eventsRead, second?.eventCount]).toEqual([1, 10_001]);
      expect(seen(second)).toEqual(seen(await stateOf(side, null, METER)));
      const whole = await stateOf(side, world.snapshots, { ...METER, historyLimit: null });
      expect([[...(whole?.history ?? [])].length, whole?.eventsRead]).toEqual([10_001, 1]);
      const newest = await stateOf(side, world.snapshots, { ...METER, historyLimit: 3 });
      expect(Array.from(newest?.history ?? [], ({ version }) => version)).toEqual([
        9_999, 10_000, 10_001,
      ]);
      await side.history.close();
    });
  });

  it('lets others have their turns while it is folded', async () => {
    await withFolder(async (folder) => {
      const { side } = await longEntity(folder, 20_000);
      let turns = 0;
      let isReading = true;
      const count = () => {
        turns++;
        if (isReading) setImmediate(count);
      };
      setImmediate(count);
      await stateOf(side, null, METER);
      isReading = false;
      expect(turns).toBeGreaterThan(2);
      await side.history.close();
    });
  });
});

describe('the file of snapshots', () => {
  it('changes no state with any byte of it flipped, cut off anywhere, or gone', async () => {
    const seed = propertySeed('damaged snapshots change no state');
    const random = new Random(seed);
    await withFolder(async (folder) => {
      const side = await openReadSide(folder, 64);
      const log = randomLog({ seed, events: 600, pastShare: 0.2 });
      await follow(side.history, log);
      const makeFile = async () => {
        const world = openSnapshots(folder, side);
        for (const tenant of TENANTS)
          for (const entity of ENTITIES) await take(side, world, { tenant, entity });
        world.store.close();
        return { file: world.file, bytes: readFileSync(world.file) };
      };
      const { file, bytes } = await makeFile();
      const questions = TENANTS.flatMap((tenant) =>
        ENTITIES.map((entity) => ({ tenant, entity, historyLimit: 0 as const })),
      );
      const truth = await Promise.all(questions.map((one) => stateOf(side, null, one).then(seen)));
      let noticed = 0;
      for (let i = 0; i < DAMAGES; i++) {
        const damaged = Buffer.from(bytes);
        const byte = random.below(random.chance(0.3) ? SCHEMA_BYTES : damaged.length);
        damaged[byte] = (damaged[byte] as number) ^ (1 << random.below(8));
        const cut = random.chance(0.2) ? damaged.subarray(0, byte) : damaged;
        for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
        if (!random.chance(0.05)) writeFileSync(file, cut);
        const world = openSnapshots(folder, side);
        for (const [number, question] of questions.entries()) {
          const state = seen(await stateOf(side, world.snapshots, question));
          expect({ byte, state }).toEqual({ byte, state: truth[number] });
          world.snapshots.latest(question.tenant, question.entity);
        }
        for (const tenant of TENANTS)
          world.snapshots.list({ tenant, entity: null, limit: 100, before: 1e9 });
        await world.snapshots.idle();
        // It can be written to again, or the damage is found then.
        await take(side, world, { tenant: 'acme', entity: 'o-1' }).catch(() => {});
        await take(side, world, { tenant: 'acme', entity: 'o-1' });
        if (world.warnings.length > 0) noticed++;
        world.store.close();
      }
      console.info(`${noticed} of ${DAMAGES} damages were noticed`);
      expect(noticed).toBeGreaterThan(0);
      await side.history.close();
    });
  }, 600_000);

  it('is emptied when the history is of another log, and does not trust a part of the log that was lost', async () => {
    await withFolder(async (folder) => {
      const side = await openReadSide(folder, 64);
      const world = openSnapshots(folder, side);
      const first = new GeneratedLog(1, 'log-one');
      commit(first, '{"of":"first"}');
      commit(first, '{"lost":true}');
      await follow(side.history, first);
      const who = { tenant: 'acme', entity: 'e' };
      await take(side, world, who);

      // The same log, restored from before its last commit, and written on.
      const again = new GeneratedLog(99, 'log-one');
      commit(again, '{"of":"first"}');
      commit(again, '{"kept":true}');
      await side.history.reset();
      await follow(side.history, again);
      const state = await stateOf(side, world.snapshots, who);
      expect(Object.fromEntries(state?.members ?? [])).toEqual({ of: '"first"', kept: 'true' });
      expect(world.warnings).toMatchObject([{ reason: 'its last event is not in the history' }]);
      await take(side, world, who);
      expect(world.snapshots.list({ ...who, limit: 10, before: 1e9 }).total).toBe(1);

      const other = new GeneratedLog(1, 'log-two');
      commit(other, '{"of":"other"}');
      await side.history.reset();
      await follow(side.history, other);
      const others = await stateOf(side, world.snapshots, who);
      expect(Object.fromEntries(others?.members ?? [])).toEqual({ of: '"other"' });
      expect(world.snapshots.list({ ...who, limit: 10, before: 1e9 }).total).toBe(0);
      await side.history.close();
    });
  });

  it('keeps the newest ten of an entity, and counts them', async () => {
    await withFolder(async (folder) => {
      const { side } = await longEntity(folder, 200);
      const world = openSnapshots(folder, side);
      const ids: (string | undefined)[] = [];
      for (let i = 0; i < 13; i++) ids.push((await take(side, world, METER))?.id);
      for (const entity of [METER.entity, null]) {
        const { entries, total } = world.snapshots.list({
          tenant: 'acme',
          entity,
          limit: 100,
          before: 1e9,
        });
        expect([entries.map(({ id }) => id), total]).toEqual([ids.slice(3).toReversed(), 10]);
      }
      expect(
        world.snapshots.list({ tenant: 'globex', entity: null, limit: 100, before: 1e9 }),
      ).toEqual({ entries: [], total: 0 });
      world.store.close();
      const database = new Database(world.file);
      expect(database.prepare('SELECT count(*) AS rows FROM snapshots').get()).toEqual({
        rows: 10,
      });
      database.close();
      await side.history.close();
    });
  });
});

describe('the newest snapshot of an entity', () => {
  const who = { tenant: 'acme', entity: 'e' };
  const listed = ({ snapshots }: SnapshotWorld) =>
    snapshots.list({ ...who, limit: 100, before: 1e9 }).entries;
  const versions = (world: SnapshotWorld) => listed(world).map(({ last }) => last.version);

  it('is the one of the highest version, also where a lower one is kept behind it', async () => {
    await withFolder(async (folder) => {
      const side = await openReadSide(folder, 64);
      const clock = new HandClock();
      const world = openSnapshots(folder, side, clock);
      const log = new GeneratedLog();
      const fold = () => {
        const untilPosition = side.history.appliedPosition;
        return world.snapshots.draft({ ...who, kind: 'automatic', untilPosition }, new Turns());
      };
      commit(log, '{"n":1}');
      await follow(side.history, log);
      const early = must(await fold(), 'a snapshot');
      // Back-dated: the later snapshot holds it, and is the newer one all the same.
      log.commit('acme', [{ type: 'a', entity: 'e', timestamp: at(1), payload: '{"past":true}' }]);
      await follow(side.history, log);
      clock.ms += 1000;
      await take(side, world, who);
      clock.ms += 1000;
      world.snapshots.keep([early]);
      expect(world.snapshots.latest('acme', 'e')?.last.version).toBe(2);
      // The list is in the order in which they came to be.
      expect(versions(world)).toEqual([1, 2]);
      const created = listed(world).map(({ createdMs }) => createdMs);
      expect(created).toEqual([clock.ms, clock.ms - 1000]);

      for (let version = 3; version <= 12; version++) {
        commit(log, `{"n":${version}}`);
        await follow(side.history, log);
        await take(side, world, who);
      }
      world.snapshots.keep([early]);
      expect(versions(world)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
      expect(world.snapshots.latest('acme', 'e')?.last.version).toBe(12);
      const again = await take(side, world, who);
      expect(versions(world)).toEqual([12, 12, 11, 10, 9, 8, 7, 6, 5, 4]);
      expect(world.snapshots.latest('acme', 'e')?.id).toBe(again?.id);
      await side.history.close();
    });
  });

  it('lies within the history, while that is filled again', async () => {
    await withFolder(async (folder) => {
      const side = await openReadSide(folder, 64);
      const world = openSnapshots(folder, side);
      const log = new GeneratedLog();
      for (const payload of ['{"n":1}', '{"n":2}']) {
        commit(log, payload);
        await follow(side.history, log);
        await take(side, world, who);
      }
      await side.history.reset();
      expect(world.snapshots.latest('acme', 'e')).toBeNull();
      await side.history.apply(log.frames.slice(0, 1), log.logIdHex);
      expect(world.snapshots.latest('acme', 'e')?.last.version).toBe(1);
      await follow(side.history, log);
      expect(world.snapshots.latest('acme', 'e')?.last.version).toBe(2);
      await side.history.close();
    });
  });
});

describe('a state that is too large', () => {
  it('for a snapshot is read without one, and for a fold is refused with the limit', async () => {
    await withFolder(async (folder) => {
      const side = await openReadSide(folder, 64);
      const world = openSnapshots(folder, side);
      const log = new GeneratedLog();
      const grow = async (megabytes: number, from: number) => {
        for (let i = from; i < from + megabytes; i++) {
          const payload = `{"m${i}":"${'x'.repeat(1024 * 1024)}"}`;
          log.commit('acme', [{ type: 'a', entity: 'wide', payload }]);
        }
        await follow(side.history, log);
      };
      const who = { tenant: 'acme', entity: 'wide' };
      await grow(5, 0);
      await expect(take(side, world, who)).rejects.toMatchObject({
        code: 'payload_too_large',
        members: { limit_bytes: LIMITS.entitySnapshotBytesMax },
      });
      expect((await stateOf(side, world.snapshots, who))?.members.size).toBe(5);
      await grow(28, 5);
      await expect(stateOf(side, world.snapshots, who)).rejects.toMatchObject({
        code: 'payload_too_large',
        members: { limit_characters: LIMITS.entityStateLengthMax },
      });
      await side.history.close();
    });
  });
});

describe('members', () => {
  it('with names and values of any kind come back from a snapshot as they were sent', async () => {
    await withFolder(async (folder) => {
      const side = await openReadSide(folder, 64);
      const world = openSnapshots(folder, side);
      const log = new GeneratedLog();
      const payload =
        '{"":0,"a\\u001e\\u001fb":1.0,"\\ud800":"\\ud800","q\\"":[1, {"x" : 1e400}],"__proto__":{"p":1},"é🎉":"\\u001e\\n","big":12345678901234567890.50}';
      log.commit('acme', [{ type: 'a', entity: 'odd', payload }]);
      log.commit('acme', [{ type: 'a', entity: 'empty', payload: '[1]' }]);
      await follow(side.history, log);
      for (const entity of ['odd', 'empty']) {
        const who = { tenant: 'acme', entity };
        const without = await stateOf(side, null, who);
        await take(side, world, who);
        const state = await stateOf(side, world.snapshots, who);
        expect([state?.eventsRead, seen(state)]).toEqual([0, seen(without)]);
        const { entries } = world.snapshots.list({ ...who, limit: 1, before: 1e9 });
        const text = [...(without?.members ?? [])].map(([n, v]) => `${JSON.stringify(n)}:${v}`);
        expect(entries[0]?.stateBytes).toBe(Buffer.byteLength(`{${text.join(',')}}`));
      }
      expect(side.history.appliedPosition).toBe(position(2));
      await side.history.close();
    });
  });
});
