/** The arithmetic of the report, and that a run comes to its table. Nothing here asserts on a time or a rate. */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { CompiledSchema } from '@allsource/schemas/json-schema';
import { bytesUsed } from './cases/disk-per-event.ts';
import { generatedLines, loggedEvents } from './cases/logged-events.ts';
import { steadiness } from './cases/sustained.ts';
import { benchEvent, eventJson } from './event.ts';
import { retrying, waitBoundMs } from './load/backoff.ts';
import { runClosedLoop } from './load/closed-loop.ts';
import { type Measurement, measurementOf, type Sample } from './measurement.ts';
import { readOptions } from './options.ts';
import { type BenchReport, reportText } from './report.ts';
import { isVoid, median, percentile, range, summarize } from './statistics.ts';
import { schemaOfEvents } from './support/strict-schemas.ts';

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

describe('the schema of the events', () => {
  it('fits the payload of each, however long its entity id is and whatever room that leaves', () => {
    for (let bytes = 150; bytes <= 260; bytes++) {
      const schema = new CompiledSchema(schemaOfEvents(bytes));
      for (const entity of ['e', 'order-17', `${randomUUID()}-99`]) {
        const { payload } = benchEvent({ entity, bytes });
        expect([bytes, entity, schema.explain(JSON.parse(payload), 10_000)]).toEqual([
          bytes,
          entity,
          [],
        ]);
      }
    }
  });
});

describe('a client that expects versions', () => {
  it('tries again at once with the version that the refusal named', async () => {
    const tried: number[] = [];
    const client = retrying({
      appendAt(version) {
        tried.push(version);
        return Promise.resolve({ isAppended: version === 7, version: version === 7 ? 8 : 7 });
      },
      close: () => Promise.resolve(),
    });
    let retries = 0;
    await client.call(() => (retries += 1) > 0);
    expect(tried).toEqual([0, 7]);
    expect(retries).toBe(1);
  });

  it('waits after every second conflict, twice as long each time, up to a bound', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 40].map(waitBoundMs);
    expect(bounds).toEqual([0, 16, 0, 32, 0, 64, 1024]);
  });

  it('gives up when the run is over', async () => {
    const client = retrying({
      appendAt: () => Promise.resolve({ isAppended: false, version: 1 }),
      close: () => Promise.resolve(),
    });
    await expect(client.call(() => false)).resolves.toBeUndefined();
  });
});

describe('a closed loop', () => {
  it('ends with as many events as it may make, and counts retries', async () => {
    let isRetried = false;
    const client = {
      async call(mayRetry: () => boolean) {
        await new Promise(setImmediate);
        if (!isRetried) isRetried = mayRetry();
      },
      close: () => Promise.resolve(),
    };
    const options = { clients: [client], eventsPerCall: 10, warmupMs: 0, durationMs: 60_000 };
    const { events, retries } = await runClosedLoop({ ...options, eventsMax: 50 });
    expect({ events, retries }).toEqual({ events: 50, retries: 1 });
  });
});

describe('the long run', () => {
  const latency = { p50Ms: 1, p99Ms: 1, p999Ms: 1, maxMs: 1 };
  const result = { calls: 1, events: 1, seconds: 1, retries: 0, latency };

  it('compares its last minute with its first, or its halves where it is shorter', () => {
    const long = [...Array<number>(60).fill(100), 7, ...Array<number>(60).fill(95)];
    expect(steadiness({ ...result, eventsEachSecond: long })).toMatch(/last 60 s at 95\.0 %/);
    expect(steadiness({ ...result, eventsEachSecond: [10, 5] })).toMatch(/last 1 s at 50\.0 %/);
    expect(steadiness({ ...result, eventsEachSecond: [10] })).toMatch(/too short/);
  });
});

