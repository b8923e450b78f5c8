import { join } from 'node:path';
import { unreachable } from '@allsource/shared/lang';
import type { Logger } from '@allsource/service-kit/observability';
import type { CoreConfig } from './config/core-config.ts';
import { FileLogStore } from './log/file-log-store.ts';
import { YoungCollector } from '@allsource/service-kit/lifecycle';
import type { LogNotice } from './log/log-notice.ts';
import type { SealingStatus } from './log/sealing.ts';
import { WorkerSealer } from './log/worker-sealer.ts';
import type { LogStore } from './storage/log-store.ts';
import { MemoryLog, MemoryLogStore } from './storage/memory-log-store.ts';
import { NodeDisk } from './storage/node-disk.ts';

/** A store, not yet opened, and the bytes that it takes on the disk. */
export interface SizedLogStore {
  readonly store: LogStore;
  readonly storageBytes: () => number;
  /** What has become of sealing; null where there is none. */
  readonly sealing: () => SealingStatus | null;
}

/** The log store that the settings ask for. */
export function openLogStore(config: CoreConfig, logger: Logger): SizedLogStore {
  const { partitionCount, segmentBytes, sealBytesPerSecond } = config;
  if (config.storage === 'memory') {
    logger.warn('ALLSOURCE_STORAGE is memory: nothing survives a stop');
    return {
      store: new MemoryLogStore(new MemoryLog({ partitionCount })),
      storageBytes: () => 0,
      sealing: () => null,
    };
  }
  const folder = join(config.folder, 'log');
  const youngCollector = new YoungCollector();
  const store = new FileLogStore({
    disk: new NodeDisk(folder),
    segmentBytes,
    partitionCount,
    sealer:
      sealBytesPerSecond === 0
        ? null
        : new WorkerSealer({ folder, bytesPerSecond: sealBytesPerSecond }),
    onNotice: (notice) => logNotice(logger, notice),
    onShortLived: (bytes) => youngCollector.note(bytes),
  });
  return { store, storageBytes: () => store.storageBytes, sealing: () => store.sealing };
}

function logNotice(logger: Logger, notice: LogNotice): void {
  switch (notice.kind) {
    case 'torn_tail_set_aside':
      logger.warn(notice, 'a crash had cut an append that nobody was told of; its bytes are kept');
      return;
    case 'chore_failed':
      logger.warn({ chore: notice.chore, err: notice.cause }, 'work beside the log failed');
      return;
    case 'writer_poisoned':
      logger.error(
        { err: notice.cause },
        'the writer has stopped: no append is taken until core is started again, which verifies the log first; reads go on',
      );
      return;
    case 'disk_full':
      logger.error(
        { err: notice.cause },
        'the disk is full: appends are refused until there is space; reads go on',
      );
      return;
    case 'space_again':
      logger.info('there is space again: appends are taken');
      return;
    case 'segment_sealed':
      logger.info(notice, 'a full segment has been compressed');
      return;
    case 'sealing_failed':
      logger.warn(
        { segment: notice.segment, err: notice.cause },
        'a full segment could not be compressed and stays as it is; it is tried again later',
      );
      return;
    case 'sealing_stopped':
      logger.error(
        { err: notice.cause },
        'the disk failed while a compressed segment was named: nothing more is compressed until core is started again',
      );
      return;
    case 'copy_set_aside':
      logger.warn(
        notice,
        'of two files of one segment one was not whole; it has been moved aside and the other is used',
      );
      return;
    default:
      unreachable(notice);
  }
}
