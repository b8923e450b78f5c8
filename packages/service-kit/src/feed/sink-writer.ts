/**
 * The only caller of a sink. It takes feed messages from wherever they come and passes on each frame exactly once, in position order.
 *
 * The argument. The sink's applied position P is the only cursor, and it lives where the sink's state lives, so both move in one step of the
 * sink or not at all. A frame is handed over only if it begins at P+1 (unfiltered), belongs to the sink's log, and carries the
 * checksum of the frame handed over before it. A frame at or below P has been applied and is passed over; a frame beyond P+1 stops the run as
 * a gap, and whoever brought it fetches what is missing. So duplicates, reordering and loss on the way change when a frame arrives here and never
 * what the sink sees. After a crash the sink says P, and the next frame begins at P+1 again.
 *
 * A filtered feed has gaps by nature: there, frames need only be beyond P, and P moves over what was left out when core says that nothing
 * more lies at or below its head. Core sends that head notice behind every frame it speaks of.
 *
 * When `apply` throws, nothing of the run counts: the writer takes P from the sink again and throws, and the same frames are
 * fetched again later. A frame is never skipped.
 */
import { assert } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';
import type { FeedMessage, Frame } from '@allsource/shared/protocol';
import { FOLLOWER_LIMITS } from './follower-limits.ts';
import type { FrameSink } from './frame-sink.ts';

/** Why a run of messages was taken only up to a point. */
export type TakeOutcome =
  | { readonly kind: 'taken' }
  /** A frame lies beyond the next one; those between have not come. */
  | { readonly kind: 'gap'; readonly position: Position }
  /** The frame cannot follow what the sink holds. From core itself this means that the sink holds another log. */
  | { readonly kind: 'foreign'; readonly reason: string };

type FrameVerdict = TakeOutcome | { readonly kind: 'passed' };

export interface SinkWriterOptions {
  readonly sink: FrameSink;
  readonly isFiltered: boolean;
  /** Called after the sink has moved. */
  readonly onApplied: (applied: Position) => void;
}

/** Where the next frame is joined on: the last position passed on and the checksum of its frame, null while it is not known. */
interface Seam {
  readonly position: Position;
  readonly checksum: number | null;
}

export class SinkWriter {
  readonly #options: SinkWriterOptions;
  #seam: Seam;
  #logId: string | null;
  #run: Frame[] = [];
  #runBytes = 0;

  constructor(options: SinkWriterOptions) {
    this.#options = options;
    this.#seam = seamOf(options.sink);
    this.#logId = options.sink.logId;
  }

  get appliedPosition(): Position {
    return this.#options.sink.appliedPosition;
  }

  /** The log the sink was filled from, as hex; null while it is empty. */
  get logId(): string | null {
    return this.#logId;
  }

  /** False until the frame that the sink ends with has been seen, so that the next one can be checked against it. */
  get isSeamKnown(): boolean {
    return this.#seam.checksum !== null;
  }

