/**
 * Posts the head in memory (shared/protocol/head-post.ts): before anybody learns of a group of commits, and four times a second besides, so that a reader can tell a core that lives from one that
 * has gone.
 *
 * Argument. An append is answered, and shown on any stream, only after `post` has returned. So whoever looks at the post after he has learned of an event finds a head at or beyond it, as
 * long as it is this run's post that he looks at; how he makes sure of that stands in service-kit's posted-head.ts. What he relies on here: the file of a log has one name, and a new run writes
 * into the file that it finds before it takes an append, so nobody can be left with an old one that still looks right.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Position } from '@allsource/shared/model';
import { encodeHeadPost, HEAD_POST, headPostName, machineMs } from '@allsource/shared/protocol';
import type { Logger } from '@allsource/service-kit/observability';
import type { DurableLog } from '../read/durable-log.ts';

const OWNER_ONLY = 0o600;
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants;

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

  /** Begins to post the head of a log; null where that cannot be, which only means that readers ask. To be opened before the log takes appends. */
  static open({ log, logger }: HeadPostOptions): HeadPost | null {
    const path = join(HEAD_POST.folder, headPostName(log.logId.toString('hex')));
    try {
      const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
      const descriptor = openSync(path, flags, OWNER_ONLY);
      if (isOurs(fstatSync(descriptor))) return new HeadPost(path, descriptor, log);
      closeSync(descriptor);
      logger.warn({ path }, 'the head is not posted: the file belongs to somebody else');
    } catch (err) {
      logger.debug({ err }, 'the head is not posted');
    }
    return null;
  }

  /** Writes the head. It is there for every reader when this returns. Throws when neither that nor taking the post down was possible: then nothing may be answered any more. */
  post(head: Position): void {
    if (this.#isClosed) return;
    encodeHeadPost({ writer: this.writer, head, writtenMs: machineMs() }, this.#record);
    try {
      writeSync(this.#descriptor, this.#record, 0, HEAD_POST.bytes, 0);
    } catch {
      // The page is there since the first write, so this is a machine in trouble. Readers that find no post ask.
      this.close();
    }
  }

  /** Takes the post down: readers ask from now on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#beat);
    closeSync(this.#descriptor);
    removeIfThere(this.#path);
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
