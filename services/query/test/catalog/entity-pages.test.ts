import { expect, it } from '@jest/globals';
import type { WindowBounds } from '../../src/catalog/sorted-window.ts';
import { TenantCatalog } from '../../src/catalog/tenant-catalog.ts';
import { soughtEntity } from '../../src/history/entity-hash.ts';
import { Random, propertySeed } from '../support/random.ts';

const ENTITIES = 60_000;
const SORTED = 20_000;

/** A catalog's tallies with entities noted by name, without a history. */
function filledCatalog(
  count = ENTITIES,
  nameOf = (i: number) => `order-${i}`,
  timeOf = (i: number) => i,
) {
  const catalog = new TenantCatalog('acme');
  const { entities, types } = catalog.tallies;
  const type = types.numberOf('a.b');
  const names = Array.from({ length: count }, (_, i) => Buffer.from(nameOf(i)));
  const numbers = names.map((bytes) =>
    entities.numberOfName({
      bytes,
      start: 0,
      end: bytes.length,
      hash: soughtEntity('acme', bytes.toString()).hash,
      owner: 0,
    }),
  );
  const versions = new Uint32Array(count);
  let position = 0;
  const note = (entity: number, timestamp: number) => {
    versions[entity] = (versions[entity] ?? 0) + 1;
    const version = versions[entity] ?? 0;
    entities.note(numbers[entity] ?? 0, { type, timestamp, position: ++position, version });
  };
  for (let entity = 0; entity < count; entity++) note(entity, timeOf(entity));
  return { catalog, note };
}

/** Lets others run at each look, and counts. */
function restless() {
  const pace = {
    turns: 0,
    isTurnOver: true,
    nextTurn: async (): Promise<void> => {
      pace.turns++;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    },
  };
  return pace;
}

async function rowsOf(catalog: TenantCatalog, order: 'asc' | 'desc', bounds: WindowBounds) {
  const page = await catalog.entities(order, bounds, restless());
  return { rows: [...page.rows], total: page.total };
}

it('a page of many entities is of the moment it was asked for, while others are noted in its turns', async () => {
  const random = new Random(propertySeed('entity pages property'));
  const { catalog, note } = filledCatalog();
  for (const order of ['desc', 'asc'] as const) {
    const offset = random.below(50) + (order === 'asc' ? 30_000 : 0);
    const bounds = { offset, limit: 100 };
    const quiet = await rowsOf(catalog, order, bounds);
    let turns = 0;
    const state = { isDone: false };
    const asked = rowsOf(catalog, order, bounds).finally(() => {
      state.isDone = true;
    });
    while (!state.isDone) {
      // The entities of the page itself are noted too, with times that would move them.
      for (let i = 0; i < 200; i++) note(random.below(ENTITIES), 10_000_000 + turns * 200 + i);
      for (const { entity } of quiet.rows.slice(0, 5))
        note(Number(entity.slice(6)), 10_000_000 + turns * 200);
      turns++;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    expect(await asked).toEqual(quiet);
    expect(turns).toBeGreaterThan(1);
    expect(await rowsOf(catalog, order, bounds)).not.toEqual(quiet);
  }
});

it('any page of many entities is that of a list sorted by time and then by id, and others run in between', async () => {
  const random = new Random(propertySeed('entity order property'));
  // Times that many share, and ids that UTF-8 and UTF-16 put in different orders, some too long for a record.
  const names = Array.from({ length: SORTED }, (_, i) => {
    const mark = random.pick(['a', 'é', '\u{ffee}', '\u{1f600}', 'x'.repeat(random.below(60))]);
    return `${random.pick(['', 'order-'])}${mark}${i}`;
  });
  const times = names.map(() => random.pick([0, 1_000, random.below(2 ** 48)]));
  const { catalog } = filledCatalog(
    SORTED,
    (i) => names[i] ?? '',
    (i) => times[i] ?? 0,
  );
  const byId = names.map((entity, i) => ({ entity, time: times[i] ?? 0 }));
  byId.sort((a, b) => (a.entity < b.entity ? -1 : 1));
  for (const order of ['desc', 'asc'] as const) {
    const sign = order === 'asc' ? 1 : -1;
    const sorted = byId.toSorted((a, b) => sign * (a.time - b.time)).map(({ entity }) => entity);
    const all = restless();
    expect((await catalog.entities(order, { offset: 0, limit: null }, all)).rows).toHaveLength(
      SORTED,
    );
    expect(all.turns).toBeGreaterThan(15);
    const windows = [
      { offset: 0, limit: null },
      { offset: 0, limit: random.below(1_000) },
      { offset: random.below(SORTED), limit: 20 },
      { offset: random.below(SORTED), limit: random.below(SORTED) },
      { offset: SORTED, limit: 5 },
    ];
    for (const window of windows) {
      const { rows } = await catalog.entities(order, window, restless());
      const end = window.limit === null ? undefined : window.offset + window.limit;
      const found = Array.from(rows, ({ entity }) => entity);
      // As texts: lists this long take the matcher seconds.
      expect(found.join('\n')).toBe(sorted.slice(window.offset, end).join('\n'));
    }
  }
});

it('times of all centuries are told apart to the microsecond', async () => {
  const random = new Random(propertySeed('entity centuries'));
  const instants = [-8_520_336_000_000_000, -1, 1_577_836_800_000_000, Number.MAX_SAFE_INTEGER - 9];
  const names = Array.from({ length: 3_000 }, (_, i) => `e-${i}`);
  const times = names.map(() => random.pick(instants) + random.below(10));
  const { catalog } = filledCatalog(
    names.length,
    (i) => names[i] ?? '',
    (i) => times[i] ?? 0,
  );
  const byId = names.map((entity, i) => ({ entity, time: times[i] ?? 0 }));
  byId.sort((a, b) => (a.entity < b.entity ? -1 : 1));
  for (const order of ['desc', 'asc'] as const) {
    const sorted = byId.toSorted((a, b) => (order === 'asc' ? 1 : -1) * (a.time - b.time));
    const { rows } = await catalog.entities(order, { offset: 0, limit: null }, restless());
    expect(Array.from(rows, ({ entity }) => entity)).toEqual(sorted.map(({ entity }) => entity));
  }
});
