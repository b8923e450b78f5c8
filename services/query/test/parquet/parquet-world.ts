import { SimulatedDisk } from '@allsource/testkit';
import type { Frame } from '@allsource/shared/protocol';
import { parquetReadObjects } from 'hyparquet';
import { zstdDecompressSync } from 'node:zlib';
import { compact, type CompactionResult } from '../../src/parquet/compaction/compact.ts';
import type {
  CompactionRules,
  CompactionStrategy,
} from '../../src/parquet/compaction/merge-plan.ts';
import { type ParquetDisk, readWhole } from '../../src/parquet/disk/parquet-disk.ts';
import { ParquetFolder } from '../../src/parquet/folder/parquet-folder.ts';
import type { TenantFiles } from '../../src/parquet/folder/tenant-files.ts';
import { ParquetSink } from '../../src/parquet/writing/parquet-sink.ts';
import type { GeneratedLog, ModelEvent } from '../support/generated-log.ts';
import type { Random } from '../support/random.ts';

export const RULES: CompactionRules = {
  filesMin: 3,
  targetBytes: 128 * 1024 * 1024,
  fileBytesMax: 256 * 1024 * 1024,
  smallBytes: 10 * 1024 * 1024,
};

/** Parquet files on a disk in memory, and the clock and the warnings of whoever keeps them. */
export class ParquetWorld {
  readonly disk: SimulatedDisk;
  readonly folder: ParquetFolder;
  readonly warnings: string[];
  nowMs: number;

  private constructor(disk: SimulatedDisk, folder: ParquetFolder, kept: { warnings: string[] }) {
    this.disk = disk;
    this.folder = folder;
    this.warnings = kept.warnings;
    this.nowMs = 0;
  }

  static async open(disk = new SimulatedDisk(), nowMs = 1_000): Promise<ParquetWorld> {
    const warnings: string[] = [];
    const clock = { nowMs };
    const folder = await ParquetFolder.open({
      disk,
      nowMs: () => clock.nowMs,
      warn: (facts, message) => warnings.push(`${message} ${JSON.stringify(facts)}`),
    });
    const world = new ParquetWorld(disk, folder, { warnings });
    Object.defineProperty(world, 'nowMs', {
      get: () => clock.nowMs,
      set: (value: number) => {
        clock.nowMs = value;
      },
    });
    return world;
  }

  /** Reads what is missing of a log, some frames at a time, and writes a file for each tenant after each. */
  async write(log: GeneratedLog, framesAtOnce = Number.POSITIVE_INFINITY): Promise<void> {
    const { disk, folder } = this;
    const sink = new ParquetSink({ disk, folder });
    const missing = log.frames.filter(({ position }) => position > folder.position);
    for (let at = 0; at < missing.length; at += framesAtOnce) {
      await sink.apply(missing.slice(at, at + framesAtOnce), log.logIdHex);
      await sink.flush();
    }
  }

  async compact(
    tenant: string,
    strategy: CompactionStrategy = 'sizebased',
    rules: Partial<CompactionRules> = {},
  ): Promise<CompactionResult> {
    const { disk, folder } = this;
    const files = this.files(tenant);
    const nowMs = () => this.nowMs;
    return compact({ disk, folder, files, strategy, rules: { ...RULES, ...rules }, nowMs });
  }

  files(tenant: string): TenantFiles {
    const files = this.folder.find(tenant);
    if (files === null) throw new TypeError(`no files of ${tenant}`);
    return files;
  }

  /** What the files of a tenant hold, in the order of the files. */
  async events(tenant: string): Promise<ModelEvent[]> {
    const events: ModelEvent[] = [];
    for (const { name } of this.folder.find(tenant)?.files ?? [])
      events.push(...(await eventsOf(this.disk, this.files(tenant).pathOf(name), tenant)));
    return events;
  }
}

/** The library's own decoder drops a byte order mark at the beginning of a text. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The events of a file, read with the public functions of the library as anybody reads it. */
export async function eventsOf(
  disk: ParquetDisk,
  path: string,
  tenant: string,
): Promise<ModelEvent[]> {
  const bytes = await readWhole(disk, path);
  if (bytes === null) throw new TypeError(`${path} is missing`);
  const file = new Uint8Array(bytes).buffer;
  const rows = await parquetReadObjects({
    file,
    compressors: { ZSTD: (input) => zstdDecompressSync(input) },
    parsers: {
      timestampFromMicroseconds: (micros: bigint) => micros as never,
      stringFromBytes: (text) => utf8.decode(text),
    },
  });
  return rows.map((row) => ({
    position: Number(row['position']),
    id: row['event_id'] as string,
    tenant,
    type: row['event_type'] as string,
    entity: row['entity_id'] as string,
    version: Number(row['version']),
    partition: 0,
    timestamp: Number(row['timestamp']),
    recordedAt: Number(row['recorded_at']),
    payload: row['payload'] as string,
    metadata: (row['metadata'] ?? null) as string | null,
  }));
}

/** What the files of a tenant must hold, up to a position. */
export function expectedOf(
  log: GeneratedLog,
  tenant: string,
  upTo = Number.POSITIVE_INFINITY,
): ModelEvent[] {
  return log.events
    .filter((event) => event.tenant === tenant && event.position <= upTo)
    .map((event) => ({ ...event, partition: 0 }));
}

const PAYLOADS = [
  '{"a":1}',
  '{ "spaced" :  1.50, "big":12345678901234567890123 }',
  '{"text":"Grüße 🦊 \\u0041 \\ud83e\\udd8a"}',
  '{"nested":{"a":[1,2,{"b":null}]},"e":1e5}',
  '{}',
];

/** Appends commits of a few tenants, system events among them. */
export function appendSome(log: GeneratedLog, random: Random, commits: number): Frame[] {
  return Array.from({ length: commits }, () => {
    const tenant = random.pick(['acme', 'Other', 'third']);
    const isSystem = random.below(9) === 0;
    const drafts = Array.from({ length: 1 + random.below(6) }, () => ({
      type: random.pick(['order.placed', 'order.paid', 'user_seen']),
      entity: `${random.pick(['order', 'ñ🦊', '\ufeffbom'])}-${random.below(20)}`,
      payload: random.pick(PAYLOADS),
      metadata: random.below(3) === 0 ? random.pick(PAYLOADS) : null,
      timestamp: random.below(2) === 0 ? log.now - random.below(1e9) : log.now,
    }));
    return log.commit(isSystem ? '_system' : tenant, drafts, { isSystem });
  });
}
