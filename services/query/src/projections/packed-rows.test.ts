import { describe, expect, it } from '@jest/globals';
import { RowPacker, type Row, rowsOf } from './packed-rows.ts';

const LARGE = 3 * 1024 * 1024;

function packed(rows: readonly Row[]) {
  const packer = new RowPacker();
  for (const row of rows) packer.add(row);
  return packer.chunks();
}

describe('packed rows', () => {
  it('come out as they went in, in their order, whatever their texts and sizes', () => {
    const base = { projection: 1, tenant: 'acme', generation: 0 };
    const rows: Row[] = [
      { ...base, key: 'plain', state: '{"a":1}' },
      { ...base, key: 'none', state: null },
      { ...base, key: '', state: '' },
      {
        ...base,
        projection: 65_535,
        generation: 4_294_967_295,
        key: 'größe-漢字-🎈',
        state: '"🎈ü"',
      },
      { ...base, tenant: 'ten-ü', key: 'large', state: `"${'漢'.repeat(LARGE / 3)}"` },
      ...Array.from({ length: 30_000 }, (_, i) => ({
        ...base,
        key: `key-${i}`,
        state: `{"n":${i},"x":"${'y'.repeat(i % 100)}"}`,
      })),
      { ...base, key: 'large at the end', state: 'x'.repeat(LARGE) },
    ];
    const chunks = packed(rows);
    expect(chunks.length).toBeGreaterThan(4);
    const read = [...rowsOf(chunks)];
    expect(read).toHaveLength(rows.length);
    expect(
      read.every((row, i) => JSON.stringify(row) === JSON.stringify({ ...base, ...rows[i] })),
    ).toBe(true);
  });

  it('are no chunks where there are none', () => {
    expect(packed([])).toEqual([]);
  });
});
