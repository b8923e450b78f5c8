/**
 * The fence between two writers of one log. The file `writer` holds the epoch of the newest; whoever opens the log adds one to it. A writer looks at
 * it before each write, in the same turn of the event loop, and again after each sync: once it reads another epoch it writes nothing more and
 * acknowledges nothing more (I-13). So an append that was acknowledged was synced before the next writer began to read.
 *
 * Inside one process this fence is exact. Between processes the lock on the data folder comes first, and the fence is what remains if
 * the lock fails: it keeps acknowledgements right, but a write that is already on its way can still land. The file needs no sync: what a
 * machine forgets in a crash, it forgets of both writers.
 */
import { type Disk, type DiskFile, diskErrorCode } from '../storage/disk.ts';

const EPOCH_NAME = 'writer';
const EPOCH_BYTES = 8;
const EPOCH_LIMIT = 2 ** 48;

export class WriterEpoch {
  readonly value: number;
  readonly #file: DiskFile;
  readonly #bytes = Buffer.alloc(EPOCH_BYTES);

  constructor(file: DiskFile) {
    this.#file = file;
    this.value = (this.#read() + 1) % EPOCH_LIMIT;
    this.#bytes.writeUIntLE(this.value, 0, 6);
    file.writeNow([this.#bytes], 0);
  }

  /** False once another writer has opened the log. */
  isCurrent(): boolean {
    return this.#read() === this.value;
  }

  #read(): number {
    return this.#file.readNow(this.#bytes, 0) < EPOCH_BYTES ? 0 : this.#bytes.readUIntLE(0, 6);
  }

  /** Gives the handle back; the epoch stays taken. May be called twice. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Takes the next epoch, which fences the former writer. */
export async function takeWriterEpoch(disk: Disk): Promise<WriterEpoch> {
  return new WriterEpoch(await openEpochFile(disk));
}

async function openEpochFile(disk: Disk): Promise<DiskFile> {
  try {
    return await disk.open(EPOCH_NAME, 'write');
  } catch (thrown) {
    if (diskErrorCode(thrown) !== 'ENOENT') throw thrown;
    return disk.create(EPOCH_NAME);
  }
}
