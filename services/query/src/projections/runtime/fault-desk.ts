import { Problem } from '@allsource/shared/errors';
import type { FaultHandling } from '@allsource/shared/protocol';
import type { FoldedEvent } from '../kinds/compiled-projection.ts';
import { sqliteCode } from '../projection-database.ts';

/** The pauses between tries: the first one, and the longest. */
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 1_000;
/** After so many events that no pause has helped, the tries follow each other at once. */
const FUTILE_MAX = 8;

/** What to do with an event. */
export type Verdict =
  | { readonly kind: 'folded' }
  | {
      readonly kind: 'pause' | 'skip' | 'park';
      readonly reason: string;
      /** Tries that were made. */
      readonly attempts: number;
    };

export interface FaultDeskOptions {
  /** Folds the event, or throws and leaves nothing behind. */
  readonly fold: (event: FoldedEvent) => void;
  /** Waits; resolves false when the worker is to stop. */
  readonly pause: (ms: number) => Promise<boolean>;
  /** Told what is being tried again; null when that is over. */
  readonly onRetrying: (text: string | null) => void;
}

/**
 * Decides about an event whose fold has thrown: it is tried again with growing pauses, and then the policy holds. A fold is deterministic, so mostly the tries do not help; when
 * they have not for several events, no more time is lost on pauses.
 */
export class FaultDesk {
  readonly #options: FaultDeskOptions;
  #futile = 0;

  constructor(options: FaultDeskOptions) {
    this.#options = options;
  }

  /** What is to be done with an event whose first try threw `first`. Null when the worker is to stop first: then nothing is decided. */
  async decide(
    event: FoldedEvent,
    { first, handling }: { readonly first: unknown; readonly handling: () => FaultHandling },
  ): Promise<Verdict | null> {
    let reason = faultText(first);
    let attempts = 1;
    try {
      for (; attempts <= handling().retries; attempts++) {
        if (!(await this.#rest(event, { reason, attempts, of: handling().retries }))) return null;
        try {
          this.#options.fold(event);
          this.#futile = 0;
          return { kind: 'folded' };
        } catch (error) {
          // What the disk does is no fault of the event.
          if (sqliteCode(error) !== null) throw error;
          reason = faultText(error);
        }
      }
    } finally {
      this.#options.onRetrying(null);
    }
    this.#futile += 1;
    return { kind: handling().policy, reason, attempts };
  }

  async #rest(
    { id, position }: FoldedEvent,
    tries: { readonly reason: string; readonly attempts: number; readonly of: number },
  ): Promise<boolean> {
    const { reason, attempts, of } = tries;
    this.#options.onRetrying(
      `event ${id} at position ${position} is tried again (${attempts} of ${of}): ${reason}`,
    );
    const pauseMs = Math.min(PAUSE_MS_MIN * 2 ** (attempts - 1), PAUSE_MS_MAX);
    return await this.#options.pause(this.#futile >= FUTILE_MAX ? 0 : pauseMs);
  }
}

const REASON_CHARACTERS_MAX = 1_000;

/** What an error says, at a length that can be kept and shown. */
export function faultText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const named =
    error instanceof Problem || !(error instanceof Error) ? text : `${error.name}: ${text}`;
  return named.slice(0, REASON_CHARACTERS_MAX);
}
