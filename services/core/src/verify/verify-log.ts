/**
 * Verification: one pass over every frame of a log, which names each place where something acknowledged cannot be read or is not what it should be (I-10),
 * and goes on behind it. It only reads (`read-only-disk.ts`), and needs no lock.
 *
 * Recovery (`log/recovery.ts`) stops at the first damage because a store must not run on a log with a hole in it; this is for the person who has to
 * find out how much is lost and what to restore. The two agree on what is damage and what is the torn tail of a crash, by the same witnesses: a later segment, the
 * durable position that a whole frame tells of, the head marker, and the newest checkpoint.
 *
 * In the folder of a running node the frames up to the newest durable position that the files tell of are held to account. That lags behind what is acknowledged, so
 * the frames behind it are verified too as long as one follows the other; where that ends, a write may be under way, and nothing is judged. A running
 * core names the position itself (`upTo`).
 *
 * Segments are inspected one after the other (`segment-inspection.ts`): sealed ones through their blocks, and their digests are computed again.
 */
import { formatTimestamp } from '@allsource/shared/model';
import {
  type InspectionRecord,
  type InspectionSummary,
  INTACT_RANGES_MAX,
} from '@allsource/shared/protocol';
import type { Disk } from '../storage/disk.ts';
import { Findings } from './findings.ts';
import { type InspectedFile, type LogFiles, readLogFiles } from './log-files.ts';
import type { CheckpointEnds } from './newest-checkpoint.ts';
import { type QuickLook, SegmentInspection } from './segment-inspection.ts';

export interface VerifyOptions {
  readonly disk: Disk;
  /** The newest checkpoint of the log; null when there is none. */
  readonly checkpoint: CheckpointEnds | null;
  /** The last position to look at; null = what the files say was durable in the folder of a running node, else everything. */
  readonly upTo: number | null;
  /** Who has the folder open; null when nobody has. */
  readonly owner: { readonly owner: string; readonly pid: number | null } | null;
  /** Null = all. Else the headers of all segments, and of the frames those that a start verifies. The laws that need every event are then not looked at. */
  readonly quick?: QuickLook | null;
  readonly emit: (record: InspectionRecord) => void;
  readonly nowMs: () => number;
}

/** Verifies a log and tells of it record by record; the last one is the summary, which is returned too. */
export async function verifyLog(options: VerifyOptions): Promise<InspectionSummary> {
  const startedAtMs = options.nowMs();
  const files = await readLogFiles(options.disk, options.checkpoint?.through ?? null);
  const summary = await new LogVerification(options, files).run(startedAtMs);
  options.emit(summary);
  return summary;
}

class LogVerification {
  readonly #options: VerifyOptions;
  readonly #files: LogFiles;
  readonly #findings: Findings;
  readonly #segments: SegmentInspection;
  readonly #isLive: boolean;
  readonly #upTo: number;
  readonly #looksOn: boolean;
  #bytes = 0;

  constructor(options: VerifyOptions, files: LogFiles) {
    this.#options = options;
    this.#files = files;
    this.#findings = new Findings(options.emit);
    this.#isLive = options.owner !== null || options.upTo !== null;
    const durable = this.#isLive ? files.durablePosition : Number.MAX_SAFE_INTEGER;
    this.#upTo = options.upTo ?? durable;
    this.#looksOn = options.upTo === null;
    this.#segments = new SegmentInspection({
      disk: options.disk,
      files,
      findings: this.#findings,
      upTo: this.#upTo,
      looksOn: this.#looksOn,
      durablePosition: Math.max(files.durablePosition, options.upTo ?? 0),
      quick: options.quick ?? null,
      onProgress: (bytes) => this.#progress(bytes),
    });
  }

  async run(startedAtMs: number): Promise<InspectionSummary> {
    this.#start();
    const { files, strangers, copies } = this.#files;
    for (const { name, kept, reason } of copies)
      this.#findings.add({
        kind: 'stray_bytes',
        segment: name,
        reason: `it does not hold what its copy ${kept} does, which is whole (${reason}); no event needs it, and the next start moves it aside`,
      });
    for (const name of strangers)
      this.#segments.addHeaderFault(name, 'its name is not a position in 20 digits');
    for (const [ordinal, file] of files.entries()) {
      const next = files[ordinal + 1] ?? null;
      if (file.firstPosition <= this.#upTo || this.#isNext(file))
        await this.#segments.inspect(file, next);
      this.#bytes += file.fileBytes;
      this.#progress();
    }
    this.#verifyEnd();
    return this.#summary(startedAtMs);
  }

  /** Whether a segment that lies behind `upTo` holds what comes next. */
  #isNext(file: InspectedFile): boolean {
    const { position } = this.#segments.place;
    return this.#looksOn && file.headerFault === null && file.firstPosition === position;
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

  /** What was durable and lies behind the last frame is missing. */
  #verifyEnd(): void {
    const { marker, files } = this.#files;
    const known = Math.min(this.#files.durablePosition, this.#upTo);
    const durable = Math.max(known, this.#options.upTo ?? 0);
    const { position } = this.#segments.place;
    if (durable >= position) {
      this.#findings.add({
        kind: 'missing_positions',
        ...(files.length === 0 ? {} : { segment: files.at(-1)?.name ?? '' }),
        firstPosition: position,
        lastPosition: durable,
        reason: 'they were durable, and the log ends before them',
      });
      this.#segments.place.position = durable + 1;
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
      position: this.#segments.place.position - 1,
      events: this.#segments.events,
    });
  }

  #summary(startedAtMs: number): InspectionSummary {
    const { damages, notices, notIntact } = this.#findings;
    const { recordedAt } = this.#segments;
    const head = this.#segments.place.position - 1;
    const intact = notIntact.complement(head);
    return {
      record: 'summary',
      log_id: this.#logId,
      segments: this.#files.files.length,
      bytes: this.#bytesTotal,
      frames: this.#segments.frames,
      events: this.#segments.events,
      entities: this.#segments.entityCount,
      head,
      recorded_at: recordedAt === null ? null : formatTimestamp(recordedAt),
      damages,
      notices,
      intact: intact.slice(0, INTACT_RANGES_MAX),
      intact_range_count: intact.length,
      intact_events: intact.reduce((sum, [first, last]) => sum + last - first + 1, 0),
      duration_ms: Math.round(this.#options.nowMs() - startedAtMs),
    };
  }
}
