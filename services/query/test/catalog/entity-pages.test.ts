import { expect, it } from '@jest/globals';
import { TenantCatalog } from '../../src/catalog/tenant-catalog.ts';
import { hashOfEntity } from '../../src/history/entity-hash.ts';
import { Random, propertySeed } from '../support/random.ts';

const ENTITIES = 60_000;

/** A catalog's tallies with entities noted by name, without a history. */
function filledCatalog() {
  const catalog = new TenantCatalog('acme');
  const { entities, types } = catalog.tallies;
  const type = types.numberOf('a.b');
  const names = Array.from({ length: ENTITIES }, (_, i) => Buffer.from(`order-${i}`));
  const numbers = names.map((bytes) =>
    entities.numberOfName({
      bytes,
      start: 0,
      end: bytes.length,
      hash: hashOfEntity('acme', bytes.toString()),
      owner: 0,
    }),
  );
  const versions = new Uint32Array(ENTITIES);
  let position = 0;
  const note = (entity: number, timestamp: number) => {
    versions[entity] = (versions[entity] ?? 0) + 1;
    const version = versions[entity] ?? 0;
    entities.note(numbers[entity] ?? 0, { type, timestamp, position: ++position, version });
  };
  for (let entity = 0; entity < ENTITIES; entity++) note(entity, entity);
  return { catalog, note };
}

it('a page of many entities is of the moment it was asked for, while others are noted in its turns', async () => {
  const random = new Random(propertySeed('entity pages property'));
  const { catalog, note } = filledCatalog();
  for (const order of ['desc', 'asc'] as const) {
    const bounds = { offset: random.below(50), limit: 100 };
    const quiet = await catalog.entities(order, bounds);
    let turns = 0;
    const state = { isDone: false };
    const asked = catalog.entities(order, bounds).finally(() => {
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
    expect(await catalog.entities(order, bounds)).not.toEqual(quiet);
  }
});
