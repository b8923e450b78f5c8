import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FolderDisk } from '../../src/parquet/disk/folder-disk.ts';
import { ParquetKeeper } from '../../src/parquet/parquet-keeper.ts';
import {
  ACME,
  ACME_READER,
  ADMIN,
  type GatewayWorld,
  gatewayWorld,
} from '../gateway/gateway-world.ts';
import { GeneratedLog, type ModelEvent } from '../support/generated-log.ts';
import { LogFeed } from '../support/log-feed.ts';
import { Random } from '../support/random.ts';
import { withFolder } from '../support/temporary-folder.ts';
import { appendSome, eventsOf, expectedOf, RULES } from './parquet-world.ts';

const PAYLOAD = '{ "amount": 1.50,  "text":"Grüße 🦊" }';

function append(world: GatewayWorld, tenant: string, count: number): void {
  const events = Array.from({ length: count }, (_, i) => ({
    type: 'order.placed',
    entity: `${tenant}-${i}`,
    payload: PAYLOAD,
  }));
  world.core.append(tenant, events);
}

async function post(world: GatewayWorld, path: string, key = ADMIN) {
  return world.ask(path, { method: 'POST', key });
}

/** Writes three files, each with its own events of two tenants. */
async function threeFiles(world: GatewayWorld): Promise<void> {
  for (let i = 0; i < 3; i++) {
    append(world, 'acme', 40);
    append(world, 'other', 2);
    const flushed = await post(world, '/api/v1/parquet/flush');
    expect([flushed.status, flushed.body]).toEqual([200, { position: world.core.log.head }]);
  }
}

interface Listed {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
}

async function listed(world: GatewayWorld, tenant: string): Promise<Listed[]> {
  const { body } = await world.ask(`/api/v1/parquet/files?tenant_id=${tenant}`, { key: ADMIN });
  return body['files'] as Listed[];
}

async function eventsIn(files: readonly Listed[]): Promise<ModelEvent[]> {
  const events: ModelEvent[] = [];
  for (const { path } of files)
    events.push(...(await eventsOf(new FolderDisk(join(path, '..')), basename(path), 'acme')));
  return events;
}

describe('the Parquet files over HTTP', () => {
  it('are written, listed and compacted for one tenant', async () => {
    const world = await gatewayWorld();
    await threeFiles(world);
    const before = await listed(world, 'acme');
    expect(before.map(({ rows }) => rows)).toEqual([40, 40, 40]);
    const events = await eventsIn(before);
    expect(new Set(events.map(({ payload }) => payload))).toEqual(new Set([PAYLOAD]));
    const bytesBefore = before.reduce((sum, { bytes }) => sum + bytes, 0);

    const { status, body } = await post(world, '/api/v1/compaction/trigger?tenant_id=acme');
    const after = await listed(world, 'acme');
    const bytesAfter = after[0]?.bytes ?? 0;
    expect([status, body]).toEqual([
      200,
      {
        files_compacted: 3,
        bytes_before: bytesBefore,
        bytes_after: bytesAfter,
        events_compacted: 120,
        duration_ms: expect.any(Number),
      },
    ]);
    expect(after.map(({ rows }) => rows)).toEqual([120]);
    expect(await eventsIn(after)).toEqual(events);
    expect(existsSync(before[0]?.path ?? '')).toBe(true);
    expect((await listed(world, 'other')).map(({ rows }) => rows)).toEqual([2, 2, 2]);

    const stats = await world.ask('/api/v1/compaction/stats', { key: ACME_READER });
    expect([stats.status, stats.body]).toEqual([
      200,
      {
        stats: {
          total_compactions: 1,
          total_files_compacted: 3,
          total_bytes_before: bytesBefore,
          total_bytes_after: bytesAfter,
          total_events_compacted: 120,
          last_compaction_duration_ms: expect.any(Number),
          space_saved_bytes: bytesBefore - bytesAfter,
        },
        config: {
          min_files_to_compact: 3,
          target_file_size: 134_217_728,
          max_file_size: 268_435_456,
          small_file_threshold: 10_485_760,
          compaction_interval_seconds: 3_600,
          auto_compact: true,
          strategy: 'sizebased',
        },
      },
    ]);
    const metrics = await world.ask('/metrics');
    expect(metrics.text).toMatch(/^allsource_parquet_files_total 4$/m);
    expect(metrics.text).toMatch(/^allsource_compactions_total 1$/m);
    await world.close();
  });

  it('go on after a restart, are checked, and are made again when a bit has flipped', async () => {
    let world = await gatewayWorld();
    await threeFiles(world);
    const events = await eventsIn(await listed(world, 'acme'));
    world = await world.restart();
    append(world, 'acme', 5);
    await post(world, '/api/v1/parquet/flush');
    const files = await listed(world, 'acme');
    expect(files.map(({ rows }) => rows)).toEqual([40, 40, 40, 5]);
    flipBit(files[1]?.path ?? '');
    const verified = await post(world, '/api/v1/parquet/verify?tenant_id=acme');
    expect(verified.body).toEqual({ files_verified: 4, files_damaged: 1 });
    const again = await listed(world, 'acme');
    expect((await eventsIn(again)).slice(0, 120)).toEqual(events);
    const clean = await post(world, '/api/v1/parquet/verify?tenant_id=acme');
    expect(clean.body).toEqual({ files_verified: 4, files_damaged: 0 });
    flipBit(again[0]?.path ?? '');
    expect((await post(world, '/api/v1/compaction/trigger?tenant_id=acme')).body).toMatchObject({
      files_compacted: 0,
    });
    for (let rows = 0; rows < 125; await new Promise((resolve) => setTimeout(resolve, 20)))
      rows = (await listed(world, 'acme')).reduce((sum, file) => sum + file.rows, 0);
    expect((await eventsIn(await listed(world, 'acme'))).slice(0, 120)).toEqual(events);
    await world.close();
  });

  it('are written by themselves when enough events wait, merged at the interval, and looked at after a start', async () => {
    let world = await gatewayWorld({
      ALLSOURCE_PARQUET_FLUSH_EVENTS: '10',
      ALLSOURCE_PARQUET_FLUSH_S: '1',
      ALLSOURCE_COMPACTION_INTERVAL_S: '1',
      ALLSOURCE_COMPACTION_FILES_MIN: '2',
    });
    const until = async (isDone: (files: Listed[]) => boolean) => {
      while (!isDone(await listed(world, 'acme')))
        await new Promise((resolve) => setTimeout(resolve, 20));
    };
    append(world, 'acme', 20);
    await until((files) => files.length === 1);
    append(world, 'acme', 20);
    await until(([first]) => first?.rows === 40);
    const [merged] = await listed(world, 'acme');
    rmSync(merged?.path ?? '');
    world = await world.restart();
    await until(([first]) => first?.rows === 40 && first.path !== merged?.path);
    expect(await listed(world, 'acme')).toHaveLength(1);
    await world.close();
  });

  it('are for admins; a key sees only its own tenant', async () => {
    const world = await gatewayWorld();
    for (const path of ['compaction/trigger', 'parquet/flush', 'parquet/verify'])
      expect((await post(world, `/api/v1/${path}`, ACME)).status).toBe(403);
    const asked = async (path: string, key: string) => (await world.ask(path, { key })).status;
    expect(await asked('/api/v1/parquet/files', ACME)).toBe(403);
    expect(await asked('/api/v1/compaction/stats?tenant_id=other', ACME)).toBe(403);
    expect(await asked('/api/v1/compaction/stats', ACME)).toBe(200);
    expect((await world.ask('/api/v1/compaction/stats')).status).toBe(401);
    const wrong = await post(world, '/api/v1/compaction/trigger?strategy=best');
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining('fullcompaction')]);
    await world.close();
  });

  it('are not kept where the setting says so', async () => {
    const world = await gatewayWorld({ ALLSOURCE_PARQUET: 'false' });
    const { status, text } = await post(world, '/api/v1/compaction/trigger');
    expect([status, text]).toEqual([501, expect.stringContaining('ALLSOURCE_PARQUET')]);
    await world.close();
  });
});

