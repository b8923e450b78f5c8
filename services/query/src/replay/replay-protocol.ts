import type { ReplayFilter } from './replay-filter.ts';

/** One share of a replay, which one process carries out. */
export interface ReplayJob {
  readonly shadowFile: string;
  /** The file of the projections. */
  readonly projectionsFile: string;
  readonly coreUrl: string;
  readonly internalToken: string;
  readonly tenant: string;
  /** Names of built-in projections. */
  readonly projections: readonly string[];
  readonly filter: ReplayFilter;
  /** The keys are dealt out to `count` shares by their hash. */
  readonly share: { readonly index: number; readonly count: number };
  /** The generation that is built; null when nothing is switched. */
  readonly generation: number | null;
  /** Events folded between two looks at commands. */
  readonly batchEvents: number;
  /** Events folded in a second, at most. */
  readonly eventsPerSecond: number;
  /** Events between two reports of progress. */
  readonly progressEvents: number;
}

/** What the process is told. One at a time: the next when the answer to the one before has come. `stop` may come at any time. */
export type ReplayCommand =
  /** The first one. */
  | { readonly kind: 'begin'; readonly job: ReplayJob }
  /** Fold up to a position, save, and answer `reached`. */
  | { readonly kind: 'fold'; readonly limit: number }
  /** Copy what was folded into the generation, fold into it from now on, and answer `copied`. */
  | { readonly kind: 'copy' }
  /** Answer `computed`: what a filtered replay has come to, with the states of the keys that may be replaced. */
  | { readonly kind: 'compute'; readonly keys: Readonly<Record<string, readonly string[]>> }
  | { readonly kind: 'stop' };

export interface ComputedStates {
  readonly projection: string;
  readonly keyCount: number;
  /** The sum (exclusive or) of the SHA-256 of every key with its state, as hex: equal states have equal digests. */
  readonly digest: string;
  /** The states of the keys asked for, as far as there are any. */
  readonly states: readonly { readonly key: string; readonly state: string | null }[];
}

export type ReplayReport =
  | { readonly kind: 'progress'; readonly processed: number; readonly position: number }
  | { readonly kind: 'reached'; readonly processed: number; readonly position: number }
  /** Keys by projection; null when they were copied before the process began. */
  | { readonly kind: 'copied'; readonly keyCounts: Readonly<Record<string, number>> | null }
  | { readonly kind: 'computed'; readonly computed: readonly ComputedStates[] }
  /** Why it makes no progress at the moment; null when it does again. */
  | { readonly kind: 'waiting'; readonly reason: string | null }
  | { readonly kind: 'failed'; readonly message: string };
