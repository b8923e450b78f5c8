/**
 * Sealing beside the appends: turns segments that are full into sealed ones (`sealed-format.ts`), the oldest first and one at a time, and takes the raw files away.
 *
 * Promise: at every moment, and after a crash at any moment, each segment is whole on the disk as a raw file, as a sealed file, or as both (I-32). A raw file goes only
 * after its sealed file was synced, read back, compared byte for byte, named and its name synced.
 *
 * Order for one segment: the draft, by the sealer (`seal-segment.ts`); its name; sync of the folder; readers are led to it; the raw file is unlinked; sync of
 * the folder. Reads notice nothing, because both files give the same bytes at the same offsets.
 *
 * What a crash leaves: a draft, which the next open removes; or both files, of which the next open keeps the sealed one if it verifies against the raw
 * one (`sealed-leftovers.ts`).
 *
 * Which segments: those before a segment that holds a durable frame or was there when the log was opened. The running append may still take back
 * a newer one, and then the one before it is active again.
 *
 * Failure policy: appends never wait for sealing and never fail by it. What fails before the draft has its name is told and tried again later, such as a full
 * disk. A failure of the naming itself leaves in doubt what the folder says after a crash, so sealing stops until the next start. It stops as well when the writer is
 * fenced or poisoned, because then nothing may be unlinked on the word of this disk.
 */
import { must } from '@allsource/shared/lang';
import type { Position } from '@allsource/shared/model';
import { asError, type Disk, diskErrorCode } from '../storage/disk.ts';
import type { NoticeListener } from './log-notice.ts';
import type { SealedDraft, SealJob } from './seal-segment.ts';
import { decodeSealedHeader, NO_DIGEST, type SealedHeader, sealedNameOf } from './sealed-format.ts';
import type { SegmentFiles } from './segment-files.ts';
import type { Segment, SegmentList } from './segment-list.ts';

/** How long a failed sealing waits before it is tried again; after each further failure twice as long, up to an hour. */
export const SEALING_RETRY_MS = 60_000;
const RETRY_DOUBLINGS_MAX = 6;

const DRAFT_NAME = /^sealing-\d+-\d+\.tmp$/;

/** True for the name of a sealed segment in the making. */
export function isSealingDraft(name: string): boolean {
  return DRAFT_NAME.test(name);
}

/** Makes sealed drafts, here or in another thread. */
export interface SegmentSealer {
  /** See `sealSegment`. Rejects when the sealer is closed meanwhile. */
  seal(job: SealJob): Promise<SealedDraft>;
  /** Gives up the draft in the making. May be called twice. */
  close(): Promise<void>;
}

/** What has become of sealing since the log was opened. */
export interface SealingStatus {
  readonly segments: number;
  /** Bytes of the raw files and of the sealed ones that took their places. */
  readonly rawBytes: number;
  readonly sealedBytes: number;
  readonly failures: number;
  /** Full segments that are not sealed yet. */
  readonly waiting: number;
}

export interface SealingParts {
  readonly disk: Disk;
  readonly segments: SegmentList;
  readonly files: SegmentFiles;
  readonly sealer: SegmentSealer;
  readonly onNotice: NoticeListener;
  /** The writer's epoch, for the names of drafts. */
  readonly epoch: number;
  /** False once another writer has opened the log. Asked right before each change of a name. */
  readonly isOwner: () => boolean;
  readonly retryMs: number;
  readonly nowMs: () => number;
}

/** Thrown inside to end a sealing that may not go on. */
class SealingStopped extends Error {
  override readonly name = 'SealingStopped';
}

export class Sealing {
  readonly #parts: SealingParts;
  /** Segments that begin before this position may be sealed. */
  #limit: Position | null = null;
  #running: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #isStopped = false;
  #drafts = 0;
  #failuresInARow = 0;
  #done = { segments: 0, rawBytes: 0, sealedBytes: 0, failures: 0 };

  constructor(parts: SealingParts) {
    this.#parts = parts;
  }

  get status(): SealingStatus {
    return { ...this.#done, waiting: this.#candidates() };
  }

  /** Seals the segments before `active`, beside other work. Called at the open and after each roll, when everything before `active` is durable. */
  begin(active: Segment): void {
    this.#limit = active.firstPosition;
    this.#start();
  }

  #start(): void {
    if (this.#mayGoOn()) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (this.#mayGoOn()) await this.#attempt(this.#parts.segments.sealedCount);
    this.#running = null;
  }

  #mayGoOn(): boolean {
    const isFree = !this.#isStopped && this.#retry === null;
    return isFree && this.#candidates() > 0 && this.#parts.isOwner();
  }

