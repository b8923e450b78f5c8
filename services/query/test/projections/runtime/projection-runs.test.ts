import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '@allsource/shared/limits';
import { position } from '@allsource/shared/model';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import Database from 'better-sqlite3';
import type { WrittenEvent } from '../log-writer.ts';
import {
  byEntity,
  eventsOf,
  LIST_ALL,
  LIST_UNLESS_BAD,
  listModel,
  scripted,
} from './event-model.ts';
import { RuntimeWorld, TENANT, until, type WorldOptions } from './runtime-world.ts';

jest.setTimeout(120_000);

let world: RuntimeWorld | null = null;
afterEach(async () => {
  await world?.close();
  world = null;
});

async function opened(options: WorldOptions = {}): Promise<RuntimeWorld> {
  world = await RuntimeWorld.open(options);
  return world;
}

let numbered = 0;
function event(entity: string, payload: object = {}, type = 'order.placed'): WrittenEvent {
  return { type, entity, payload: JSON.stringify({ n: ++numbered, ...payload }) };
}

/** Appends commits of several entities, with another tenant's between them. */
function fill({ core }: RuntimeWorld, commits: number): void {
  for (let i = 0; i < commits; i++) {
    const events = Array.from({ length: 10 }, (_, j) =>
      event(`e-${(i * 7 + j) % 23}`, {}, j % 3 === 2 ? 'order.paid' : 'order.placed'),
    );
    core.append(i % 5 === 4 ? 'other' : TENANT, events);
  }
}

const read = (at: RuntimeWorld, name: string, key: string): unknown => {
  const { state } = at.runs.read(TENANT, name, key);
  return state === null ? null : (JSON.parse(state) as unknown);
};

const poisoned = (at: RuntimeWorld): void => {
  at.core.append(TENANT, [event('sick'), event('well')]);
  at.core.append(TENANT, [event('well'), event('sick', { bad: true }), event('well')]);
  at.core.append(TENANT, [event('sick'), event('well'), event('sick')]);
};
const good = (at: RuntimeWorld) =>
  eventsOf(at.core, TENANT).filter(({ payload }) => payload['bad'] !== true);

const tagged = (tag: string) =>
  scripted(`(state, event) => ({ tag: '${tag}', n: state.n + 1 })`, { n: 0 });
const taggedModel = (at: RuntimeWorld, tag: string, last: number) =>
  byEntity(eventsOf(at.core, TENANT, last), {
    initial: { tag, n: 0 },
    fold: ({ n }) => ({ tag, n: n + 1 }),
  });