function flipBit(path: string): void {
  const bytes = readFileSync(path);
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

async function eventsOnDisk(folder: string, tenant: string): Promise<ModelEvent[]> {
  const text = readFileSync(join(folder, `manifests/${tenant}.json`), 'utf8');
  const { files } = (JSON.parse(text) as { manifest: { files: { name: string }[] } }).manifest;
  const disk = new FolderDisk(join(folder, 'tenants', tenant));
  return (await Promise.all(files.map(({ name }) => eventsOf(disk, name, tenant)))).flat();
}

describe('the files and core', () => {
  const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, fatal() {} };

  async function keeperOf(folder: string, log: GeneratedLog, shown = log.frames.length) {
    const feed = new LogFeed(log);
    await feed.listen();
    feed.show(shown);
    const disk = new FolderDisk(folder);
    const keeper = new ParquetKeeper({
      disk,
      freeBytes: async () => 1e12,
      coreUrl: feed.url,
      internalToken: async () => 'token',
      rules: RULES,
      logger: silent,
      nowMs: () => Date.now(),
    });
    return { feed, keeper, disk };
  }

  it('are written again when core comes back with another log, or with an older copy of its own', async () => {
    await withFolder(async (folder) => {
      const log = new GeneratedLog(1);
      appendSome(log, new Random(1), 30);
      const other = new GeneratedLog(2, 'another-log');
      appendSome(other, new Random(2), 50);
      const logs = [
        { now: log, shown: 30 },
        { now: other, shown: 50 },
        { now: other, shown: 20 },
        { now: other, shown: 40 },
      ];
      for (const { now, shown } of logs) {
        const { feed, keeper } = await keeperOf(folder, now, shown);
        let report = await keeper.run({ kind: 'write' });
        while (report.position < report.head) report = await keeper.run({ kind: 'write' });
        expect(report.position).toBe(feed.head);
        expect(await eventsOnDisk(folder, 'acme')).toEqual(expectedOf(now, 'acme', feed.head));
        await feed.close();
      }
    });
  });

  it('wait while the disk has little room left', async () => {
    await withFolder(async (folder) => {
      const log = new GeneratedLog(1);
      appendSome(log, new Random(1), 5);
      const { feed, disk } = await keeperOf(folder, log);
      const keeper = new ParquetKeeper({
        disk,
        freeBytes: async () => 1e8,
        coreUrl: feed.url,
        internalToken: async () => 'token',
        rules: RULES,
        logger: silent,
        nowMs: () => Date.now(),
      });
      await expect(keeper.run({ kind: 'write' })).rejects.toMatchObject({ code: 'storage_full' });
      rmSync(folder, { recursive: true });
      await feed.close();
    });
  });
});
