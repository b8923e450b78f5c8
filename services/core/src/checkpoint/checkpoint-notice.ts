import type { Position } from '@allsource/shared/model';

/** What checkpoints tell the operator: core writes it to its own log and counts it. */
export type CheckpointNotice =
  | {
      readonly kind: 'checkpoint_written';
      readonly position: Position;
      readonly bytes: number;
      readonly durationMs: number;
    }
  /** A start could not use it, and used an older one or the whole log. */
  | { readonly kind: 'checkpoint_set_aside'; readonly name: string; readonly reason: string }
  /** One could not be written or looked for. Nothing is lost by it: the next start replays more of the log. */
  | { readonly kind: 'checkpoint_failed'; readonly cause: Error };

export type CheckpointListener = (notice: CheckpointNotice) => void;