describe('a projection', () => {
  it('folds its own tenant’s events, in order, and sees appends as soon as somebody waits', async () => {
    const at = await opened();
    fill(at, 40);
    at.define('lists', scripted(LIST_ALL));
    at.define('some', { ...scripted(LIST_ALL), event_types: ['order.refunded'] });
    await at.caughtUp('lists');
    expect(at.states('lists')).toEqual(listModel(eventsOf(at.core, TENANT)));
    at.core.append(TENANT, [event('e-1'), event('e-1', {}, 'order.refunded')]);
    await at.caughtUp('lists');
    await at.caughtUp('some');
    expect(at.states('lists')).toEqual(listModel(eventsOf(at.core, TENANT)));
    expect(at.states('some')).toEqual({ 'e-1': [numbered] });
    expect(at.state('lists')).toMatchObject({
      status: 'running',
      lag_events: 0,
      lag_seconds: 0,
      stats: { events_processed: eventsOf(at.core, TENANT).length, error_count: 0 },
    });
    expect(at.runs.count(TENANT, 'lists')).toBe(23);
    const page = at.runs.page(TENANT, 'lists', { key_prefix: 'e-1', after: 'e-1', limit: 2 });
    expect(page.states.map(({ key }) => key)).toEqual(['e-10', 'e-11']);
    const behind = { key_prefix: 'e-1', after: 'e-10', offset: 1, limit: 2 };
    expect(at.runs.keys(TENANT, 'lists', behind).keys).toEqual(['e-12', 'e-13']);
  });

  it('is created, stopped, paused and started with its cursor, also across restarts', async () => {
    const at = await opened();
    fill(at, 10);
    at.define('lists', { ...scripted(LIST_ALL), wanted: 'created' });
    expect(at.state('lists')).toMatchObject({ status: 'created', live_build: null });
    expect(() => at.runs.read(TENANT, 'lists', 'e-1')).toThrow(/has not been started/);
    at.define('lists', { wanted: 'running' });
    await at.caughtUp('lists');
    for (const wanted of ['paused', 'stopped'] as const) {
      const before = at.states('lists');
      at.define('lists', { wanted });
      await until('it holds', () => at.state('lists').status === wanted);
      await at.restart();
      fill(at, 3);
      expect(
        await at.runs.waitFor(
          TENANT,
          'lists',
          position(at.core.log.head),
          AbortSignal.timeout(5_000),
        ),
      ).toBe(false);
      expect(at.states('lists')).toEqual(before);
      expect(at.state('lists')).toMatchObject({ status: wanted, live_build: 1 });
      at.define('lists', { wanted: 'running' });
      await at.caughtUp('lists');
      expect(at.states('lists')).toEqual(listModel(eventsOf(at.core, TENANT)));
    }
    at.undefine('lists');
    expect(at.runs.status(TENANT, 'lists')).toBeNull();
    await until(
      'its files are gone',
      () => readdirSync(join(at.folder, 'projections')).length === 0,
    );
  });

  it('says what its definition cannot do, and goes on when that is mended', async () => {
    const at = await opened();
    fill(at, 2);
    at.define('lists', scripted('(state, event) => {'));
    await until('it has failed', () => at.state('lists').status === 'failed');
    expect(at.state('lists').failure).toMatch(/cannot be carried out/);
    at.define('lists', { ...scripted(LIST_ALL), build: 2 });
    await at.caughtUp('lists');
    expect(at.states('lists')).toEqual(listModel(eventsOf(at.core, TENANT)));
  });
});

