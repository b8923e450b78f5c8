import { describe, expect, it } from '@jest/globals';
import { sortedWindow } from '../../src/catalog/sorted-window.ts';
import { defaultBudget } from '../../src/reads/query-budget.ts';
import { entityHash, sortedOrder, tenantSeed } from '../../src/history/entity-hash.ts';
import { NameTable } from '../../src/history/name-table.ts';
import { propertySeed, Random } from '../support/random.ts';

describe('a window of a sorted list', () => {
  it('is the slice of the whole list sorted, whatever its size', async () => {
    const random = new Random(propertySeed('sorted window property'));
    for (let round = 0; round < 120; round++) {
      const count = random.pick([0, 1, 10, 3_000, 9_000]);
      const values = Array.from({ length: count }, () => random.below(50));
      const compare = (a: number, b: number) => (values[a] ?? 0) - (values[b] ?? 0) || a - b;
      const offset = random.pick([0, 1, 5, 1_500, 20_000]);
      const limit = random.pick([null, 0, 1, 20, 700, 5_000]);
      const sorted = values.map((_, i) => i).sort(compare);
      const expected = sorted.slice(offset, limit === null ? undefined : offset + limit);
      const window = await sortedWindow({ count, compare }, { offset, limit }, defaultBudget());
      expect(Array.from(window)).toEqual(expected);
    }
  });
});

describe('a table of names', () => {
  it('numbers names as a map does, also when hashes collide', () => {
    const random = new Random(propertySeed('name table property'));
    const table = new NameTable();
    const model = new Map<string, number>();
    for (let i = 0; i < 6_000; i++) {
      const text = random.pick(['ü', 'e-', 'order-']) + random.below(1_000);
      const owner = random.below(3);
      const bytes = Buffer.from(`..${text}..`);
      const range = { start: 2, end: bytes.length - 2 };
      // Few different hashes: nearly every name meets others of the same hash.
      const hash = entityHash(tenantSeed('t'), bytes, range) % 256;
      const key = `${owner} ${text}`;
      const name = { ...range, bytes, hash, owner };
      expect(table.find(name)).toBe(model.get(key) ?? -1);
      const number = table.numberOf(name);
      if (!model.has(key)) model.set(key, model.size);
      expect(number).toBe(model.get(key));
      expect(table.name(number)).toBe(text);
    }
    expect(table.count).toBe(model.size);
  });
});

describe('the order of hashes', () => {
  it('sorts them and keeps equal ones in place', () => {
    const random = new Random(propertySeed('hash order property'));
    const hashes = Uint32Array.from({ length: 5_000 }, () =>
      random.chance(0.5) ? random.below(2 ** 32) : random.below(9),
    );
    const expected = [...hashes.keys()].sort(
      (a, b) => (hashes[a] ?? 0) - (hashes[b] ?? 0) || a - b,
    );
    expect([...sortedOrder(hashes)]).toEqual(expected);
  });
});
