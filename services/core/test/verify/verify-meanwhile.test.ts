import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Disk, DiskFile, OpenMode } from '../../src/storage/disk.ts';
import { NodeDisk } from '../../src/storage/node-disk.ts';
import { ReadOnlyDisk } from '../../src/verify/read-only-disk.ts';
import { type TemporaryFolder, temporaryFolder } from '../log/temporary-folder.ts';
import { verifyFolder, writeSampleLog } from './damaged-log.ts';

const SEGMENT_BYTES = 16_384;
const SHAPE = { events: 3, payloadBytes: 700 };
const OWNER = { owner: 'a node', pid: 1 };
/** More calls of the disk than a verification of the folder makes before it walks the segments. */
const CALLS = 60;

/** The folder of a node that appends, rolls and seals between two calls of whoever looks at it. */
class MovingDisk extends ReadOnlyDisk implements Disk {
  readonly #later: Disk;
  #callsLeft: number;

  constructor(now: Disk, later: Disk, calls: number) {
    super(now);
    this.#later = later;
    this.#callsLeft = calls;
  }

  override list(folder: string): Promise<string[]> {
    return this.#moves() ? this.#later.list(folder) : super.list(folder);
  }

  override open(name: string, mode: OpenMode): Promise<DiskFile> {
    return this.#moves() ? this.#later.open(name, mode) : super.open(name, mode);
  }

  #moves(): boolean {
    this.#callsLeft -= 1;
    return this.#callsLeft < 0;
  }
}

let before: TemporaryFolder;
let after: TemporaryFolder;

beforeEach(() => {
  before = temporaryFolder();
  after = temporaryFolder();
});
afterEach(() => {
  before.remove();
  after.remove();
});

const log = { shape: SHAPE, segmentBytes: SEGMENT_BYTES };

async function verifyWhileMoving(calls: number) {
  const disk = new MovingDisk(new NodeDisk(before.path), new NodeDisk(after.path), calls);
  return verifyFolder(before.path, { disk, owner: OWNER });
}

describe('verification of a folder that its node goes on writing', () => {
  it.each([
    ['one roll', 12],
    ['many rolls', 80],
  ])(
    'finds nothing, whenever it meets %s and the sealing of what was left behind',
    async (_what, frames) => {
      await writeSampleLog(before.path, { ...log, frames: 9 });
      await writeSampleLog(after.path, { ...log, frames, isSealed: true });
      for (let calls = 0; calls < CALLS; calls++) {
        const { findings } = await verifyWhileMoving(calls);
        expect({ calls, findings }).toEqual({ calls, findings: [] });
      }
    },
  );
});
