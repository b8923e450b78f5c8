/**
 * Verification: one pass over every frame of a log, which names each place where something acknowledged cannot be read or is not what it should be (I-10),
 * and goes on behind it. It only reads (`read-only-disk.ts`), and needs no lock.
 *
 * Recovery (`log/recovery.ts`) stops at the first damage because a store must not run on a log with a hole in it; this is for the person who has to
 * find out how much is lost and what to restore. The two agree on what is damage and what is the torn tail of a crash, by the same witnesses: a later segment, the
 * durable position that a whole frame tells of, and the head marker.
 *
 * In the folder of a running node the frames up to the newest durable position that the files tell of are held to account. What lies behind may be in
 * the middle of being written, and is judged by nobody. A running core names the position itself (`upTo`).
 *
 * Sealed segments of another form join here: `openPieces` says how a file is taken to pieces.
 */
import { formatTimestamp, type Micros } from '@allsource/shared/model';
import type { Frame, InspectionRecord, InspectionSummary } from '@allsource/shared/protocol';
import { INTACT_RANGES_MAX } from '@allsource/shared/protocol';
import { SEGMENT_HEADER_BYTES } from '../log/segment.ts';
import type { Disk } from '../storage/disk.ts';
import { EventLaws } from './event-laws.ts';
import { Findings } from './findings.ts';
import { type InspectedFile, type LogFiles, readLogFiles } from './log-files.ts';
import { contentEnd, segmentPieces } from './segment-pieces.ts';
import { type LogPlace, SegmentWalk } from './segment-walk.ts';
import { TolerantSource } from './tolerant-source.ts';

export interface VerifyOptions {
  readonly disk: Disk;
  /** The last position to look at; null = what the files say was durable in the folder of a running node, else everything. */
  readonly upTo: number | null;
  /** Who has the folder open; null when nobody has. */
  readonly owner: { readonly owner: string; readonly pid: number | null } | null;
  /** True: the frames of the newest segment only, and the headers of all. The laws that need every event are then not looked at. */
  readonly onlyNewest?: boolean;
  readonly emit: (record: InspectionRecord) => void;
  readonly nowMs: () => number;
}

/** Verifies a log and tells of it record by record; the last one is the summary, which is returned too. */
export async function verifyLog(options: VerifyOptions): Promise<InspectionSummary> {
  const startedAtMs = options.nowMs();
  const files = await readLogFiles(options.disk);
  const summary = await new LogVerification(options, files).run(startedAtMs);
  options.emit(summary);
  return summary;
}

class LogVerification {
  readonly #options: VerifyOptions;
  readonly #files: LogFiles;
  readonly #findings: Findings;
  readonly #laws: EventLaws;
  readonly #place: LogPlace = { position: 1, checksum: 0 };
  readonly #isLive: boolean;
  readonly #upTo: number;
  #recordedAt: Micros | null = null;
  #frames = 0;
  #events = 0;
  #bytes = 0;

  constructor(options: VerifyOptions, files: LogFiles) {
    this.#options = options;
    this.#files = files;
    this.#findings = new Findings(options.emit);
    this.#laws = new EventLaws(this.#findings.unread);
    this.#isLive = options.owner !== null || options.upTo !== null;
    const durable = this.#isLive ? files.durablePosition : Number.MAX_SAFE_INTEGER;
    this.#upTo = options.upTo ?? durable;
  }

