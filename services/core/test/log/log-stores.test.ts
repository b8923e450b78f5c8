import { FileLogStore } from '../../src/log/file-log-store.ts';
import { InProcessSealer } from '../../src/log/in-process-sealer.ts';
import { MemoryLog, MemoryLogStore } from '../../src/storage/memory-log-store.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { describeLogStore, type LogWorld } from './log-store-conformance.ts';
import { temporaryFolder } from './temporary-folder.ts';

function fileWorld(segmentBytes: number, isSealing = false): LogWorld {
  const folder = temporaryFolder();
  const disk = new NodeDisk(folder.path);
  return {
    store: () =>
      new FileLogStore({
        disk,
        segmentBytes,
        partitionCount: 256,
        sealer: isSealing ? new InProcessSealer(disk) : null,
      }),
    dispose: async () => folder.remove(),
  };
}

describeLogStore('memory', () => {
  const log = new MemoryLog();
  return { store: () => new MemoryLogStore(log), dispose: async () => undefined };
});

describeLogStore('files, one large segment', () => fileWorld(8 * 1024 * 1024));

describeLogStore('files, many tiny segments', () => fileWorld(2 * 4096));

describeLogStore('files, many tiny segments that are sealed meanwhile', () =>
  fileWorld(2 * 4096, true),
);
