/**
 * Real logs, exported by the command in each of its formats and opened again with libraries that are not ours; and taken into a second store, where they are the same
 * events.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventLog, eventLog } from '@allsource/testkit';
import { tableFromIPC } from 'apache-arrow';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { Command, run } from '../support/command.ts';
import { DATA_FOLDER, REPOSITORY, RunningStore } from '../support/running-store.ts';

const tempFolder = mkdtempSync(join(tmpdir(), 'allsource-export-'));
const logs: readonly EventLog[] = (['permits', 'incidents'] as const).map((name) =>
  eventLog(name, { dataFolder: DATA_FOLDER, tempFolder }),
);
const all = logs.flatMap((log) => log.events);

/** An event as every format tells it: who, what, when, and the payload's text. */
type Told = readonly [
  position: number,
  entity: string,
  type: string,
  timestamp: number,
  payload: string,
];

const expected: readonly Told[] = all.map((event, i) => [
  i + 1,
  event.entity_id,
  event.event_type,
  Date.parse(event.timestamp),
  event.payloadText,
]);

/** Holds events against those of the files. Positions of the store's own events lie between, so only the order of positions is looked at. */
function expectAll(told: readonly Told[]): void {
  const sorted = told.every(([position], i) => i === 0 || position > (told[i - 1]?.[0] ?? 0));
  expect([sorted, told.length]).toEqual([true, expected.length]);
  // One by one: a comparison of the whole lists takes far longer.
  const text = (event: Told | undefined) => JSON.stringify(event?.slice(1));
  const wrong = told.findIndex((event, i) => text(event) !== text(expected[i]));
  expect(told[wrong]).toEqual(expected[wrong]);
}

function payloadOf(line: string): string {
  const start = line.indexOf('"payload":') + '"payload":'.length;
  return line.slice(start, line.lastIndexOf(',"timestamp":"'));
}

interface Line {
  readonly position: number;
  readonly entity_id: string;
  readonly event_type: string;
  readonly timestamp: string;
  readonly version: number;
  readonly id: string;
}

function toldByLines(text: string): Told[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const event = JSON.parse(line) as Line;
      const { position, entity_id, event_type, timestamp } = event;
      return [position, entity_id, event_type, Date.parse(timestamp), payloadOf(line)];
    });
}

function toldByArrow(bytes: Buffer): Told[] {
  const table = tableFromIPC(bytes);
  const column = (name: string) => [...(table.getChild(name) ?? [])] as unknown[];
  const [positions, entities, types] = ['position', 'entity_id', 'event_type'].map(column);
  const [times, payloads] = ['timestamp', 'payload'].map(column);
  return Array.from(
    { length: table.numRows },
    (_, i): Told => [
      Number(positions?.[i]),
      String(entities?.[i]),
      String(types?.[i]),
      Number(times?.[i]),
      String(payloads?.[i]),
    ],
  );
}

/** The lines without what each store gives an event itself. */
function lasting(text: string): string[] {
  const own = /^\{"id":"[^"]*",|,"recorded_at":"[^"]*","position":\d+\}$/g;
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.replaceAll(own, ''));
}

/** A reader of RFC 4180 that knows nothing but its rules. */
function csvRecords(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  for (let match = field.exec(text); match !== null; match = field.exec(text)) {
    record.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === ',') continue;
    records.push(record);
    record = [];
  }
  expect(record).toEqual([]);
  return records;
}

