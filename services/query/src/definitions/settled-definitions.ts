/**
 * Tells when the definitions are to be carried out: once this service has caught up with core, and then behind each change. While the folds are filled, at the start
 * or after core's log was replaced by another one, nobody is told anything: what has not been read yet must not be taken for removed.
 *
 * Changes that come close together are told once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogFollower } from '@allsource/service-kit/feed';
import type { Logger } from '@allsource/service-kit/observability';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { DefinitionDirectory } from './definition-directory.ts';

export interface SettledDefinitionsOptions {
  readonly directory: DefinitionDirectory;
  readonly follower: Pick<LogFollower, 'coreHead' | 'waitFor'>;
  readonly logger: Logger;
}

/** Between two tries to reach core. */
const RETRY_MS = 200;

/** Throws `starting` while the definitions are being read: what has not been read yet must not be taken for missing. */
export function requireSettled(isSettled: boolean, what: 'pipelines' | 'projections'): void {
  if (isSettled) return;
  throw problem('starting', `The ${what} are still being read from core. Try again shortly.`);
}

export class SettledDefinitions {
  readonly #options: SettledDefinitionsOptions;
  readonly #listeners = new Set<() => void>();
  readonly #unsubscribe: () => void;
  readonly #closing = new AbortController();
  /** Counts how often the directory was emptied: a head that was asked for before that says nothing of the log behind it. */
  #epoch = 0;
  #isSettled = false;
  #isDue = false;
  #isStarted = false;
  #settling: Promise<void> | null = null;

  constructor(options: SettledDefinitionsOptions) {
    this.#options = options;
    this.#unsubscribe = options.directory.onChanged((change) => {
      if (change === 'changed') return this.#tellSoon();
      this.#epoch += 1;
      this.#isSettled = false;
      this.#settle();
    });
  }

  /** True while the directory holds what core held a moment ago. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Calls back once the definitions are settled and whenever they have changed after that. */
  onSettled(listener: () => void): void {
    this.#listeners.add(listener);
    this.#tellSoon();
  }

  /** Begins to look for core. */
  start(): void {
    this.#isStarted = true;
    this.#settle();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#unsubscribe();
    this.#listeners.clear();
    await this.#settling;
  }

  #settle(): void {
    if (!this.#isStarted || this.#closing.signal.aborted) return;
    this.#settling ??= this.#run().finally(() => {
      this.#settling = null;
      if (!this.#isSettled) this.#settle();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const epoch = this.#epoch;
      if ((await this.#hasCaughtUp()) && epoch === this.#epoch) {
        this.#isSettled = true;
        this.#tellSoon();
        return;
      }
      // Rejects when this is closed, which ends the loop.
      await sleep(RETRY_MS, null, { signal }).catch(() => null);
    }
  }

  async #hasCaughtUp(): Promise<boolean> {
    const { follower, logger } = this.#options;
    try {
      return await follower.waitFor(await follower.coreHead(), LIMITS.accessWaitMs);
    } catch (error) {
      logger.debug({ err: error }, 'the definitions cannot be read yet');
      return false;
    }
  }

  #tellSoon(): void {
    if (!this.#isSettled || this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => {
      this.#isDue = false;
      if (this.#isSettled) for (const listener of this.#listeners) listener();
    });
  }
}
