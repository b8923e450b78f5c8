/**
 * The thread that writes and merges Parquet files, so that encoding and compression never hold up a read. One job at a time, in the order they came, in leftover
 * time: the processor belongs to the reads first.
 */
import { mkdirSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { awaitInternalToken } from '@allsource/service-kit/config';
import { takeLeftoverTimeOnly } from '@allsource/service-kit/processes';
import { createLogger } from '@allsource/service-kit/observability';
import { FolderDisk } from './disk/folder-disk.ts';
import { serveJobs } from '@allsource/service-kit/threads';
import { type ParquetJob, ParquetKeeper } from './parquet-keeper.ts';
import type { ParquetThreadOptions } from './parquet-thread.ts';

const TOKEN_WAIT_MS = 5_000;

const options = workerData as ParquetThreadOptions;

takeLeftoverTimeOnly();

mkdirSync(options.folder, { recursive: true });
const disk = new FolderDisk(options.folder);
const keeper = new ParquetKeeper({
  disk,
  freeBytes: () => disk.freeBytes(),
  coreUrl: options.coreUrl,
  internalToken: () => awaitInternalToken(options.token, TOKEN_WAIT_MS),
  rules: options.rules,
  logger: createLogger('query', options.logLevel),
  nowMs: () => Date.now(),
});

serveJobs((job: ParquetJob) => keeper.run(job));
