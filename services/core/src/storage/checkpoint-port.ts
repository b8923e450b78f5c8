/**
 * What a checkpoint asks of the state that it keeps, and what core asks of a checkpoint. A checkpoint holds what core has folded from the log up to a
 * position, so that a start replays only the frames behind it (`checkpoint/`).
 *
 * A section may be taken in one step, and is then the state at exactly that position. Or it is taken bit by bit while appends go on, and then it may hold
 * some of what came later; that is allowed where folding the frames behind the position once more makes the state right, whatever of them it
 * holds already.
 */
import type { Micros } from '@allsource/shared/model';
import type { LogAnchor } from './log-store.ts';

/** One part of core's state in a checkpoint. */
export interface CheckpointSection {
  /** Names the bytes and their form: another form is another name. 1 to 16 characters of ASCII. */
  readonly sectionName: string;
  /**
   * The state in parts, one at least. The call is made at the checkpoint's position; what has to be of that very moment is taken in the call and not while the
   * parts are drawn. Drawing a part takes a millisecond at the most. A part stays as it is until the next one is drawn.
   */
  save(): Iterable<Buffer>;
  /** Takes the parts in order, into a state that is empty before the first, and keeps no byte of a part. Throws when they make no sense. */
  load(part: Buffer): void;
}

/** A checkpoint that lies ready. */
export interface SavedState {
  /** The frame behind which the replay begins. */
  readonly anchor: LogAnchor;
  /** When that frame was recorded. */
  readonly recordedAt: Micros;
  /** The last frame that the state may know of: a log that does not hold it is not the one that the state was folded from. */
  readonly through: LogAnchor;
  /** Fills the sections. Throws {@link UnusableCheckpoint}; the sections are worth nothing then. */
  loadInto(sections: readonly CheckpointSection[]): Promise<void>;
}

/** A checkpoint cannot be used: core starts from an older one, or from the whole log. */
export class UnusableCheckpoint extends Error {
  override readonly name = 'UnusableCheckpoint';
}
