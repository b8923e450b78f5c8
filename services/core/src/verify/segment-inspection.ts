/**
 * Takes the segments of a log one after the other and holds each against those before it: its header, where it begins, the chain into it, its frames, its digest if it
 * is sealed, and that nothing lies behind its end.
 */
import { Problem } from '@allsource/shared/errors';
import { type Micros, positionAfter } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { ByteSource } from '../log/frame-walk.ts';
import { SEGMENT_HEADER_BYTES } from '../log/segment.ts';
import type { Disk } from '../storage/disk.ts';
import { DigestChain } from './digest-chain.ts';
import { EventLaws } from './event-laws.ts';
import type { Findings } from './findings.ts';
import { type InspectedFile, isSealedFile, type LogFiles } from './log-files.ts';
import { type BadBytes, badBytesOf, openSegmentBytes, type SegmentBytes } from './segment-bytes.ts';
import { contentEnd, segmentPieces } from './segment-pieces.ts';
import { type LogPlace, SegmentWalk } from './segment-walk.ts';

/** A look at no more frames than a start verifies: those of the newest segment, of raw ones that are to be sealed before anything else, and those behind a position. */
export interface QuickLook {
  /** Up to here a start takes the frames on trust. */
  readonly trustedTo: number;
}

export interface SegmentInspectionOptions {
  readonly disk: Disk;
  readonly files: LogFiles;
  readonly findings: Findings;
  /** Positions after this one are not held to account. */
  readonly upTo: number;
  /** True: whole frames behind `upTo` are verified too. */
  readonly looksOn: boolean;
  /** Positions up to this one are known to have been durable. */
  readonly durablePosition: number;
  /** Null = the frames of all segments are looked at. */
  readonly quick: QuickLook | null;
  /** Told now and then how many bytes of the present segment are done. */
  readonly onProgress: (bytes: number) => void;
}

export class SegmentInspection {
  /** Where the log stands behind the last segment that was inspected. */
  readonly place: LogPlace = { position: 1, checksum: 0 };
  frames = 0;
  events = 0;
  /** When the newest frame that could be read was recorded. */
  recordedAt: Micros | null = null;
  readonly #options: SegmentInspectionOptions;
  readonly #laws: EventLaws;
  readonly #digests = new DigestChain();

  constructor(options: SegmentInspectionOptions) {
    this.#options = options;
    this.#laws = new EventLaws(options.findings.unread);
  }

  get entityCount(): number {
    return this.#laws.entityCount;
  }

  /** Inspects a segment; `next` is the one behind it, null for the last. */
  async inspect(file: InspectedFile, next: InspectedFile | null): Promise<void> {
    const { headerFault, headerBytes } = file;
    const isLost = headerFault !== null && isSealedFile(file);
    if (headerFault !== null && !isLost)
      this.addHeaderFault(file.name, headerFault, { offset: 0, endOffset: headerBytes });
    if (!this.#fits(file)) return;
    this.#beginAt(file);
    if (next !== null && !isLost && !this.#isVerified(file, next)) this.#skip(file, next);
    else if (isLost)
      this.#addLost(file, next, { offset: 0, endOffset: headerBytes, reason: headerFault });
    else await this.#walkSegment(file, next);
  }

  /** Whether the frames of a segment are looked at. */
  #isVerified(file: InspectedFile, next: InspectedFile): boolean {
    const { quick, files } = this.#options;
    if (quick === null || next.firstPosition > quick.trustedTo + 1) return true;
    const isBeforeSealed = files.files.some(
      (other) => isSealedFile(other) && other.firstPosition > file.firstPosition,
    );
    return isBeforeSealed && !isSealedFile(file);
  }

  /** Passes over the frames of a segment. A sealed one says where it ends and what it follows, so its neighbours are held against that all the same. */
  #skip(file: InspectedFile, next: InspectedFile): void {
    const { sealed } = file;
    this.place.position =
      sealed === null ? next.firstPosition : positionAfter(sealed.lastPosition, 1);
    this.place.checksum = sealed?.lastChecksum ?? null;
    this.#digests.begin(file);
    this.#verifyDigest(file, false);
  }

  async #walkSegment(file: InspectedFile, next: InspectedFile | null): Promise<void> {
    let bytes: SegmentBytes;
    try {
      bytes = await openSegmentBytes(this.#options.disk, file);
    } catch (thrown) {
      const fault = sealedFault(thrown, file);
      if (fault === null) throw thrown;
      this.#addLost(file, next, fault);
      return;
    }
    try {
      await this.#walkBytes(file, { next, bytes });
    } finally {
      await bytes.close();
    }
  }