describe('a poison event', () => {
  it('parks its entity alone; the others flow, and a rebuild with a mended fold clears it', async () => {
    const at = await opened();
    poisoned(at);
    at.define('lists', { ...scripted(LIST_UNLESS_BAD), on_fault: { policy: 'park', retries: 2 } });
    await at.caughtUp('lists');
    const [first] = eventsOf(at.core, TENANT);
    expect(at.states('lists')).toEqual({ ...listModel(good(at)), sick: [first?.payload['n']] });
    const { parked, total } = at.runs.parked(TENANT, 'lists', { limit: 10, offset: 0 });
    expect({ total, parked }).toMatchObject({
      total: 1,
      parked: [{ entity_id: 'sick', position: 4, attempts: 3, events_waiting: 3 }],
    });
    expect(parked[0]?.reason).toMatch(/is bad/);
    expect(at.state('lists')).toMatchObject({
      status: 'running',
      parked_entities: 1,
      parked_events: 3,
    });
    // It is still bad: nothing moves, nothing is lost.
    expect(await at.runs.retryParked(TENANT, 'lists', null)).toMatchObject({ entities_freed: 0 });
    await at.restart();
    await at.caughtUp('lists');
    expect(at.runs.parked(TENANT, 'lists', { limit: 10, offset: 0 })).toMatchObject({
      parked: [{ attempts: 4, events_waiting: 3 }],
    });
    at.define('lists', { ...scripted(LIST_ALL), build: 2 });
    await until('the mended build is read', () => at.state('lists').live_build === 2);
    expect(at.states('lists')).toEqual(listModel(eventsOf(at.core, TENANT)));
    expect(at.state('lists')).toMatchObject({ parked_entities: 0, parked_events: 0 });
  });

  it('fails the projection rather than lose an event when too many entities are parked', async () => {
    const at = await opened();
    const { parkedEntitiesMax: max } = LIMITS;
    for (let i = 0; i <= max; i += 100)
      at.core.append(
        TENANT,
        Array.from({ length: 100 }, (_, j) => event(`e-${i + j}`, { bad: true })),
      );
    at.define('lists', { ...scripted(LIST_UNLESS_BAD), on_fault: { policy: 'park', retries: 0 } });
    await until('it has failed', () => at.state('lists').status === 'failed');
    expect(at.state('lists').failure).toMatch(new RegExp(`More than ${max} entities are parked`));
    expect(at.state('lists')).toMatchObject({ parked_entities: max + 1, position: max + 1 });
  });

  it('is skipped, counted and listed', async () => {
    const at = await opened();
    poisoned(at);
    at.define('lists', { ...scripted(LIST_UNLESS_BAD), on_fault: { policy: 'skip', retries: 0 } });
    await at.caughtUp('lists');
    expect(at.states('lists')).toEqual(listModel(good(at)));
    expect(at.state('lists').stats).toMatchObject({
      skipped_count: 1,
      error_count: 1,
      events_processed: 8,
    });
    expect(at.runs.skipped(TENANT, 'lists', 10)).toMatchObject([
      { entity_id: 'sick', position: 4 },
    ]);
  });

  it('stops the projection where that is the policy, and a start begins with it again', async () => {
    const at = await opened();
    poisoned(at);
    const pause = { policy: 'pause', retries: 1 } as const;
    at.define('lists', { ...scripted(LIST_UNLESS_BAD), on_fault: pause });
    await until('it has failed', () => at.state('lists').status === 'failed');
    expect(at.state('lists').failure).toMatch(/at position 4, event \S+: .*is bad/);
    const before = listModel(eventsOf(at.core, TENANT, 3));
    await at.restart();
    expect(at.state('lists')).toMatchObject({ status: 'failed', position: 3 });
    // A start that changes nothing meets the same event again.
    at.define('lists', {});
    await until('it has failed again', () => at.state('lists').stats.error_count === 2);
    await until('it says so', () => at.state('lists').status === 'failed');
    at.define('lists', { on_fault: { policy: 'skip', retries: 0 } });
    await at.caughtUp('lists');
    expect(at.states('lists')).toEqual(listModel(good(at)));
    expect(Object.keys(before)).toEqual(['sick', 'well']);
  });
});

describe('a newer build', () => {
  it('is read from one moment to the next, whole, compared, and can be rolled back at once', async () => {
    const at = await opened();
    fill(at, 100);
    at.define('counts', tagged('old'));
    await at.caughtUp('counts');
    const seen: string[] = [];
    const done = new AbortController();
    const reading = (async () => {
      while (!done.signal.aborted) {
        const page = at.runs.page(TENANT, 'counts', { limit: 1_000 });
        const states = Object.fromEntries(
          page.states.map(({ key, state }) => [key, JSON.parse(state) as unknown]),
        );
        const tag = page.build === 1 ? 'old' : 'new';
        expect(states).toEqual(taggedModel(at, tag, page.position));
        if (seen.at(-1) !== tag) seen.push(tag);
        at.core.append(TENANT, [event(`e-${numbered % 40}`)]);
        await sleep(5);
      }
    })();
    at.define('counts', { ...tagged('new'), build: 2 });
    expect(at.state('counts')).toMatchObject({ status: 'rebuilding', live_build: 1 });
    await until('the newer build is read', () => at.state('counts').live_build === 2);
    const [newest] = at.state('counts').builds;
    expect(newest).toMatchObject({ build: 2, status: 'live' });
    expect(newest?.compared ?? newest?.note).not.toBeNull();
    await sleep(100);
    at.define('counts', { pinned_build: 1 });
    expect(at.state('counts').live_build).toBe(1);
    done.abort();
    await reading;
    expect(seen).toEqual(['old', 'new']);
    await at.caughtUp('counts');
    expect(at.states('counts')).toEqual(taggedModel(at, 'old', at.core.log.head));
    await at.restart();
    expect(at.state('counts')).toMatchObject({ live_build: 1, status: 'running' });
    at.define('counts', { pinned_build: null });
    await until('the newer build is read again', () => at.state('counts').live_build === 2);
  });

  it('is compared at one position: rows, and the states of a sample of keys', async () => {
    const at = await opened();
    fill(at, 30);
    at.define('counts', tagged('same'));
    await at.caughtUp('counts');
    at.define('counts', {
      build: 2,
      ...scripted(
        `(state, event) => ({ tag: event.entity_id === 'e-3' ? 'other' : 'same', n: state.n + 1 })`,
        { n: 0 },
      ),
    });
    await until('it is read', () => at.state('counts').live_build === 2);
    expect(at.state('counts').builds[0]?.compared).toEqual({
      with_build: 1,
      position: at.core.log.head,
      rows: 23,
      rows_before: 23,
      keys_compared: 23,
      keys_equal: 22,
      examples: ['e-3'],
    });
    at.define('counts', { build: 3 });
    await until('the third is read', () => at.state('counts').live_build === 3);
    expect(at.state('counts').builds.map(({ build }) => build)).toEqual([3, 2]);
  });
});