  /**
   * Where to read from next. While the checksum of the last applied frame is not known, that frame is asked for again: it is passed over, but
   * it proves that core's log and the sink have the same frame boundary, and gives the checksum that the next frame must name.
   */
  get readFrom(): Position {
    const isJoined = this.isSeamKnown || this.#options.isFiltered;
    return position(isJoined ? this.#seam.position + 1 : this.#seam.position);
  }

  /** Begins where the sink stands, which it may have learned since: for the first time, or after a failure. */
  resume(): void {
    const { sink } = this.#options;
    if (this.#seam.position !== sink.appliedPosition || this.#logId !== sink.logId)
      this.#forgetRun();
  }

  /** Takes messages in order until one does not fit. Throws what the sink throws. One call at a time. */
  async take(messages: Iterable<FeedMessage>): Promise<TakeOutcome> {
    try {
      for (const message of messages) {
        if (message.kind === 'frame') {
          const verdict = this.#join(message.frame);
          if (verdict.kind === 'gap' || verdict.kind === 'foreign') {
            await this.#applyRun();
            return verdict;
          }
          if (this.#isRunFull()) await this.#applyRun();
        } else if (this.#options.isFiltered) {
          await this.#applyRun();
          await this.advance(message.head, message.logId.toString('hex'));
        }
      }
      await this.#applyRun();
      return { kind: 'taken' };
    } catch (error) {
      this.#forgetRun();
      throw error;
    }
  }

  /** Says that nothing lies between the sink and `head` that it has to see. For filtered feeds. */
  async advance(head: Position, logId: string): Promise<void> {
    if (head <= this.appliedPosition || (this.#logId !== null && this.#logId !== logId)) return;
    await this.#options.sink.advance(head, logId);
    assert(this.appliedPosition === head, 'a sink stands where it was advanced to');
    this.#logId = logId;
    this.#seam = { position: head, checksum: null };
    this.#options.onApplied(head);
  }

  /** Empties the sink, to be filled from the log's first frame. */
  async reset(): Promise<void> {
    this.#forgetRun();
    await this.#options.sink.reset();
    assert(this.appliedPosition === 0, 'an emptied sink stands at position 0');
    this.#forgetRun();
    this.#logId = null;
  }

  #join(frame: Frame): FrameVerdict {
    const verdict = this.#judge(frame);
    if (verdict.kind === 'taken') {
      this.#run.push(frame);
      this.#runBytes += frame.bytes.length;
      this.#logId ??= frame.logId.toString('hex');
      this.#seam = { position: frame.lastPosition, checksum: frame.checksum };
    } else if (verdict.kind === 'passed' && frame.lastPosition === this.#seam.position) {
      this.#seam = { position: this.#seam.position, checksum: frame.checksum };
    }
    return verdict;
  }

  #judge(frame: Frame): FrameVerdict {
    const { position: at, checksum } = this.#seam;
    const logId = frame.logId.toString('hex');
    if (this.#logId !== null && logId !== this.#logId)
      return foreign(`frame ${frame.position} is of log ${logId}, not ${this.#logId}`);
    if (frame.lastPosition === at && checksum !== null && checksum !== frame.checksum)
      return foreign(`frame ${frame.position} is another one than was applied`);
    if (frame.lastPosition <= at) return { kind: 'passed' };
    if (frame.position <= at)
      return foreign(`frame ${frame.position}..${frame.lastPosition} holds position ${at} inside`);
    if (this.#options.isFiltered) return { kind: 'taken' };
    if (frame.position > at + 1) return { kind: 'gap', position: frame.position };
    if (checksum !== null && frame.previousChecksum !== checksum)
      return foreign(`frame ${frame.position} does not follow the frame that ends at ${at}`);
    return { kind: 'taken' };
  }

  #isRunFull(): boolean {
    return (
      this.#runBytes >= FOLLOWER_LIMITS.applyBytesMax ||
      this.#run.length >= FOLLOWER_LIMITS.applyFramesMax
    );
  }

  async #applyRun(): Promise<void> {
    const frames = this.#run;
    const last = frames.at(-1);
    if (last === undefined || this.#logId === null) return;
    this.#run = [];
    this.#runBytes = 0;
    await this.#options.sink.apply(frames, this.#logId);
    assert(this.appliedPosition === last.lastPosition, 'a sink stands where its last frame ends');
    this.#options.onApplied(last.lastPosition);
  }

  #forgetRun(): void {
    this.#run = [];
    this.#runBytes = 0;
    this.#seam = seamOf(this.#options.sink);
    this.#logId = this.#options.sink.logId;
  }
}

function foreign(reason: string): FrameVerdict {
  return { kind: 'foreign', reason };
}

/** The frame before the first one has, by the format, the checksum 0. */
function seamOf(sink: FrameSink): Seam {
  return { position: sink.appliedPosition, checksum: sink.appliedPosition === 0 ? 0 : null };
}