  async #walkBytes(
    file: InspectedFile,
    { next, bytes }: { readonly next: InspectedFile | null; readonly bytes: SegmentBytes },
  ): Promise<void> {
    const damagesBefore = this.#options.findings.damages;
    const walk = this.#walkOf(file, { next, bytes });
    const { source, end } = bytes;
    this.#digests.begin(file);
    for await (const pieces of segmentPieces({ source, start: SEGMENT_HEADER_BYTES, end })) {
      for (const piece of pieces) walk.take(piece);
      if (walk.isOver) break;
      this.#options.onProgress(Math.floor(((pieces.at(-1)?.offset ?? 0) / end) * file.fileBytes));
    }
    walk.finish();
    const isWhole = next !== null && this.place.position === next.firstPosition;
    if (isWhole && !isSealedFile(file))
      await this.#lookBehind(file, { source, start: walk.endOffset, end });
    this.#verifyDigest(file, this.#options.findings.damages === damagesBefore);
  }

  #verifyDigest(file: InspectedFile, isIntact: boolean): void {
    const reason = this.#digests.end(
      isIntact && this.place.position > (file.sealed?.lastPosition ?? 0),
    );
    if (reason === null) return;
    this.#options.findings.add({
      kind: 'broken_chain',
      segment: file.name,
      bytes: { offset: 0, endOffset: file.headerBytes },
      reason,
    });
  }

  /** Without its header and index nothing of a sealed segment can be read. */
  #addLost(
    file: InspectedFile,
    next: InspectedFile | null,
    { offset, endOffset, reason }: BadBytes,
  ): void {
    const lastPosition = next === null ? null : next.firstPosition - 1;
    this.#options.findings.add({
      kind: 'damaged_bytes',
      segment: file.name,
      bytes: { offset, endOffset },
      firstPosition: file.firstPosition,
      lastPosition: lastPosition ?? file.sealed?.lastPosition ?? null,
      reason: `${reason}; without it nothing of the segment can be read`,
    });
    this.place.position = (lastPosition ?? file.sealed?.lastPosition ?? file.firstPosition) + 1;
    this.place.checksum = null;
    this.#digests.forget();
  }

  /** A file of another log, or one that begins inside the segment before it, is named and not walked. */
  #fits(file: InspectedFile): boolean {
    const { header } = file;
    const { logId, partitionCount } = this.#options.files;
    if (header !== null && logId !== null && !header.logId.equals(logId)) {
      this.addHeaderFault(file.name, 'it belongs to another log than the segments before it');
      return false;
    }
    if (header !== null && header.partitionCount !== partitionCount)
      this.addHeaderFault(
        file.name,
        `it says ${header.partitionCount} partitions and the segments before it say ${partitionCount}`,
      );
    if (file.firstPosition >= this.place.position) return true;
    this.addHeaderFault(
      file.name,
      `it begins at position ${file.firstPosition}, and the segments before it reach to ${this.place.position - 1}`,
    );
    return false;
  }

  addHeaderFault(
    segment: string,
    reason: string,
    bytes: { readonly offset: number; readonly endOffset: number } | null = null,
  ): void {
    this.#options.findings.add({
      kind: 'damaged_header',
      segment,
      reason,
      ...(bytes === null ? {} : { bytes }),
    });
  }

  /** Moves the place to where the segment begins, and names what is missing before it. */
  #beginAt(file: InspectedFile): void {
    const place = this.place;
    const named = file.header?.previousChecksum ?? null;
    if (file.firstPosition > place.position) {
      this.#options.findings.add({
        kind: 'missing_positions',
        segment: file.name,
        firstPosition: place.position,
        lastPosition: file.firstPosition - 1,
        reason: 'no segment before this one holds them',
      });
      this.#digests.forget();
    } else if (named !== null && place.checksum !== null && named !== place.checksum) {
      this.#options.findings.add({
        kind: 'broken_chain',
        segment: file.name,
        bytes: { offset: 0, endOffset: file.headerBytes },
        reason: 'its header does not name the last frame of the segment before it',
      });
    }
    place.position = file.firstPosition;
    place.checksum = named;
  }

  #walkOf(
    file: InspectedFile,
    { next, bytes }: { readonly next: InspectedFile | null; readonly bytes: SegmentBytes },
  ): SegmentWalk {
    const sealedTo = file.sealed === null ? null : positionAfter(file.sealed.lastPosition, 1);
    const { upTo, looksOn, durablePosition, findings } = this.#options;
    const { logId, marker } = this.#options.files;
    return new SegmentWalk(
      {
        name: file.name,
        logId,
        marker,
        nextPosition: next?.firstPosition ?? sealedTo,
        durablePosition,
        upTo,
        looksOn,
        findings,
        placeOf: (bad) => bytes.placeOf(bad),
        onFrame: (frame, offset) => this.#takeFrame(frame, { segment: file.name, offset }),
      },
      this.place,
    );
  }

  #takeFrame(frame: Frame, at: { readonly segment: string; readonly offset: number }): void {
    this.frames += 1;
    this.events += frame.eventCount;
    this.recordedAt = frame.recordedAt;
    this.#digests.take(frame);
    if (this.#options.quick !== null) return;
    const bytes = { offset: at.offset, endOffset: at.offset + frame.bytes.length };
    for (const { position, reason } of this.#laws.brokenBy(
      frame,
      this.#options.files.partitionCount,
    ))
      this.#options.findings.add({
        kind: 'broken_law',
        segment: at.segment,
        bytes,
        firstPosition: position,
        lastPosition: position,
        reason,
      });
  }

  /** Behind the last frame of a sealed segment lie zeros. Anything else is of no event, and a sign that something wrote where it should not. */
  async #lookBehind(
    file: InspectedFile,
    rest: { readonly source: ByteSource; readonly start: number; readonly end: number },
  ): Promise<void> {
    const endOffset = await contentEnd(rest);
    if (endOffset === null) return;
    this.#options.findings.add({
      kind: 'stray_bytes',
      segment: file.name,
      bytes: { offset: rest.start, endOffset },
      reason: 'bytes behind the last frame that should be zero; no event needs them',
    });
  }
}

/** What is wrong with a sealed segment that cannot be opened; null for anything else thrown. */
function sealedFault(thrown: unknown, file: InspectedFile): BadBytes | null {
  if (!(thrown instanceof Problem) || thrown.code !== 'log_damaged') return null;
  return badBytesOf(thrown) ?? { offset: 0, endOffset: file.fileBytes, reason: thrown.message };
}