describe('workers', () => {
  it('in parallel come to the same as one, whatever their number is changed to', async () => {
    const at = await opened();
    fill(at, 60);
    const parallel = { ...at.definition('one').config, parallel_processing: true };
    const kinds = {
      lists: scripted(LIST_ALL),
      types: { type: 'event_counter', definition: { by: 'field', field: 'n' } },
      // It has hidden keys of entities, and a state that all workers hold a part of.
      funnel: {
        type: 'funnel',
        definition: {
          steps: [{ event_type: 'order.placed' }, { event_type: 'order.paid' }],
          window_seconds: 3_600,
        },
      },
    } as const;
    for (const [kind, computed] of Object.entries(kinds)) {
      at.define(`${kind}-1`, computed);
      at.define(`${kind}-3`, { ...computed, config: { ...parallel, max_concurrency: 3 } });
    }
    const check = async () => {
      for (const kind of Object.keys(kinds)) {
        await at.caughtUp(`${kind}-1`);
        await at.caughtUp(`${kind}-3`);
        expect(at.states(`${kind}-3`)).toEqual(at.states(`${kind}-1`));
        const [keys, ofOne] = [3, 1].map(
          (n) => at.runs.keys(TENANT, `${kind}-${n}`, { limit: 100_000 }).keys,
        );
        expect(keys).toEqual(ofOne);
        expect(at.runs.count(TENANT, `${kind}-1`)).toBe(keys?.length);
        expect([null, keys?.length]).toContain(at.runs.count(TENANT, `${kind}-3`));
        expect(at.runs.read(TENANT, `${kind}-3`, '7').state).toBe(
          at.runs.read(TENANT, `${kind}-1`, '7').state,
        );
      }
    };
    await check();
    at.define('lists-3', { config: { ...parallel, max_concurrency: 2 } });
    await until('two workers are read', () =>
      at.state('lists-3').builds.every(({ workers }) => workers === 2),
    );
    fill(at, 5);
    await check();
  });

  it('that are slow or endless hold up nobody else', async () => {
    const at = await opened();
    at.define('endless', {
      ...scripted('(state, event) => { while (true) {} }'),
      on_fault: { policy: 'park', retries: 3 },
    });
    at.define('quick', scripted(LIST_ALL));
    at.define('count', {});
    fill(at, 40);
    await at.caughtUp('quick');
    await at.caughtUp('count');
    expect(at.states('quick')).toEqual(listModel(eventsOf(at.core, TENANT)));
    expect(at.state('endless').position).toBeLessThan(at.core.log.head);
  });

  it('of one process share a connection to core once they are near the end of the log', async () => {
    const at = await opened();
    fill(at, 20);
    const names = Array.from({ length: 6 }, (_, i) => `count-${i}`);
    for (const name of names) at.define(name, { definition: { by: 'entity' } });
    for (const name of names) await at.caughtUp(name);
    // Two hosts, and one connection each.
    await until('two connections are left', () => at.core.openFeeds === 2);
    for (let round = 0; round < 20; round++) {
      fill(at, 2);
      await sleep(5);
    }
    // One leaves and comes back, and finds what has come meanwhile.
    at.define('count-0', { wanted: 'stopped' });
    fill(at, 10);
    at.define('count-0', { wanted: 'running' });
    const counted = byEntity(eventsOf(at.core, TENANT), {
      initial: { count: 0 },
      fold: ({ count }) => ({ count: count + 1 }),
    });
    for (const name of names) {
      await at.caughtUp(name);
      expect(at.states(name)).toEqual(counted);
    }
    expect(at.core.openFeeds).toBeLessThan(4);
  });

  it('begin anew when the log behind core is another one', async () => {
    const at = await opened();
    fill(at, 20);
    at.define('one', scripted(LIST_ALL));
    at.define('other', scripted(LIST_ALL));
    await at.caughtUp('one');
    await at.caughtUp('other');
    await at.replaceCore();
    fill(at, 10);
    const expected = listModel(eventsOf(at.core, TENANT));
    for (const name of ['one', 'other']) {
      await until('it stands in the other log', () => at.state(name).position === at.core.log.head);
      await at.caughtUp(name);
      expect(at.states(name)).toEqual(expected);
    }
  });

  it('whose files are damaged or gone build them again', async () => {
    const at = await opened();
    fill(at, 40);
    at.define('lists', scripted(LIST_ALL));
    await at.caughtUp('lists');
    const files = () =>
      readdirSync(join(at.folder, 'projections'), { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.sqlite(-wal)?$/.test(name))
        .map((name) => join(at.folder, 'projections', name));
    const expected = listModel(eventsOf(at.core, TENANT));
    const noDatabase = 'no database at all, but long enough to be one'.repeat(200);
    await at.restart(() => {
      for (const file of files()) writeFileSync(file, noDatabase);
    });
    await at.caughtUp('lists');
    expect(at.states('lists')).toEqual(expected);
    await at.restart(() => rmSync(join(at.folder, 'projections'), { recursive: true }));
    await at.caughtUp('lists');
    expect(at.states('lists')).toEqual(expected);
    expect(read(at, 'lists', 'nobody')).toBeNull();
  });
});

describe('lag', () => {
  it('is shown, and a projection that does not get on is stalled, with the reason', async () => {
    const at = await opened({ stalledAfterMs: 300 });
    fill(at, 5);
    at.define('lists', scripted(LIST_ALL));
    await at.caughtUp('lists');
    at.core.refuseFeeds(true);
    fill(at, 4);
    await until('it is stalled', () => at.state('lists').is_stalled);
    expect(at.state('lists')).toMatchObject({ lag_events: 40, status: 'running' });
    expect(at.state('lists').lag_seconds).toBeGreaterThan(0);
    expect(at.state('lists').stalled_reason).toMatch(/feed|Core/);
    at.core.refuseFeeds(false);
    await at.caughtUp('lists');
    at.runs.status(TENANT, 'lists');
    await until('it is not stalled', () => !at.state('lists').is_stalled);
  });

  it('comes of a disk that refuses, too; what was folded is kept and saved when it takes it again', async () => {
    const at = await opened({ stalledAfterMs: 300 });
    fill(at, 5);
    at.define('lists', scripted(LIST_ALL));
    await at.caughtUp('lists');
    const [file] = readdirSync(join(at.folder, 'projections'), {
      recursive: true,
      encoding: 'utf8',
    })
      .filter((name) => name.endsWith('.sqlite'))
      .map((name) => join(at.folder, 'projections', name));
    const other = new Database(file);
    other.exec('BEGIN IMMEDIATE');
    fill(at, 2);
    await until('it is stalled', () => at.state('lists').is_stalled);
    expect(at.state('lists').stalled_reason).toMatch(/cannot be saved: .*locked/);
    other.exec('ROLLBACK');
    other.close();
    await at.caughtUp('lists');
    expect(at.states('lists')).toEqual(listModel(eventsOf(at.core, TENANT)));
  });
});
