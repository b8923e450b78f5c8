import { expect, test } from '@jest/globals';
import { position } from '@allsource/shared/model';
import { FileLogStore } from '../../src/log/file-log-store.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { SampleFrames } from './sample-frames.ts';
import { temporaryFolder } from './temporary-folder.ts';

const STRETCH_BYTES_MAX = 33 * 1024;

/** Counts the turns of the event loop that others have. */
function turnCounter(): { readonly count: number; stop: () => void } {
  let count = 0;
  let isStopped = false;
  const next = () => {
    count += 1;
    if (!isStopped) setImmediate(next);
  };
  setImmediate(next);
  return {
    get count() {
      return count;
    },
    stop: () => {
      isStopped = true;
    },
  };
}

test('a long read hands out little in a turn of the event loop', async () => {
  const folder = temporaryFolder();
  const disk = new NodeDisk(folder.path);
  const store = new FileLogStore({ disk, segmentBytes: 8 * 2 ** 20, partitionCount: 256 });
  const frames = new SampleFrames(await store.open()).take(8_000, { payloadBytes: 100 });
  await store.append(frames);
  const turns = turnCounter();
  try {
    let read = 0;
    const bytesOfTurn = new Map<number, number>();
    for await (const stretch of store.read(position(1))) {
      read += stretch.length;
      const bytes = stretch.reduce((sum, frame) => sum + frame.bytes.length, 0);
      bytesOfTurn.set(turns.count, (bytesOfTurn.get(turns.count) ?? 0) + bytes);
    }
    expect(read).toBe(8_000);
    // The last stretch of a window may be followed at once by the first of the next.
    expect(Math.max(...bytesOfTurn.values())).toBeLessThan(2 * STRETCH_BYTES_MAX);
  } finally {
    turns.stop();
    await store.close();
    folder.remove();
  }
});
