import { join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import type { Registry } from 'prom-client';
import type { QueryConfig } from '../config/query-config.ts';
import type { CompactionRules, CompactionStrategy } from './compaction/merge-plan.ts';
import { ParquetMetrics } from './parquet-metrics.ts';
import { ParquetStore } from './parquet-store.ts';
import { createParquetThread } from './parquet-thread.ts';

/** The rules of compaction as they are set. */
export interface CompactionConfig {
  readonly rules: CompactionRules;
  readonly intervalSeconds: number;
  readonly isAutomatic: boolean;
  readonly strategy: CompactionStrategy;
}

export interface KeptParquet {
  /** Null: the setting says that no Parquet files are kept. */
  readonly parquet: ParquetStore | null;
  readonly compaction: CompactionConfig;
}

export interface CreateParquetOptions {
  readonly config: QueryConfig;
  readonly logger: Logger;
  readonly registry: Registry;
  /** How far the event history goes. */
  readonly appliedPosition: () => number;
}

/** Puts the Parquet files of the service together. Nothing is touched before `start`. */
export function createParquet(options: CreateParquetOptions): KeptParquet {
  const compaction = compactionOf(options.config);
  return { compaction, parquet: options.config.parquet ? storeOf(options, compaction) : null };
}

function compactionOf(config: QueryConfig): CompactionConfig {
  return {
    rules: {
      filesMin: config.compactionFilesMin,
      targetBytes: config.compactionTargetBytes,
      fileBytesMax: config.compactionFileBytesMax,
      smallBytes: config.compactionSmallBytes,
    },
    intervalSeconds: config.compactionSeconds,
    isAutomatic: config.compactionAuto,
    strategy: config.compactionStrategy,
  };
}

function storeOf(options: CreateParquetOptions, compaction: CompactionConfig): ParquetStore {
  const { config, logger, registry, appliedPosition } = options;
  const { dataDir, internalToken, internalTokenFile, coreUrl, logLevel } = config;
  const folder = join(config.folder, 'parquet');
  const { rules, strategy } = compaction;
  return new ParquetStore({
    folder,
    flushEvents: config.parquetFlushEvents,
    flushMs: config.parquetFlushSeconds * 1000,
    isAutoCompacted: compaction.isAutomatic,
    compactionMs: compaction.intervalSeconds * 1000,
    strategy,
    thread: createParquetThread({
      folder,
      coreUrl,
      token: { dataDir, internalToken, internalTokenFile },
      rules,
      logLevel,
    }),
    appliedPosition,
    metrics: new ParquetMetrics(registry),
    logger,
    nowMs: () => Date.now(),
  });
}
