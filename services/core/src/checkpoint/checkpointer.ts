/**
 * Sees to it that a start never has much of the log to replay: writes a checkpoint whenever enough of the log has come since the last one, and one at the end.
 * It works beside the appends; what fails is told and tried again later.
 *
 * Enough is `everyBytes`, or as much as the last checkpoint was large, whichever is more: so checkpoints write no more bytes than the log does, however
 * many entities there are.
 */
import type { Clock } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { Journal } from '../append/journal.ts';
import { asError } from '../storage/disk.ts';
import type { CheckpointFolder } from './checkpoint-folder.ts';
import type { CheckpointListener } from './checkpoint-notice.ts';

export interface CheckpointerOptions {
  readonly journal: Journal;
  readonly folder: CheckpointFolder;
  /** Bytes of log between two checkpoints, at least. */
  readonly everyBytes: number;
  /** Bytes of the checkpoint that core has started from; 0 = none. */
  readonly lastBytes: number;
  readonly clock: Clock;
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs: () => number;
  readonly onNotice: CheckpointListener;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  readonly #unsubscribe: () => void;
  /** Bytes of log behind the last checkpoint. */
  #pendingBytes: number;
  #lastBytes: number;
  #running: Promise<void> | null = null;
  #isClosed = false;

  constructor(options: CheckpointerOptions) {
    const { journal, lastBytes } = options;
    this.#options = options;
    this.#pendingBytes = journal.replayed.bytes;
    this.#lastBytes = lastBytes;
    this.#unsubscribe = journal.subscribe((frame) => this.#note(frame));
    this.#writeIfDue();
  }

  #note(frame: Frame): void {
    this.#pendingBytes += frame.bytes.length;
    this.#writeIfDue();
  }

  #writeIfDue(): void {
    const dueBytes = Math.max(this.#options.everyBytes, this.#lastBytes);
    if (this.#running === null && this.#pendingBytes >= dueBytes) this.#running = this.#write();
  }

  async #write(): Promise<void> {
    const { journal, folder, clock, nowMs, onNotice } = this.#options;
    // The frame at hand may be one of a group: the next turn finds all folds and the head at the same position.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const startedAt = nowMs();
    const coveredBytes = this.#pendingBytes;
    try {
      const written = await folder.write(journal.snapshot(), clock.nowMicros());
      if (written !== null) {
        this.#lastBytes = written.bytes;
        const durationMs = nowMs() - startedAt;
        onNotice({ kind: 'checkpoint_written', ...written, durationMs });
      }
    } catch (thrown) {
      onNotice({ kind: 'checkpoint_failed', cause: asError(thrown) });
    } finally {
      // After a failure too: the next attempt comes when as much of the log has been written again.
      this.#pendingBytes -= coveredBytes;
      this.#running = null;
    }
  }

  /** Waits for the checkpoint under way and writes a last one of what has come since. May be called twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    await this.#running;
    if (this.#pendingBytes > 0 && this.#options.journal.head > 0) await this.#write();
  }
}
