/**
 * The thread that writes and merges Parquet files, so that encoding and compression never hold up a read. One job at a time, in the order they came, at the lowest priority
 * of the system: the processor belongs to the reads first.
 */
import { mkdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { platform } from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import { Problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { awaitInternalToken } from '@allsource/service-kit/config';
import { createLogger } from '@allsource/service-kit/observability';
import { FolderDisk } from './disk/folder-disk.ts';
import { ParquetKeeper } from './parquet-keeper.ts';
import type { ParquetAnswer, ParquetRequest, ParquetThreadOptions } from './parquet-thread.ts';

const TOKEN_WAIT_MS = 5_000;

const options = workerData as ParquetThreadOptions;
const port = must(parentPort, 'a worker has a parent');

// On Linux a priority belongs to a thread; elsewhere this would slow the whole process down.
if (platform === 'linux') setPriority(constants.priority.PRIORITY_LOW);

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

async function answerTo({ id, job }: ParquetRequest): Promise<ParquetAnswer> {
  try {
    return { kind: 'done', id, report: await keeper.run(job) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failed', id, code: error instanceof Problem ? error.code : null, message };
  }
}

let last = Promise.resolve();
port.on('message', (request: ParquetRequest) => {
  last = last.then(async () => port.postMessage(await answerTo(request)));
});
