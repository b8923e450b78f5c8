/**
 * Posts the head in memory (shared/protocol/head-post.ts): before anybody learns of a group of commits, and four times a second besides, so that a reader can tell a core that lives from one that
 * has gone.
 *
 * Argument. An append is answered, and shown on any stream, only after `post` has returned. So whoever looks at the post after he has learned of an event finds a head at or beyond it, as
 * long as it is this run's post that he looks at; how he makes sure of that stands in service-kit's posted-head.ts. What he relies on here: the file of a log has one name, and a new run writes
 * into the file that it finds before it takes an append, so nobody can be left with an old one that still looks right. Where it finds none, somebody may still read one that has lost its name: so it
 * waits until he has noticed.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '@allsource/shared/model';
import { encodeHeadPost, HEAD_POST, headPostName, machineMs } from '@allsource/shared/protocol';
import type { Logger } from '@allsource/service-kit/observability';
import type { DurableLog } from '../read/durable-log.ts';

const OWNER_ONLY = 0o600;
/** After so long every reader has noticed that a file has no name any more. */
const NOTICED_MS = 2 * HEAD_POST.namedMs;
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

export interface HeadPostOptions {
  readonly log: Pick<DurableLog, 'head' | 'logId'>;
  readonly logger: Logger;
}

export class HeadPost {
  /** The id of this run. */
  readonly writer = randomBytes(HEAD_POST.writerBytes);
  readonly #path: string;
  readonly #descriptor: number;
  readonly #record = Buffer.alloc(HEAD_POST.bytes);
  readonly #beat: NodeJS.Timeout;
  #isClosed = false;

  private constructor(path: string, descriptor: number, log: HeadPostOptions['log']) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.post(log.head);
    this.#beat = setInterval(() => this.post(log.head), HEAD_POST.beatMs).unref();
  }

  /** Begins to post the head of a log; null where that cannot be, which only means that readers ask. The log takes no append before this has resolved. */
  static async open({ log, logger }: HeadPostOptions): Promise<HeadPost | null> {
    const path = pathOf(log);
    try {
      const { descriptor, isNew } = openOrMake(path);
      if (isNew) await sleep(NOTICED_MS);
      if (isOurs(fstatSync(descriptor))) return new HeadPost(path, descriptor, log);
      closeSync(descriptor);
      logger.warn({ path }, 'the head is not posted: the file belongs to somebody else');
    } catch (err) {
      logger.debug({ err }, 'the head is not posted');
    }
    await HeadPost.withdraw(log);
    return null;
  }

  /** Sees to it that nobody reads what an earlier run has posted, for a run that posts nothing. The log takes no append before this has resolved. */
  static async withdraw(log: HeadPostOptions['log']): Promise<void> {
    if (!existsSync(HEAD_POST.folder)) return;
    try {
      removeIfThere(pathOf(log));
      await sleep(NOTICED_MS);
    } catch {
      // It is another user's, and outlives its validity only.
      await sleep(HEAD_POST.validMs);
    }
  }

  /** Writes the head. It is there for every reader when this returns. Throws when neither that nor taking the post down was possible: then nothing may be answered any more. */
  post(head: Position): void {
    if (this.#isClosed) return;
    encodeHeadPost({ writer: this.writer, head, writtenMs: machineMs() }, this.#record);
    try {
      writeSync(this.#descriptor, this.#record, 0, HEAD_POST.bytes, 0);
    } catch {
      // The page is there since the first write, so this is a machine in trouble. Readers that find no post ask; until they have looked, nobody is told of the head.
      this.close();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, NOTICED_MS);
    }
  }

  /** Takes the post down: readers ask soon. To be called when the last append has been answered. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beat);
    closeSync(this.#descriptor);
    removeIfThere(this.#path);
  }
}

function pathOf(log: HeadPostOptions['log']): string {
  return join(HEAD_POST.folder, headPostName(log.logId.toString('hex')));
}

function openOrMake(path: string): { readonly descriptor: number; readonly isNew: boolean } {
  const flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK;
  try {
    return { descriptor: openSync(path, flags | O_CREAT | O_EXCL, OWNER_ONLY), isNew: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { descriptor: openSync(path, flags), isNew: false };
  }
}

/** A file that others can write, or have linked elsewhere, is none to trust. */
function isOurs(stats: Stats): boolean {
  const isPrivate = (stats.mode & 0o077) === 0 && stats.uid === process.geteuid?.();
  return stats.isFile() && stats.nlink === 1 && isPrivate;
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
