import type { Call, Route } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { join } from 'node:path';
import { API_BASES } from '../gateway/api-path.ts';
import { COMPACTION_STRATEGIES } from '../parquet/compaction/merge-plan.ts';
import type { KeptParquet } from '../parquet/create-parquet.ts';
import { NO_COMPACTIONS } from '../parquet/folder/manifest.ts';
import type { ParquetStore } from '../parquet/parquet-store.ts';

export type ParquetRoutesOptions = KeptParquet;

type Kept = ParquetRoutesOptions & { readonly parquet: ParquetStore };
type Answer = (call: Call, options: Kept) => Promise<void>;

/** The Parquet files of a tenant: which there are, and their compaction. */
export function parquetRoutes(options: ParquetRoutesOptions): Route[] {
  const handle = (answer: Answer) => (call: Call) => answer(call, kept(options));
  return API_BASES.flatMap((base): Route[] => [
    {
      method: 'POST',
      path: `${base}/compaction/trigger`,
      needs: 'admin',
      summary: 'Merges the Parquet files of the tenant by a strategy.',
      handle: handle(triggerCompaction),
    },
    {
      method: 'GET',
      path: `${base}/compaction/stats`,
      needs: 'read',
      summary: 'What compaction has done for the tenant, and its rules.',
      handle: handle(answerStats),
    },
    {
      method: 'GET',
      path: `${base}/parquet/files`,
      needs: 'admin',
      summary: 'The Parquet files of the tenant, with their paths on the machine.',
      handle: handle(answerFiles),
    },
    {
      method: 'POST',
      path: `${base}/parquet/flush`,
      needs: 'admin',
      summary: 'Writes what the log holds beyond the Parquet files.',
      handle: handle(flushFiles),
    },
    {
      method: 'POST',
      path: `${base}/parquet/verify`,
      needs: 'admin',
      summary:
        'Compares the checksums of the Parquet files of the tenant; damaged ones are made again.',
      handle: handle(verifyFiles),
    },
  ]);
}

function kept(options: ParquetRoutesOptions): Kept {
  const { parquet } = options;
  if (parquet !== null) return { ...options, parquet };
  throw problem(
    'not_available',
    'This store keeps no Parquet files: ALLSOURCE_PARQUET is false. Set it to true and start the query service again.',
  );
}

async function triggerCompaction(call: Call, { parquet, compaction }: Kept): Promise<void> {
  const tenant = call.tenant();
  const strategy = call.query.choice('strategy', COMPACTION_STRATEGIES) ?? compaction.strategy;
  const result = await parquet.compact(tenant, strategy);
  call.json(200, {
    files_compacted: result.files,
    bytes_before: result.bytesBefore,
    bytes_after: result.bytesAfter,
    events_compacted: result.events,
    duration_ms: result.durationMs,
  });
}

async function answerStats(call: Call, { parquet, compaction }: Kept): Promise<void> {
  const manifest = await parquet.manifest(call.tenant());
  const totals = manifest?.totals ?? NO_COMPACTIONS;
  const { rules } = compaction;
  call.json(200, {
    stats: {
      total_compactions: totals.compactions,
      total_files_compacted: totals.files,
      total_bytes_before: totals.bytesBefore,
      total_bytes_after: totals.bytesAfter,
      total_events_compacted: totals.events,
      last_compaction_duration_ms: totals.lastDurationMs,
      space_saved_bytes: Math.max(0, totals.bytesBefore - totals.bytesAfter),
    },
    config: {
      min_files_to_compact: rules.filesMin,
      target_file_size: rules.targetBytes,
      max_file_size: rules.fileBytesMax,
      small_file_threshold: rules.smallBytes,
      compaction_interval_seconds: compaction.intervalSeconds,
      auto_compact: compaction.isAutomatic,
      strategy: compaction.strategy,
    },
  });
}

/** The position is read before and after the manifest: the files hold everything up to the lower one, whatever is written or lost meanwhile. */
async function answerFiles(call: Call, { parquet }: Kept): Promise<void> {
  const tenant = call.tenant();
  const limit = call.query.integer('limit', { min: 0, max: LIMITS.parquetFilesMax });
  const offset = call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const before = await parquet.position();
  const files = (await parquet.manifest(tenant))?.files ?? [];
  const position = Math.min(before, await parquet.position());
  const folder = parquet.folderOf(tenant);
  const page = files.slice(offset, offset + (limit ?? LIMITS.parquetFilesMax));
  call.json(200, {
    files: page.map((file) => ({
      path: join(folder, file.name),
      bytes: file.bytes,
      rows: file.rows,
      first_position: file.firstPosition,
      last_position: file.lastPosition,
      checksum: file.checksum.toString(16).padStart(8, '0'),
      created_at: new Date(file.createdAtMs).toISOString(),
    })),
    total: files.length,
    has_more: offset + page.length < files.length,
    total_rows: files.reduce((sum, { rows }) => sum + rows, 0),
    total_bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    position,
  });
}

async function flushFiles(call: Call, { parquet }: Kept): Promise<void> {
  // Everybody's events are written; the tenant is asked for so that its key is checked like on all routes.
  call.tenant();
  const report = await parquet.flush();
  call.json(200, { position: report.position });
}

async function verifyFiles(call: Call, { parquet }: Kept): Promise<void> {
  const report = await parquet.verify(call.tenant());
  call.json(200, { files_verified: report.verifiedFiles, files_damaged: report.damagedFiles });
}
