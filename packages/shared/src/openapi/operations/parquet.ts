/** The Parquet files of a tenant. */
import { LIMITS } from '../../limits/limits.ts';
import { flag, instant, list, number, object, oneOf, text, whole } from '../json-schema.ts';
import { parameter } from '../parameters.ts';
import { answer, type RouteDocs } from '../route-doc.ts';

const ERRORS = ['not_available', 'upstream_unavailable', 'read_store_damaged'] as const;
export const COMPACTION_STRATEGY = parameter(
  'How the files to merge are chosen; the setting when left out.',
  oneOf(['sizebased', 'timebased', 'fullcompaction']),
  'fullcompaction',
);

/** What one compaction has done. */
export const COMPACTION = object({
  files_compacted: whole(),
  bytes_before: whole(),
  bytes_after: whole(),
  events_compacted: whole(),
  duration_ms: number(),
});

/** What compaction has done so far, and its rules. */
export const COMPACTION_STATS = object({
  stats: object({
    total_compactions: whole(),
    total_files_compacted: whole(),
    total_bytes_before: whole(),
    total_bytes_after: whole(),
    total_events_compacted: whole(),
    last_compaction_duration_ms: number(),
    space_saved_bytes: whole(),
  }),
  config: object({
    min_files_to_compact: whole(),
    target_file_size: whole(),
    max_file_size: whole(),
    small_file_threshold: whole(),
    compaction_interval_seconds: number(),
    auto_compact: flag(),
    strategy: text(),
  }),
});

export const PARQUET: RouteDocs = {
  'POST /compaction/trigger': {
    id: 'compactParquet',
    tag: 'Parquet',
    query: { strategy: COMPACTION_STRATEGY },
    answers: { 200: answer('What was merged.', COMPACTION) },
    errors: ['invalid_parameter', ...ERRORS],
  },
  'GET /compaction/stats': {
    id: 'getCompactionStats',
    tag: 'Parquet',
    answers: { 200: answer('The figures.', COMPACTION_STATS) },
    errors: ERRORS,
  },
  'GET /parquet/files': {
    id: 'listParquetFiles',
    tag: 'Parquet',
    query: {
      limit: parameter(
        'Files of the answer.',
        whole(undefined, { max: LIMITS.parquetFilesMax }),
        100,
      ),
      offset: parameter(
        'Files to pass over.',
        whole(undefined, { max: Number.MAX_SAFE_INTEGER }),
        0,
      ),
    },
    answers: {
      200: answer(
        'The files, with their paths on the machine.',
        object({
          files: list(
            object({
              path: text(),
              bytes: whole(),
              rows: whole(),
              first_position: whole(),
              last_position: whole(),
              checksum: text('CRC-32 in hex.'),
              created_at: instant(),
            }),
          ),
          total: whole(),
          has_more: flag(),
          total_rows: whole(),
          total_bytes: whole(),
          position: whole('The files hold everything up to here.'),
        }),
      ),
    },
    errors: ['invalid_parameter', ...ERRORS],
  },
  'POST /parquet/flush': {
    id: 'flushParquet',
    tag: 'Parquet',
    answers: { 200: answer('It is written.', object({ position: whole() })) },
    errors: ERRORS,
  },
  'POST /parquet/verify': {
    id: 'verifyParquet',
    tag: 'Parquet',
    answers: {
      200: answer(
        'What was compared.',
        object({ files_verified: whole(), files_damaged: whole() }),
      ),
    },
    errors: ERRORS,
  },
};
