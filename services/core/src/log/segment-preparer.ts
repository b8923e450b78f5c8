/**
 * Makes segment files ahead of their use: full length, written zeros, durable, under a name that no recovery takes for a segment. So a roll costs a
 * header and a rename and no zero-filling, and everything that may find the disk full happens before a byte of an append is written. A crash leaves
 * prepared files behind; the next open removes them. Names carry the writer's epoch, so that a fenced writer never touches the files of its successor.
 */
import { must } from '@allsource/shared/lang';
import { asError, type Disk, type DiskFile, diskErrorCode } from '../storage/disk.ts';
import { FillPace } from './fill-pace.ts';
import type { NoticeListener } from './log-notice.ts';

const PREPARED_NAME = /^prepared-\d+-\d+\.tmp$/;

/** A file of zeros with room for a header and frames. */
export interface PreparedSegment {
  readonly name: string;
  readonly file: DiskFile;
  readonly capacity: number;
}

/** A segment that is prepared beside other work; it resolves with null when that has failed or is not wanted any more. */
interface NextSegment {
  readonly pace: FillPace;
  readonly made: Promise<PreparedSegment | null>;
}

export class SegmentPreparer {
  readonly #disk: Disk;
  readonly #segmentBytes: number;
  readonly #epoch: number;
  readonly #onNotice: NoticeListener;
  #next: NextSegment | null = null;
  #made = 0;

  constructor(options: {
    readonly disk: Disk;
    readonly segmentBytes: number;
    readonly epoch: number;
    readonly onNotice: NoticeListener;
  }) {
    this.#disk = options.disk;
    this.#segmentBytes = options.segmentBytes;
    this.#epoch = options.epoch;
    this.#onNotice = options.onNotice;
  }

  /**
   * Removes what former writers had prepared. Called before recovery looks at the folder: a former writer that is still alive then either has named its
   * segment, and recovery sees it, or finds its file gone.
   */
  async removeLeftovers(): Promise<void> {
    for (const name of await this.#disk.list(''))
      if (PREPARED_NAME.test(name)) await unlinkIfThere(this.#disk, name);
  }

  /**
   * Prepares one segment beside other work, as quickly as the active one is used up; `usedPart` says how much of it is, from 0 to 1. A failure is told and tried again by `take`.
   */
  prepareNext(usedPart: number): void {
    this.#next ??= this.#begin();
    this.#next.pace.used(usedPart);
  }

  #begin(): NextSegment {
    const pace = new FillPace(this.#segmentBytes);
    const made = this.#make(this.#segmentBytes, pace).catch((thrown: unknown) => {
      this.#onNotice({ kind: 'chore_failed', chore: 'prepare_segment', cause: asError(thrown) });
      return null;
    });
    return { pace, made };
  }

  /** A prepared segment of at least this many bytes: the one made ahead, or a fresh one. Throws what the disk throws. */
  async take(bytesMin: number): Promise<PreparedSegment> {
    const next = bytesMin > this.#segmentBytes ? null : this.#next;
    if (next !== null) this.#next = null;
    next?.pace.hurry();
    return (await next?.made) ?? this.#makeNow(Math.max(bytesMin, this.#segmentBytes));
  }

  async #makeNow(bytes: number): Promise<PreparedSegment> {
    const pace = new FillPace(bytes);
    pace.hurry();
    return must(await this.#make(bytes, pace), 'what is wanted is made');
  }

  /** Removes a prepared segment that is not going to be used. */
  async discard(prepared: Pick<PreparedSegment, 'name' | 'file'>): Promise<void> {
    await prepared.file.close();
    await this.#remove(prepared.name);
  }

  /** Null when it was abandoned. */
  async #make(bytes: number, pace: FillPace): Promise<PreparedSegment | null> {
    this.#made += 1;
    const name = `prepared-${this.#epoch}-${this.#made}.tmp`;
    const file = await this.#disk.create(name);
    try {
      if (await file.fillWithZeros(bytes, (filled) => pace.turn(filled))) {
        await this.#disk.syncFolder('');
        return { name, file, capacity: bytes };
      }
    } catch (thrown) {
      // A half-filled file would hold the space that others wait for.
      await this.discard({ name, file });
      throw thrown;
    }
    await this.discard({ name, file });
    return null;
  }

  async #remove(name: string): Promise<void> {
    try {
      await unlinkIfThere(this.#disk, name);
    } catch (thrown) {
      this.#onNotice({ kind: 'chore_failed', chore: 'remove_file', cause: asError(thrown) });
    }
  }

  /** Removes the segment made ahead. May be called twice. */
  async close(): Promise<void> {
    const next = this.#next;
    this.#next = null;
    next?.pace.abandon();
    const prepared = (await next?.made) ?? null;
    if (prepared !== null) await this.discard(prepared);
  }
}

async function unlinkIfThere(disk: Disk, name: string): Promise<void> {
  try {
    await disk.unlink(name);
  } catch (thrown) {
    if (diskErrorCode(thrown) !== 'ENOENT') throw thrown;
  }
}