describe('allsource export', () => {
  let store: RunningStore;

  beforeAll(async () => {
    console.info(`input: ${logs.map((log) => log.origin).join('; ')}`);
    store = await RunningStore.start();
    for (const log of logs) await run(store, ['import', log.file]);
  });

  afterAll(async () => {
    await store?.remove();
    rmSync(tempFolder, { recursive: true, force: true });
  });

  async function exported(name: string, args: readonly string[] = []): Promise<string> {
    const file = join(tempFolder, name);
    const command = await run(store, ['export', '--out', file, '--json', ...args]);
    expect([await command.exitCode, command.stderr]).toEqual([0, expect.anything()]);
    const [summary] = command.lines<{ events: number; bytes: number }>();
    expect(summary?.bytes).toBe(readFileSync(file).length);
    return file;
  }

  // oxlint-disable-next-line jest/expect-expect -- expectAll expects.
  it('writes NDJSON that holds every event', async () => {
    expectAll(toldByLines(readFileSync(await exported('all.ndjson'), 'utf8')));
  });

  it('writes NDJSON that a second store takes in as the same events', async () => {
    const [type = ''] = all[0]?.event_type.split('.') ?? [];
    const file = await exported('some.ndjson', ['--type', `${type}.*`]);
    const second = await RunningStore.start();
    try {
      const taken = await run(second, ['import', file]);
      expect([await taken.exitCode, taken.stderr]).toEqual([0, expect.anything()]);
      const again = await run(second, ['export']);
      expect(await again.exitCode).toBe(0);
      const lines = lasting(readFileSync(file, 'utf8'));
      expect(lines).toHaveLength(logs[0]?.events.length ?? 0);
      expect(lasting(again.stdout).join('\n') === lines.join('\n')).toBe(true);
    } finally {
      await second.remove();
    }
  });

  it('writes CSV that a reader of RFC 4180 takes apart', async () => {
    const text = readFileSync(await exported('all.csv'), 'utf8');
    const [header, ...records] = csvRecords(text);
    expect(header?.join()).toBe(
      'position,id,event_type,entity_id,tenant_id,version,timestamp,recorded_at,payload,metadata',
    );
    const told = records.map(
      ([position, , type = '', entity = '', , , timestamp = '', , payload = '']): Told => [
        Number(position),
        entity,
        type,
        Date.parse(timestamp),
        payload,
      ],
    );
    expectAll(told);
  });

  // oxlint-disable-next-line jest/expect-expect -- expectAll expects.
  it('writes an Arrow stream that apache-arrow opens', async () => {
    expectAll(toldByArrow(readFileSync(await exported('all.arrow'))));
  });

  // oxlint-disable-next-line jest/expect-expect -- expectAll expects.
  it('goes on over a kill -9 of every process in its middle', async () => {
    const file = join(tempFolder, 'killed.arrow');
    const command = new Command(store, ['export', '--out', file]);
    const draft = () => readdirSync(tempFolder).find((name) => name.endsWith('.part'));
    while (command.process.exitCode === null) {
      const name = draft();
      if (name !== undefined && statSync(join(tempFolder, name)).size > 200_000) break;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (command.process.exitCode !== null) console.info('the export was quicker than the kill');
    await store.killAll();
    await store.launch();
    expect([await command.exitCode, command.stderr]).toEqual([0, expect.anything()]);
    expectAll(toldByArrow(readFileSync(file)));
  });

  it('writes Parquet that hyparquet and DuckDB open', async () => {
    const path = await exported('all.parquet');
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([
      50_000,
      all.length - 50_000,
    ]);
    const rows = await parquetReadObjects({ file, compressors });
    const told = rows.map(
      (row): Told => [
        Number(row['position']),
        String(row['entity_id']),
        String(row['event_type']),
        (row['timestamp'] as Date).getTime(),
        String(row['payload']),
      ],
    );
    expectAll(told);
    await askDuckDb(path);
  });

  it('keeps to the filters, and to the order of the log', async () => {
    const [type = ''] = all[0]?.event_type.split('.') ?? [];
    const file = await exported('some.csv', ['--type', `${type}.*`, '--limit', '100']);
    const records = csvRecords(readFileSync(file, 'utf8')).slice(1);
    expect(records.map((record) => record[3])).toEqual(
      all
        .filter((event) => event.event_type.startsWith(`${type}.`))
        .slice(0, 100)
        .map((event) => event.entity_id),
    );
    const entity = all[5]?.entity_id ?? '';
    const piped = await run(store, ['export', '--entity', entity]);
    expect(await piped.exitCode).toBe(0);
    expect(toldByLines(piped.stdout).map(([, id]) => id)).toEqual(
      all.filter((event) => event.entity_id === entity).map((event) => event.entity_id),
    );
  });

  it('is answered by core as by the gateway', async () => {
    const entity = encodeURIComponent(all[5]?.entity_id ?? '');
    const path = `/api/v1/events/query?order=position&entity_id=${entity}`;
    for (const accept of ['application/x-ndjson', 'application/vnd.apache.arrow.stream']) {
      const [ofCore, ofGateway] = await Promise.all([store.coreUrl, store.url].map(asked));
      expect(ofCore?.type).toBe(accept);
      expect(ofCore).toEqual(ofGateway);
      async function asked(base: string) {
        const headers = { accept, authorization: `Bearer ${store.apiKey}` };
        const response = await fetch(base + path, { headers });
        return {
          type: response.headers.get('content-type'),
          count: response.headers.get('x-allsource-count'),
          text: await response.text(),
        };
      }
    }
  });

  it('leaves what is there, and nothing half under the name', async () => {
    const folder = mkdtempSync(join(tempFolder, 'half-'));
    const file = join(folder, 'a.ndjson');
    writeFileSync(file, 'mine');
    const refused = await run(store, ['export', '--out', file]);
    expect([await refused.exitCode, readFileSync(file, 'utf8')]).toEqual([2, 'mine']);
    const wrong = await run(store, [
      'export',
      '--out',
      file,
      '--overwrite',
      '--since',
      'yesterday',
    ]);
    expect([await wrong.exitCode, readFileSync(file, 'utf8')]).toEqual([1, 'mine']);
    expect(wrong.stderr).toContain("'since' is");
    const over = await run(store, ['export', '--out', file, '--overwrite', '--limit', '3']);
    expect([await over.exitCode, toldByLines(readFileSync(file, 'utf8')).length]).toEqual([0, 3]);
    expect(readdirSync(folder)).toEqual(['a.ndjson']);
  });
});

/** DuckDB runs in a process of its own: its library does not live in the modules that jest loads. */
async function askDuckDb(path: string): Promise<void> {
  const program = `
    import { DuckDBInstance } from '@duckdb/node-api';
    const connection = await (await DuckDBInstance.create()).connect();
    const rows = await connection.runAndReadAll(
      "select event_type, count(*)::int as n, count(distinct entity_id)::int as e, epoch_ms(min(timestamp))::double as first from '${path}' group by 1 order by 1",
    );
    console.log(JSON.stringify(rows.getRows()));`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { cwd: join(REPOSITORY, 'tests'), encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '' } },
  );
  if (/ERR_MODULE_NOT_FOUND/.test(stderr)) {
    console.warn('SKIPPED: @duckdb/node-api is not installed; DuckDB was not asked');
    return;
  }
  expect([status, stderr]).toEqual([0, '']);
  const byType = Map.groupBy(all, (event) => event.event_type);
  const counts = [...byType]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, events]) => [
      type,
      events.length,
      new Set(events.map((event) => event.entity_id)).size,
      events.reduce(
        (least, event) => Math.min(least, Date.parse(event.timestamp)),
        Number.POSITIVE_INFINITY,
      ),
    ]);
  expect(JSON.parse(stdout)).toEqual(counts);
}
