/** What the service and the process of the pipelines say to each other. */
import type { PipelineDocument } from '../definition/pipeline-definition.ts';
import type { OutboundSettings } from '../outbound/outbound-policy.ts';

/** How core is reached. */
export interface CoreAccess {
  readonly coreUrl: string;
  readonly internalToken: string;
}

export interface HostJob {
  readonly core: CoreAccess;
  readonly outbound: OutboundSettings;
}

/** One generation of a pipeline, to be carried out. */
export interface PipelineJob {
  /** Names the pipeline among all of the process. */
  readonly key: string;
  readonly tenant: string;
  readonly document: PipelineDocument;
  readonly file: string;
}

export type HostCommand =
  /** The first one. */
  | { readonly kind: 'begin'; readonly job: HostJob }
  | { readonly kind: 'run'; readonly job: PipelineJob }
  /** Ends a pipeline; answered with `stopped`. */
  | { readonly kind: 'stop'; readonly key: string; readonly request: number }
  /** Answered with `reached` when the pipeline has saved everything up to a position; without an answer after `timeoutMs`. */
  | {
      readonly kind: 'wait';
      readonly key: string;
      readonly position: number;
      readonly timeoutMs: number;
      readonly request: number;
    }
  /** Says that dead letters were given another try. */
  | {
      readonly kind: 'revive';
      readonly key: string;
      readonly output: RevivedOutput;
      readonly request: number;
    }
  /** The answer to `look_up`; JSON text, or null where there is nothing. */
  | {
      readonly kind: 'found';
      readonly request: number;
      readonly text: string | null;
      /** Why it cannot be looked up at the moment. */
      readonly fault: string | null;
    }
  | { readonly kind: 'end' };

/** All dead letters (null), or one. */
export type RevivedOutput = { readonly position: number; readonly ordinal: number } | null;

/** What a pipeline is doing. */
export interface PipelineState {
  /** The position up to which everything is saved. */
  readonly position: number;
  /** The last head of the log that it has heard of. */
  readonly head: number;
  readonly hasCaughtUp: boolean;
  /** Why it makes no progress, in a sentence; null when it does. */
  readonly waiting: string | null;
  /** Outputs that wait to be written or delivered, and dead letters. */
  readonly pending: number;
  readonly dead: number;
}

export interface LookUpSource {
  readonly kind: 'pipeline' | 'projection';
  readonly name: string;
}

export type HostReport =
  /** It takes commands. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'state'; readonly key: string; readonly state: PipelineState }
  /** Rows may have changed. */
  | { readonly kind: 'saved'; readonly key: string }
  | { readonly kind: 'stopped'; readonly request: number }
  | { readonly kind: 'reached'; readonly request: number; readonly isReached: boolean }
  | { readonly kind: 'revived'; readonly request: number; readonly count: number }
  | {
      readonly kind: 'look_up';
      readonly request: number;
      readonly tenant: string;
      readonly source: LookUpSource;
      readonly key: string;
    }
  /** A pipeline cannot be carried out. */
  | { readonly kind: 'failed'; readonly key: string; readonly message: string };
