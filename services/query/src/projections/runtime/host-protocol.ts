import type { FaultHandling, ProjectionDefinition } from '@allsource/shared/protocol';
import type { RetriedParked } from '../projection-runtime.ts';
import type { BuildProgress } from './build-progress.ts';

/** How a worker works. It may change while it does. */
export interface TaskConfig {
  /** Events folded between two looks at commands. */
  readonly batchEvents: number;
  /** Events between two saves; null: none but at the end of a catch-up and when it stops. */
  readonly saveEvents: number | null;
  readonly onFault: FaultHandling;
  /** The definition in force, by the position of its last change: after a failure only a later one goes on. */
  readonly changedPosition: number;
}

/** One worker of a build: a share of the events, with a file of its own. */
export interface TaskJob {
  readonly file: string;
  readonly coreUrl: string;
  readonly internalToken: string;
  readonly tenant: string;
  readonly computed: Pick<ProjectionDefinition, 'type' | 'definition' | 'event_types'>;
  /** A digest of what is computed. */
  readonly computes: string;
  /** The events whose partition divided by `count` leaves `index`. */
  readonly share: { readonly index: number; readonly count: number };
  readonly config: TaskConfig;
}

/** What a worker answers when it is asked something. */
export type TaskAnswer =
  | { readonly kind: 'retried'; readonly retried: RetriedParked }
  | { readonly kind: 'summary'; readonly summary: BuildSummary | null }
  | { readonly kind: 'refused'; readonly reason: string };

/** What a worker is asked. */
export type TaskQuestion =
  | { readonly kind: 'retry'; readonly entity: string | null }
  /** What it holds at the first end of a frame at or behind a position; null when it is past that already. */
  | { readonly kind: 'summarize'; readonly position: number; readonly oneIn: number };

/** What a part of a build holds at a position, for a comparison. */
export interface BuildSummary {
  readonly position: number;
  readonly rows: number;
  /** The keys whose hash the sample takes in, each with a digest of what readers see of it. */
  readonly sample: readonly { readonly key: string; readonly digest: string }[];
  /** True when keys may be held by other workers too, so that what is here may be a part of their states. */
  readonly hasSharedKeys: boolean;
}

/** To the process. */
export type HostCommand =
  /** The first one for a worker. It folds nothing before it is told to follow. */
  | { readonly kind: 'open'; readonly task: string; readonly job: TaskJob }
  | { readonly kind: 'follow'; readonly task: string }
  /** Fold nothing more for now, and save. */
  | { readonly kind: 'hold'; readonly task: string }
  | { readonly kind: 'tune'; readonly task: string; readonly config: TaskConfig }
  /** Save as soon as this position is reached: somebody waits. */
  | { readonly kind: 'want'; readonly task: string; readonly position: number }
  | {
      readonly kind: 'ask';
      readonly task: string;
      readonly id: number;
      readonly question: TaskQuestion;
    }
  /** Answered by `alive` as soon as the thread is free. */
  | { readonly kind: 'ping' }
  /** Save and close the file; answered by `closed`. */
  | { readonly kind: 'close'; readonly task: string };

/** How it is with a worker. */
export interface TaskReport {
  /** As the file holds it. */
  readonly progress: BuildProgress;
  /** The last head of the log that was heard of. */
  readonly knownHead: number;
  /** When it last stood at the head, in milliseconds since the epoch; null when it never has since it was opened. */
  readonly atHeadMs: number | null;
  /** When the last frame that it has passed was recorded, in milliseconds since the epoch. */
  readonly recordedMs: number | null;
  /** Why it makes no progress at the moment; null when nothing is wrong. */
  readonly trouble: string | null;
}

/** From the process. */
export type HostReport =
  | { readonly kind: 'report'; readonly task: string; readonly report: TaskReport }
  | {
      readonly kind: 'answer';
      readonly task: string;
      readonly id: number;
      readonly answer: TaskAnswer;
    }
  | { readonly kind: 'alive' }
  /**
   * The file is closed: because that was wanted, because of a fault, after which it can be opened again, or because the definition cannot be carried out, which it
   * can only when it has changed.
   */
  | {
      readonly kind: 'closed';
      readonly task: string;
      readonly cause: 'wanted' | 'fault' | 'definition';
      readonly reason: string;
    };
