import type { Logger } from '@allsource/service-kit/observability';

/** What keeps a projection from going on; null for what does not. */
export interface Trouble {
  readonly failure: string | null;
  readonly stalledReason: string | null;
}

/**
 * Says in the log that a projection has failed or stands still, and that it goes on: once each, however often it is looked at. Why it has failed may quote a payload, which is
 * its tenant's alone to read.
 */
export class TroubleLog {
  readonly #logger: Pick<Logger, 'error' | 'warn' | 'info'>;
  readonly #about: { readonly tenant: string; readonly projection: string };
  #said: 'well' | 'failed' | 'stalled' = 'well';

  constructor(
    logger: Pick<Logger, 'error' | 'warn' | 'info'>,
    about: { readonly tenant: string; readonly projection: string },
  ) {
    this.#logger = logger;
    this.#about = about;
  }

  note({ failure, stalledReason }: Trouble): void {
    const word = failure === null ? (stalledReason === null ? 'well' : 'stalled') : 'failed';
    if (word === this.#said) return;
    this.#said = word;
    if (word === 'failed')
      this.#logger.error(
        this.#about,
        'a projection has failed; its page says at which event, and why',
      );
    else if (word === 'stalled')
      this.#logger.warn(
        { ...this.#about, reason: stalledReason },
        'a projection is behind and makes no progress',
      );
    else this.#logger.info(this.#about, 'a projection goes on');
  }
}