  async run(startedAtMs: number): Promise<InspectionSummary> {
    this.#start();
    const { files, strangers } = this.#files;
    for (const name of strangers)
      this.#addHeaderFault(name, 'its name is not a position in 20 digits');
    for (const [ordinal, file] of files.entries()) {
      const next = files[ordinal + 1] ?? null;
      if (file.firstPosition <= this.#upTo) await this.#verifySegment(file, next);
      this.#bytes += file.fileBytes;
      this.#progress();
    }
    this.#verifyEnd();
    return this.#summary(startedAtMs);
  }

  #start(): void {
    const { files } = this.#files;
    this.#options.emit({
      record: 'start',
      log_id: this.#logId,
      segments: files.length,
      bytes: this.#bytesTotal,
      up_to: this.#upTo === Number.MAX_SAFE_INTEGER ? null : this.#upTo,
      owner: this.#options.owner,
    });
  }

  get #logId(): string | null {
    return this.#files.logId?.toString('hex') ?? null;
  }

  get #bytesTotal(): number {
    return this.#files.files.reduce((sum, file) => sum + file.fileBytes, 0);
  }

  async #verifySegment(file: InspectedFile, next: InspectedFile | null): Promise<void> {
    if (file.headerFault !== null)
      this.#addHeaderFault(file.name, file.headerFault, {
        offset: 0,
        endOffset: SEGMENT_HEADER_BYTES,
      });
    if (!this.#fits(file)) return;
    this.#beginAt(file);
    if (this.#options.onlyNewest === true && next !== null) this.#skipTo(next);
    else await this.#walkSegment(file, next);
  }

  #skipTo(next: InspectedFile): void {
    this.#place.position = next.firstPosition;
    this.#place.checksum = null;
  }

  async #walkSegment(file: InspectedFile, next: InspectedFile | null): Promise<void> {
    const source = await this.#options.disk.open(file.name, 'read');
    try {
      const walk = this.#walkOf(file, next);
      const end = file.fileBytes;
      for await (const pieces of segmentPieces({ source, start: SEGMENT_HEADER_BYTES, end })) {
        for (const piece of pieces) walk.take(piece);
        if (walk.isOver) break;
        this.#progress(pieces.at(-1)?.offset);
      }
      walk.finish();
      if (next !== null && this.#place.position === next.firstPosition)
        await this.#lookBehind(file, {
          source: new TolerantSource(source),
          start: walk.endOffset,
          end,
        });
    } finally {
      await source.close();
    }
  }

  /** A file of another log, or one that begins inside the segment before it, is named and not walked. */
  #fits(file: InspectedFile): boolean {
    const { header } = file;
    const { logId, partitionCount } = this.#files;
    if (header !== null && logId !== null && !header.logId.equals(logId)) {
      this.#addHeaderFault(file.name, 'it belongs to another log than the segments before it');
      return false;
    }
    if (header !== null && header.partitionCount !== partitionCount)
      this.#addHeaderFault(
        file.name,
        `it says ${header.partitionCount} partitions and the segments before it say ${partitionCount}`,
      );
    if (file.firstPosition >= this.#place.position) return true;
    this.#addHeaderFault(
      file.name,
      `it begins at position ${file.firstPosition}, and the segments before it reach to ${this.#place.position - 1}`,
    );
    return false;
  }

  #addHeaderFault(
    segment: string,
    reason: string,
    bytes: { readonly offset: number; readonly endOffset: number } | null = null,
  ): void {
    this.#findings.add({
      kind: 'damaged_header',
      segment,
      reason,
      ...(bytes === null ? {} : { bytes }),
    });
  }

  /** Moves the place to where the segment begins, and names what is missing before it. */
  #beginAt(file: InspectedFile): void {
    const place = this.#place;
    const named = file.header?.previousChecksum ?? null;
    if (file.firstPosition > place.position) {
      this.#findings.add({
        kind: 'missing_positions',
        segment: file.name,
        firstPosition: place.position,
        lastPosition: file.firstPosition - 1,
        reason: 'no segment before this one holds them',
      });
    } else if (named !== null && place.checksum !== null && named !== place.checksum) {
      this.#findings.add({
        kind: 'broken_chain',
        segment: file.name,
        bytes: { offset: 0, endOffset: SEGMENT_HEADER_BYTES },
        reason: 'its header does not name the last frame of the segment before it',
      });
    }
    place.position = file.firstPosition;
    place.checksum = named;
  }

  #walkOf(file: InspectedFile, next: InspectedFile | null): SegmentWalk {
    const { logId, marker, durablePosition } = this.#files;
    return new SegmentWalk(
      {
        name: file.name,
        logId,
        marker,
        nextPosition: next?.firstPosition ?? null,
        durablePosition: Math.max(durablePosition, this.#options.upTo ?? 0),
        upTo: this.#upTo,
        findings: this.#findings,
        onFrame: (frame, offset) => this.#takeFrame(frame, { segment: file.name, offset }),
      },
      this.#place,
    );
  }

  #takeFrame(frame: Frame, at: { readonly segment: string; readonly offset: number }): void {
    this.#frames += 1;
    this.#events += frame.eventCount;
    this.#recordedAt = frame.recordedAt;
    if (this.#options.onlyNewest === true) return;
    const bytes = { offset: at.offset, endOffset: at.offset + frame.bytes.length };
    for (const { position, reason } of this.#laws.brokenBy(frame, this.#files.partitionCount))
      this.#findings.add({
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
    rest: { readonly source: TolerantSource; readonly start: number; readonly end: number },
  ): Promise<void> {
    const endOffset = await contentEnd(rest);
    if (endOffset === null) return;
    this.#findings.add({
      kind: 'stray_bytes',
      segment: file.name,
      bytes: { offset: rest.start, endOffset },
      reason: 'bytes behind the last frame that should be zero; no event needs them',
    });
  }

  /** What was durable and lies behind the last frame is missing. */
  #verifyEnd(): void {
    const { marker, files } = this.#files;
    const known = Math.min(this.#files.durablePosition, this.#upTo);
    const durable = Math.max(known, this.#options.upTo ?? 0);
    const { position } = this.#place;
    if (durable >= position) {
      this.#findings.add({
        kind: 'missing_positions',
        ...(files.length === 0 ? {} : { segment: files.at(-1)?.name ?? '' }),
        firstPosition: position,
        lastPosition: durable,
        reason: 'they were durable, and the log ends before them',
      });
      this.#place.position = durable + 1;
    }
    if (marker === null && files.length > 0 && !this.#isLive)
      this.#findings.add({
        kind: 'no_head_marker',
        reason:
          "the file 'head' is missing, unreadable or of another log; this is so until the first clean stop, and nothing else depends on it",
      });
  }

  #progress(offset = 0): void {
    this.#options.emit({
      record: 'progress',
      bytes: this.#bytes + offset,
      bytes_total: this.#bytesTotal,
      position: this.#place.position - 1,
      events: this.#events,
    });
  }

  #summary(startedAtMs: number): InspectionSummary {
    const { damages, notices, notIntact } = this.#findings;
    const head = this.#place.position - 1;
    const intact = notIntact.complement(head);
    return {
      record: 'summary',
      log_id: this.#logId,
      segments: this.#files.files.length,
      bytes: this.#bytesTotal,
      frames: this.#frames,
      events: this.#events,
      entities: this.#laws.entityCount,
      head,
      recorded_at: this.#recordedAt === null ? null : formatTimestamp(this.#recordedAt),
      damages,
      notices,
      intact: intact.slice(0, INTACT_RANGES_MAX),
      intact_range_count: intact.length,
      intact_events: intact.reduce((sum, [first, last]) => sum + last - first + 1, 0),
      duration_ms: Math.round(this.#options.nowMs() - startedAtMs),
    };
  }
}
