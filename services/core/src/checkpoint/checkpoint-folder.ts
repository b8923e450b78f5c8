/**
 * The folder of checkpoints: files named by the position that they are true at, of which the newest two are kept. It may be deleted at any time while core
 * does not run: a start then replays the log. It is never a reason to touch the log (I-31), and a reason not to start only where it knows of durable events that
 * the log has lost (I-10).
 *
 *     <folder>/00000000000000012345.ckpt               a checkpoint (`checkpoint-format.ts`)
 *     <folder>/00000000000000012345.ckpt.set-aside     one that a start could not use; may be deleted at any time
 *     <folder>/writing.tmp                             one on its way; a start removes it
 *
 * A checkpoint gets its name when it is whole and synced, so a crash at any point leaves the ones before, and perhaps a file without a name. The files
 * hold hashes of API keys and the keys of hash tables: the disk makes them readable for the owner only.
 */
import type { Micros } from '@allsource/shared/model';
import type { JournalSnapshot } from '../append/journal.ts';
import { UnusableCheckpoint } from '../storage/checkpoint-port.ts';
import { asError, type Disk, diskErrorCode } from '../storage/disk.ts';
import { MissingAnchor } from '../storage/missing-anchor.ts';
import { type WrittenCheckpoint, writeCheckpointFile } from './checkpoint-file.ts';
import type { CheckpointListener } from './checkpoint-notice.ts';
import { StoredCheckpoint } from './stored-checkpoint.ts';

const SUFFIX = '.ckpt';
const SET_ASIDE_SUFFIX = '.set-aside';
const DRAFT_NAME = 'writing.tmp';
const NAME = /^\d{20}\.ckpt$/;
const SET_ASIDE_NAME = /^\d{20}\.ckpt\.set-aside$/;
const KEPT = 2;

/** In core's folder. */
export const CHECKPOINTS_FOLDER = 'checkpoints';

/** True for the name of a checkpoint. */
export function isCheckpoint(name: string): boolean {
  return NAME.test(name);
}

/** True for the name of a checkpoint that a start could not use. */
export function isSetAside(name: string): boolean {
  return SET_ASIDE_NAME.test(name);
}

export class CheckpointFolder {
  readonly #disk: Disk;
  readonly #onNotice: CheckpointListener;

  constructor(disk: Disk, onNotice: CheckpointListener) {
    this.#disk = disk;
    this.#onNotice = onNotice;
  }

  /**
   * Makes a start with the newest checkpoint; with the next one when that cannot be used, and in the end with none. An attempt says that a checkpoint
   * cannot be used by throwing `UnusableCheckpoint` or `MissingAnchor`; everything else that it throws ends the start.
   */
  async startFrom<T>(attempt: (saved: StoredCheckpoint | null) => Promise<T>): Promise<T> {
    for (const name of await this.#namesAtStart()) {
      try {
        return await attempt(await StoredCheckpoint.open(this.#disk, name));
      } catch (thrown) {
        if (!(thrown instanceof UnusableCheckpoint || thrown instanceof MissingAnchor))
          throw thrown;
        await this.#setAside(name, thrown.message);
      }
    }
    return attempt(null);
  }

  /** The names of checkpoints, newest first. A folder that cannot be read has none. */
  async #namesAtStart(): Promise<string[]> {
    try {
      await this.#disk.makeFolder('');
      await this.#removeDraft();
      return await this.#names(NAME);
    } catch (thrown) {
      this.#onNotice({ kind: 'checkpoint_failed', cause: asError(thrown) });
      return [];
    }
  }

  async #names(form: RegExp): Promise<string[]> {
    const names = await this.#disk.list('');
    return names
      .filter((name) => form.test(name))
      .toSorted()
      .toReversed();
  }

  async #removeDraft(): Promise<void> {
    try {
      await this.#disk.unlink(DRAFT_NAME);
    } catch (thrown) {
      if (diskErrorCode(thrown) !== 'ENOENT') throw thrown;
    }
  }

  async #setAside(name: string, reason: string): Promise<void> {
    this.#onNotice({ kind: 'checkpoint_set_aside', name, reason });
    try {
      await this.#disk.rename(name, name + SET_ASIDE_SUFFIX);
      await this.#removeOld(SET_ASIDE_NAME);
      await this.#disk.syncFolder('');
    } catch (thrown) {
      this.#onNotice({ kind: 'checkpoint_failed', cause: asError(thrown) });
    }
  }

  /** Writes a checkpoint and removes the older ones. Returns null when the snapshot is worth nothing. Throws what the disk throws. */
  async write(snapshot: JournalSnapshot, createdAt: Micros): Promise<WrittenCheckpoint | null> {
    const disk = this.#disk;
    await this.#removeDraft();
    try {
      const written = await writeCheckpointFile(snapshot, { disk, name: DRAFT_NAME, createdAt });
      if (written === null) return null;
      await disk.rename(DRAFT_NAME, nameOf(written.position));
      await disk.syncFolder('');
      await this.#removeOld(NAME);
      return written;
    } finally {
      await this.#removeDraft();
    }
  }

  async #removeOld(form: RegExp): Promise<void> {
    for (const name of (await this.#names(form)).slice(KEPT)) await this.#disk.unlink(name);
  }
}

function nameOf(position: number): string {
  return `${String(position).padStart(20, '0')}${SUFFIX}`;
}
