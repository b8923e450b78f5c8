import { join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import type { CoreConfig } from './config/core-config.ts';
import { FileLogStore } from './log/file-log-store.ts';
import type { LogNotice } from './log/log-notice.ts';
import type { LogStore } from './storage/log-store.ts';
import { MemoryLog, MemoryLogStore } from './storage/memory-log-store.ts';
import { NodeDisk } from './storage/node-disk.ts';

/** A store, not yet opened, and the bytes that it takes on the disk. */
export interface SizedLogStore {
  readonly store: LogStore;
  readonly storageBytes: () => number;
}

/** The log store that the settings ask for. */
export function openLogStore(config: CoreConfig, logger: Logger): SizedLogStore {
  const { partitionCount, segmentBytes } = config;
  if (config.storage === 'memory') {
    logger.warn('ALLSOURCE_STORAGE is memory: nothing survives a stop');
    return { store: new MemoryLogStore(new MemoryLog({ partitionCount })), storageBytes: () => 0 };
  }
  const store = new FileLogStore({
    disk: new NodeDisk(join(config.folder, 'log')),
    segmentBytes,
    partitionCount,
    onNotice: (notice) => logNotice(logger, notice),
  });
  return { store, storageBytes: () => store.storageBytes };
}

function logNotice(logger: Logger, notice: LogNotice): void {
  if (notice.kind === 'torn_tail_set_aside')
    logger.warn(notice, 'a crash had cut an append that nobody was told of; its bytes are kept');
  else logger.warn({ chore: notice.chore, err: notice.cause }, 'work beside the log failed');
}
