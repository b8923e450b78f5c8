/**
 * What all folds of system events have in common. Frames come in position order, and a fold takes each once: one that it has taken already, after a restart or in a
 * back-fill, is passed over. So a fold may be fed from any position at or before its own.
 */
import { type Position, POSITION_ZERO } from '../model/position.ts';
import type { Frame, FrameEvent } from './frame.ts';
import { parseSystemEvent, type SystemEvent } from './system-events.ts';

/** A system event, and where it lies. */
export interface LoggedSystemEvent {
  readonly parsed: SystemEvent;
  readonly event: FrameEvent;
  readonly frame: Frame;
}

export abstract class SystemFold {
  #appliedPosition: Position = POSITION_ZERO;

  /** The position this fold is true at. */
  get appliedPosition(): Position {
    return this.#appliedPosition;
  }

  /** Folds one frame. Frames come in position order; one that was applied already is passed over. */
  apply(frame: Frame): void {
    if (frame.lastPosition <= this.#appliedPosition) return;
    this.#appliedPosition = frame.lastPosition;
    if (!frame.isSystem) return;
    for (const event of frame.events()) {
      const parsed = parseSystemEvent(event);
      if (parsed !== null) this.fold({ parsed, event, frame });
    }
  }

  /** Takes in one event. Those that are none of this fold's are passed over. */
  protected abstract fold(event: LoggedSystemEvent): void;

  /** Says what was taken in otherwise: by a checkpoint, or nothing any more. */
  protected standAt(position: Position): void {
    this.#appliedPosition = position;
  }
}