  /** Sealed segments come first in the list, so that each digest rests on the one before. */
  #candidates(): number {
    if (this.#limit === null) return 0;
    const { segments } = this.#parts;
    return Math.max(0, segments.ordinalHolding(this.#limit) - segments.sealedCount);
  }

  async #attempt(ordinal: number): Promise<void> {
    const { segments, epoch, onNotice } = this.#parts;
    const segment = segments.at(ordinal);
    const draftName = `sealing-${epoch}-${++this.#drafts}.tmp`;
    try {
      await this.#requireSpace(segment);
      await this.#seal(ordinal, draftName);
    } catch (thrown) {
      await this.#remove(draftName);
      if (thrown instanceof SealingStopped || this.#isStopped) return;
      this.#done.failures += 1;
      this.#retryLater();
      onNotice({ kind: 'sealing_failed', segment: segment.name, cause: asError(thrown) });
    }
  }

  // The room of two segments stays for the appends, which must not meet a disk that a draft has filled.
  async #requireSpace(segment: Segment): Promise<void> {
    const freeBytes = await this.#parts.disk.freeBytes?.();
    if (freeBytes === undefined || freeBytes >= 2 * segment.fileBytes) return;
    throw Object.assign(
      new RangeError(
        `ENOSPC: sealing wants ${2 * segment.fileBytes} free bytes and there are ${freeBytes}`,
      ),
      { code: 'ENOSPC' },
    );
  }

  async #seal(ordinal: number, draftName: string): Promise<void> {
    const { segments, sealer, nowMs, onNotice } = this.#parts;
    const startedMs = nowMs();
    const segment = segments.at(ordinal);
    const next = segments.at(ordinal + 1);
    const rawName = segment.name;
    const rawBytes = segment.fileBytes;
    const draft = await sealer.seal({
      rawName,
      draftName,
      next: { firstPosition: next.firstPosition, previousChecksum: next.previousChecksum },
      previousDigest:
        ordinal === 0 ? NO_DIGEST : must(segments.at(ordinal - 1).digest, 'a sealed segment'),
    });
    const header = headerOf(draft);
    await this.#orStop(() => this.#name(segment, { draftName, header }));
    const sealedBytes = segment.fileBytes;
    this.#failuresInARow = 0;
    this.#done.segments += 1;
    this.#done.rawBytes += rawBytes;
    this.#done.sealedBytes += sealedBytes;
    const tookMs = nowMs() - startedMs;
    onNotice({ kind: 'segment_sealed', segment: segment.name, rawBytes, sealedBytes, tookMs });
    await this.#orStop(() => this.#removeRaw(rawName));
  }

  /** Gives the draft its name and leads readers to it. */
  async #name(
    segment: Segment,
    made: { readonly draftName: string; readonly header: SealedHeader },
  ): Promise<void> {
    const { disk, segments } = this.#parts;
    const name = sealedNameOf(segment.name);
    this.#requireOwnership();
    await disk.rename(made.draftName, name);
    await disk.syncFolder('');
    await this.#protect(name);
    segment.becomeSealed(made.header);
    segments.noteSealed();
  }

  // A guard only, so a file system that knows no read-only files is no reason to stop.
  async #protect(name: string): Promise<void> {
    const { disk, onNotice } = this.#parts;
    try {
      await disk.protect(name);
    } catch (thrown) {
      onNotice({ kind: 'chore_failed', chore: 'protect_segment', cause: asError(thrown) });
    }
  }

  async #removeRaw(rawName: string): Promise<void> {
    const { disk, files } = this.#parts;
    this.#requireOwnership();
    await disk.unlink(rawName);
    await disk.syncFolder('');
    await files.forget(rawName);
  }

  async #orStop(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (thrown) {
      if (!(thrown instanceof SealingStopped)) {
        this.#done.failures += 1;
        const cause = asError(thrown);
        this.#parts.onNotice({ kind: 'sealing_stopped', cause });
      }
      this.stop();
      throw new SealingStopped('sealing has stopped', { cause: thrown });
    }
  }

  #requireOwnership(): void {
    if (this.#isStopped || !this.#parts.isOwner())
      throw new SealingStopped('this writer may not change the log any more');
  }

  // The name carries this writer's epoch, so the draft is nobody else's.
  async #remove(draftName: string): Promise<void> {
    const { disk, onNotice } = this.#parts;
    try {
      await disk.unlink(draftName);
    } catch (thrown) {
      if (diskErrorCode(thrown) === 'ENOENT') return;
      onNotice({ kind: 'chore_failed', chore: 'remove_file', cause: asError(thrown) });
    }
  }

  #retryLater(): void {
    this.#retry = setTimeout(
      () => {
        this.#retry = null;
        this.#start();
      },
      this.#parts.retryMs * 2 ** Math.min(this.#failuresInARow, RETRY_DOUBLINGS_MAX),
    );
    this.#failuresInARow += 1;
    this.#retry.unref();
  }

  /** Seals nothing more. The draft in the making is given up when it is done. */
  stop(): void {
    this.#isStopped = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }

  /** Resolves when nothing is being sealed and nothing waits, but for what is to be tried again. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  /** Gives up what is being sealed. May be called twice. */
  async close(): Promise<void> {
    this.stop();
    await this.#parts.sealer.close();
    await this.idle();
  }
}

function headerOf(draft: SealedDraft): SealedHeader {
  const decoded = decodeSealedHeader(Buffer.from(draft.header));
  return must(decoded.kind === 'header' ? decoded.header : null, 'the header of a draft');
}