describe('the size on the disk', () => {
  it('counts what is in the files, without the zeros at their ends', () => {
    const folder = mkdtempSync(join(tmpdir(), 'allsource-bench-'));
    try {
      const padded = Buffer.alloc(3 * 1024 * 1024);
      padded[4] = 1;
      mkdirSync(join(folder, 'below'));
      writeFileSync(join(folder, 'below', 'padded'), padded);
      writeFileSync(join(folder, 'zeros'), Buffer.alloc(10));
      writeFileSync(join(folder, 'text'), 'abc');
      expect(bytesUsed(folder)).toBe(8);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('is taken of the logs of a folder, or of the same generated events every time', () => {
    const generated = loggedEvents(10, null);
    expect(generated.source).toMatch(/^generated, seed \d+$/);
    expect(generated.events).toHaveLength(10);
    expect(generatedLines().slice(0, 100)).toEqual(generatedLines().slice(0, 100));
    const folder = mkdtempSync(join(tmpdir(), 'bench-'));
    try {
      expect(() => loggedEvents(10, folder)).toThrow(/no events in/);
      const line = '{"event_type":"a","entity_id":"b","payload":{"c":1},"timestamp":"2026-01-01"}';
      writeFileSync(join(folder, 'log.ndjson.gz'), gzipSync(`${line}\n${line}\n`));
      const logged = loggedEvents(10, folder);
      expect(logged).toMatchObject({ source: 'real logs', events: [{ line }, { entity: 'b' }] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function called(option: string) {
  const program = join(import.meta.dirname, 'run.ts');
  return spawnSync(process.execPath, [program, option], { encoding: 'utf8' });
}

describe('the options', () => {
  it('refuse a case that there is not, and say which there are', () => {
    expect(readOptions(['--only=P18', '--sustain=600']).sustainMs).toBe(600_000);
    const refused = called('--only=P1,P99');
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/^--only names P99, which is no case\.\nUsage: [^]*P18 P19/);
    expect(called('--seconds=0').stderr).toMatch(/^--seconds is 0; it must be a number above 0/);
    expect(called('--help')).toMatchObject({ status: 0, stderr: '' });
  });
});

const sample = (value: number, kind: 'valid' | 'void' = 'valid'): Sample => ({
  value,
  latency: { p50Ms: 1.5, p99Ms: 123.4, maxMs: 1234.5 },
  floorBeforeMs: 0.2,
  floorAfterMs: 0.2,
  isVoid: kind === 'void',
  loadAverage: 0,
});
const row = (subject: string, samples: Sample[]): Measurement =>
  measurementOf({ caseName: 'P5', title: 'batches', unit: 'events/s', subject, samples });
const reportOf = (measurements: Measurement[]): string =>
  reportText({
    takenAt: '2026-01-01T00:00:00.000Z',
    machine: {
      processor: 'a processor',
      processors: 2,
      memoryGiB: 8,
      kernel: '6',
      node: 'v24',
      fileSystem: 'ext4',
      commit: 'abc',
    },
    loadAverageBefore: 0,
    loadAverageAfter: 1,
    options: readOptions([]),
    subjects: [],
    notMeasured: [],
    measurements,
  } satisfies BenchReport);

describe('the report', () => {
  it('ends with the share of the ingest probe that core reaches', () => {
    const text = reportOf([
      row('AllSource core', [sample(900_000), sample(800_000), sample(1, 'void')]),
      row('ingest probe', [sample(1_000_000)]),
    ]);
    expect(text).toMatch(
      /over the ingest probe \(aim: 0\.75 in batches\):\n +P5 batches, Node: 0\.85$/,
    );
  });

  it('folds a long line between words', () => {
    const note = 'a word and '.repeat(40).trim();
    const text = reportOf([row('AllSource core', [{ ...sample(1), note }])]);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(text.replaceAll(/\s+/g, ' ')).toContain(note);
  });

  it('fits 120 columns, and says which runs are void', () => {
    const text = reportOf([
      row('message-db functions', Array<Sample>(5).fill(sample(1_234_567, 'void'))),
    ]);
    const table = text.split('\n').filter((line) => /^(subject|message-db)/.test(line));
    expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(120);
    expect(table[1]).toMatch(/1,234,567 VOID.* 0\/5$/);
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
      expect(run.stdout).toMatch(/^-- P1 .*: events\/s\nAllSource core +Node +[\d.,]+/m);
      const report: unknown = JSON.parse(readFileSync(join(results, 'latest.json'), 'utf8'));
      expect(report).toMatchObject({
        measurements: expect.arrayContaining([
          expect.objectContaining({ caseName: 'P1', subject: 'AllSource core', fault: null }),
        ]),
      });
      expect(readFileSync(join(results, 'latest.svg'), 'utf8')).toMatch(/^<svg /);
    } finally {
      rmSync(results, { recursive: true, force: true });
    }
  });
});
