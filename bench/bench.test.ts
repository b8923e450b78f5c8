/** The arithmetic of the report, and that a run comes to its table. Nothing here asserts on a time or a rate. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { benchEvent, eventJson } from './event.ts';
import { isVoid, median, percentile, range, summarize } from './statistics.ts';

describe('statistics', () => {
  it('takes the middle value, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('takes percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile([7], 0.001)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });

  it('sums up latencies in any order', () => {
    const latenciesMs = Array.from({ length: 1000 }, (_, index) => 1000 - index);
    expect(summarize(latenciesMs)).toEqual({ p50Ms: 500, p99Ms: 990, p999Ms: 999, maxMs: 1000 });
    expect(range([2, 9, 4])).toEqual({ min: 2, max: 9 });
  });

  it('calls a run void when its floor moved by more than a quarter, up or down', () => {
    expect(isVoid({ beforeMs: 0.2, afterMs: 0.249 })).toBe(false);
    expect(isVoid({ beforeMs: 0.2, afterMs: 0.251 })).toBe(true);
    expect(isVoid({ beforeMs: 0.2, afterMs: 0.151 })).toBe(false);
    expect(isVoid({ beforeMs: 0.2, afterMs: 0.149 })).toBe(true);
  });
});

describe('the event', () => {
  it('is JSON of the size asked for', () => {
    for (const bytes of [200, 400, 1000]) {
      const text = eventJson(benchEvent({ entity: 'order-17', bytes }));
      expect(text).toHaveLength(bytes);
      expect(JSON.parse(text)).toMatchObject({ entity_id: 'order-17' });
    }
  });
});

describe('a quick run', () => {
  it('comes to a table, a file and a chart', () => {
    const results = mkdtempSync(join(tmpdir(), 'allsource-bench-'));
    try {
      const script = join(import.meta.dirname, 'run.ts');
      const flags = ['--quick', '--only=P1', '--no-peers', '--repetitions=1', '--seconds=0.1'];
      const run = spawnSync(process.execPath, [script, ...flags, `--results=${results}`], {
        encoding: 'utf8',
      });
      expect(run.stderr).not.toMatch(/Error/);
      expect(run.stdout).toMatch(/^P1 +AllSource core +Node +[\d.,]+/m);
      const report: unknown = JSON.parse(readFileSync(join(results, 'latest.json'), 'utf8'));
      expect(report).toMatchObject({ measurements: [{ caseName: 'P1', fault: null }] });
      expect(readFileSync(join(results, 'latest.svg'), 'utf8')).toMatch(/^<svg /);
    } finally {
      rmSync(results, { recursive: true, force: true });
    }
  });
});
