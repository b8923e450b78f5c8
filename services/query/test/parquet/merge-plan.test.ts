import { describe, expect, it } from '@jest/globals';
import {
  type CompactionStrategy,
  MERGE_AGE_MS,
  mergePlan,
} from '../../src/parquet/compaction/merge-plan.ts';
import type { ParquetFile } from '../../src/parquet/folder/manifest.ts';
import { RULES } from './parquet-world.ts';

const MB = 1024 * 1024;
const NOW = 10 * MERGE_AGE_MS;

/** Files of these sizes in MB, by their place. A negative size: written within the last day. */
function filesOf(sizes: readonly number[]): ParquetFile[] {
  return sizes.map((size, i) => ({
    name: String(i),
    rows: 1,
    bytes: Math.abs(size) * MB,
    checksum: 0,
    firstPosition: i * 10 + 1,
    lastPosition: i * 10 + 5,
    createdAtMs: NOW - MERGE_AGE_MS + (size < 0 ? 1 : 0),
  }));
}

function plan(strategy: CompactionStrategy, sizes: readonly number[]): number[][] {
  const groups = mergePlan({ files: filesOf(sizes), strategy, rules: RULES, nowMs: NOW });
  return groups.map((group) => group.map(({ name }) => Number(name)));
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('the plan of a compaction', () => {
  it.each([
    ['none', [], []],
    ['two small ones', [1, 1], []],
    ['three small ones', [1, 1, 1], [[0, 1, 2]]],
    ['small ones apart', [1, 1, 10, 1, 1], []],
    [
      'small ones on both sides of one that is not',
      [1, 1, 1, 10, 1, 9, 1],
      [
        [0, 1, 2],
        [4, 5, 6],
      ],
    ],
    [
      'as many as reach the target size',
      Array.from({ length: 20 }, () => 8),
      [range(0, 16), range(16, 20)],
    ],
    [
      'what is left when the target is reached',
      Array.from({ length: 18 }, () => 8),
      [range(0, 16)],
    ],
  ] as const)('by size takes of %s what follows each other and is enough', (_, sizes, groups) => {
    expect(plan('sizebased', sizes)).toEqual(groups);
  });

  it.each([
    ['a day old and below the target', [100, 1, 127], [[0, 1, 2]]],
    ['a moment younger', [-1, -1, -1], []],
    ['at the target', [1, 1, 128, 1, 1], []],
    ['old beside young', [1, 1, 1, -1, 1], [[0, 1, 2]]],
  ] as const)('by time takes files that are %s', (_, sizes, groups) => {
    expect(plan('timebased', sizes)).toEqual(groups);
  });

  it.each([
    ['one file', [5], []],
    ['two files', [5, -100], [[0, 1]]],
    [
      'all files, up to the largest size',
      [200, 50, 10, 200, 56],
      [
        [0, 1],
        [2, 3],
      ],
    ],
    [
      'files around one of the largest size',
      [1, 1, 256, 1, 1],
      [
        [0, 1],
        [3, 4],
      ],
    ],
  ] as const)('of everything takes %s', (_, sizes, groups) => {
    expect(plan('fullcompaction', sizes)).toEqual(groups);
  });

  it('never goes beyond the largest size', () => {
    const sizes = range(0, 60).map((i) => ((i * 37) % 97) + 1);
    for (const strategy of ['sizebased', 'timebased', 'fullcompaction'] as const) {
      const groups = plan(strategy, sizes);
      for (const group of groups) {
        const bytes = group.reduce((sum, i) => sum + (sizes[i] ?? 0), 0);
        expect(bytes).toBeLessThanOrEqual(256);
        expect(group).toEqual(range(group[0] ?? 0, (group.at(-1) ?? 0) + 1));
      }
      expect(strategy === 'sizebased' || groups.length > 3).toBe(true);
    }
  });
});
