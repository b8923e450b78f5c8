/**
 * What is done beside the appends after a roll: the segment left behind is closed and made read-only, and the file `head` is brought up to where the log was
 * durable at the latest. Neither is needed for the log to be right, so a failure is told and nothing more. The next roll waits for the chores
 * of the one before, so they cannot pile up behind a slow disk.
 */
import { type Position, position } from '@allsource/shared/model';
import { asError, type Disk, type DiskFile } from '../storage/disk.ts';
import { writeHeadMarker } from './head-marker.ts';
import type { LogNotice, NoticeListener } from './log-notice.ts';
import type { Segment } from './segment-list.ts';

type Chore = Extract<LogNotice, { kind: 'chore_failed' }>['chore'];

/** A segment that is open for writing. */
export interface WritableSegment {
  readonly segment: Segment;
  readonly file: DiskFile;
}

export class RollChores {
  readonly #disk: Disk;
  readonly #logId: Buffer;
  readonly #onNotice: NoticeListener;
  readonly #onRolled: (active: Segment) => void;
  #running: Promise<void> = Promise.resolve();

  constructor(parts: {
    readonly disk: Disk;
    readonly logId: Buffer;
    readonly onNotice: NoticeListener;
    /** Called after the chores with the active segment: those before it are durable and nobody writes to them any more. */
    readonly onRolled: (active: Segment) => void;
  }) {
    this.#disk = parts.disk;
    this.#logId = parts.logId;
    this.#onNotice = parts.onNotice;
    this.#onRolled = parts.onRolled;
  }

  /** Starts the chores of segments left behind for `active`, once everything in them is acknowledged and the chores before are done. */
  begin(left: readonly WritableSegment[], active: Segment): void {
    this.#running = this.#run(left, active);
  }

  async #run(left: readonly WritableSegment[], active: Segment): Promise<void> {
    for (const one of left) await this.#attempt('protect_segment', () => this.#protect(one));
    await this.#attempt('mark_head', () => this.#mark(active));
    this.#onRolled(active);
  }

  /** Resolves when no chore is running. */
  async done(): Promise<void> {
    await this.#running;
  }

  async #protect(left: WritableSegment): Promise<void> {
    await left.file.close();
    await this.#disk.protect(left.segment.name);
  }

  // Everything before a segment was durable when the segment was made.
  async #mark(active: Segment): Promise<void> {
    const durable: Position = position(active.firstPosition - 1);
    await writeHeadMarker(this.#disk, {
      logId: this.#logId,
      position: durable,
      checksum: active.previousChecksum,
    });
  }

  async #attempt(chore: Chore, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#onNotice({ kind: 'chore_failed', chore, cause: asError(thrown) });
    }
  }
}
