/**
 * The Parquet files as another tool finds them: two real event logs go in by the command, and DuckDB reads the files that the store names, before and after compaction, after
 * kills in the middle of one, and after a file was damaged. What is expected is computed here from the log files themselves.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type EventLog, eventLog, SeededRandom } from '@allsource/testkit';
import { run } from '../support/command.ts';
import { duckDb, parquetOf } from '../support/duckdb.ts';
import { isLong, pause, report, seed } from '../support/fault-run.ts';
import { DATA_FOLDER, REPOSITORY, RunningStore } from '../support/running-store.ts';

const KILLS = isLong ? 40 : 2;
const duck = await duckDb();
if (typeof duck === 'string') console.warn(`SKIPPED: ${duck}`);
const query = typeof duck === 'string' ? async () => [] : duck;

const tempFolder = mkdtempSync(join(tmpdir(), 'allsource-parquet-'));
const logs: EventLog[] = (['permits', 'incidents'] as const).map((name) =>
  eventLog(name, { dataFolder: DATA_FOLDER, tempFolder }),
);
const events = logs.flatMap((log) => log.events);

interface Listed {
  readonly paths: string[];
  readonly rows: number;
  readonly bytes: number;
}

(typeof duck === 'string' ? describe.skip : describe)(
  'two real event logs in Parquet files',
  () => {
    let store: RunningStore;
    let appended = events.length;
    /** How long the last compaction took: the next is killed somewhere in this time, or a little after. */
    let compactionMs = 0;

    beforeAll(async () => {
      console.info(`input: ${logs.map(({ origin }) => origin).join('; ')}`);
      store = await RunningStore.start({ ALLSOURCE_COMPACTION_AUTO: 'false' });
      for (const { file } of logs) {
        await run(store, ['import', file]);
        await flush();
      }
      await appendOne();
    });

    afterAll(async () => {
      await store?.remove();
      rmSync(tempFolder, { recursive: true, force: true });
    });

    async function flush(): Promise<void> {
      const { status, text } = await store.post('/api/v1/parquet/flush', {});
      expect([status, text]).toEqual([200, expect.stringContaining('position')]);
    }

    /** One event more, in a file of its own, so that there is something to merge. */
    async function appendOne(): Promise<void> {
      const event = { event_type: 'note.added', entity_id: 'note', payload: { n: appended } };
      expect((await store.post('/api/v1/events', event)).status).toBeLessThan(300);
      appended += 1;
      await flush();
    }

    async function listed(): Promise<Listed> {
      const route = '/api/v1/parquet/files';
      // While a test compares, the server may close the connection that fetch has kept.
      const { body } = await store.ask(route).catch(() => store.ask(route));
      const paths = body.files.map(({ path }: { path: string }) => path);
      return { paths, rows: body.total_rows, bytes: body.total_bytes };
    }

    async function compacted(): Promise<Record<string, number>> {
      const { body } = await store.post('/api/v1/compaction/trigger?strategy=fullcompaction', {});
      compactionMs = body.duration_ms;
      return body;
    }

    /** Every position once, every version of every entity once, and the counts of each type. */
    async function expectWhole(paths: readonly string[]): Promise<void> {
      const files = parquetOf(paths);
      const counts = await query(
        `select count(*), count(distinct position), count(distinct event_id), count(distinct (entity_id, version)) from ${files}`,
      );
      expect(counts).toEqual([Array.from({ length: 4 }, () => String(appended))]);
      const types = await query(
        `select event_type, count(*) from ${files} where event_type <> 'note.added' group by 1`,
      );
      expect(new Map(types.map(([type, count]) => [type, Number(count)]))).toEqual(
        countsOf(events.map(({ event_type }) => event_type)),
      );
    }

    it('are read by DuckDB with the right counts and groups, also inside the payloads', async () => {
      const { paths, rows } = await listed();
      expect(rows).toBe(appended);
      await expectWhole(paths);
      const [member = ''] = Object.keys(JSON.parse(events[0]?.payloadText ?? '{}') as object);
      const groups = await query(
        `select payload->>'$.${member}' as m, count(*) from ${parquetOf(paths)} where m is not null group by 1`,
      );
      expect(new Map(groups.map(([value, count]) => [value, Number(count)]))).toEqual(
        countsOf(events.flatMap(({ payloadText }) => memberOf(payloadText, member))),
      );
    });

    it('hold every payload byte for byte and every time to the microsecond, in the order of the log', async () => {
      const { paths } = await listed();
      const rows = await query(
        `select payload, epoch_us(timestamp) from ${parquetOf(paths)} where event_type <> 'note.added' order by position`,
      );
      expect(rows.map(([payload]) => payload)).toEqual(
        events.map(({ payloadText }) => payloadText),
      );
      expect(rows.map(([, micros]) => Number(micros) / 1000)).toEqual(
        events.map(({ timestamp }) => Date.parse(timestamp)),
      );
    });

    it('have the documented columns, and a manifest that names the files to a script', async () => {
      const { paths } = await listed();
      const columns = await query(`describe select * from ${parquetOf(paths)}`);
      expect(columns.map(([name, type]) => `${name} ${type}`)).toEqual([
        'position BIGINT',
        'event_id UUID',
        'event_type VARCHAR',
        'entity_id VARCHAR',
        'version BIGINT',
        'timestamp TIMESTAMP WITH TIME ZONE',
        'recorded_at TIMESTAMP WITH TIME ZONE',
        'payload VARCHAR',
        'metadata VARCHAR',
      ]);
      const document = readFileSync(join(REPOSITORY, 'docs/formats/parquet.md'), 'utf8');
      const [, script = ''] = /```sql\n(SET VARIABLE[^`]+)```/.exec(document) ?? [];
      const statements = script.replace('/...', join(store.dataDir, 'query/..')).split(';\n');
      const answers = [];
      for (const statement of statements.filter((text) => text.trim() !== ''))
        answers.push(await query(statement));
      expect(answers.at(-1)).toEqual([[String(appended)]]);
    });

    it('are the same after a compaction, in one smaller file', async () => {
      const before = await listed();
      const result = await compacted();
      const after = await listed();
      expect(after.paths).toHaveLength(1);
      expect(result).toMatchObject({
        files_compacted: before.paths.length,
        events_compacted: appended,
        bytes_before: before.bytes,
        bytes_after: after.bytes,
      });
      expect(after.bytes).toBeLessThan(before.bytes);
      await expectWhole(after.paths);
      // Who was told of the old files reads them still.
      await expectWhole(before.paths);
    });

    it(`are whole after each of ${KILLS} kills of every process in the middle of a compaction`, async () => {
      const random = new SeededRandom(seed);
      let [old, merged] = [0, 0];
      for (let kill = 0; kill < KILLS; kill++) {
        await appendOne();
        const before = await listed();
        expect(before.paths).toHaveLength(2);
        const trigger = compacted().catch(() => null);
        await pause(random.below(Math.ceil(compactionMs * 1.3)));
        await store.killAll();
        await trigger;
        await store.launch();
        await flush();
        const { paths } = await listed();
        await expectWhole(paths);
        if (paths.length === 2) old += 1;
        else merged += 1;
        await compacted();
      }
      report('Parquet kill -9', {
        kills: KILLS,
        'left the old files': old,
        'left the new one': merged,
      });
    }, 600_000);

    it('are made again from the log when a file is cut short', async () => {
      const { paths } = await listed();
      const [path = ''] = paths;
      truncateSync(path, Math.floor(readFileSync(path).length / 2));
      const { body } = await store.post('/api/v1/parquet/verify', {});
      expect(body).toEqual({ files_verified: paths.length, files_damaged: 1 });
      await expectWhole((await listed()).paths);
    });
  },
);

function countsOf(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

/** A member of a payload as DuckDB gives it as text; nothing when it is missing or null. */
function memberOf(payloadText: string, member: string): string[] {
  const value = (JSON.parse(payloadText) as Record<string, unknown>)[member];
  if (value === undefined || value === null) return [];
  return [typeof value === 'string' ? value : JSON.stringify(value)];
}
