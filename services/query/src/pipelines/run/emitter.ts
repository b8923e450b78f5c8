/**
 * Writes what a pipeline emits into the log: each output once, in the order in which the operators put them out.
 *
 * The argument. An output is put into the outbox in the transaction that moves the position past its event. It leaves the outbox when core has acknowledged it, or when
 * it was found in the log. An append whose answer is missing is repeated with the same events and the same idempotency key, which core then answers without
 * storing it again; the events of an append are written down before it is sent, so that a restart repeats the same one. What was written and then forgotten with the
 * file is found by the search (emission-search.ts) before anything is sent.
 *
 * Events that core refuses for good, such as by a strict schema, are put among the dead letters one by one; the others go on.
 */
import { type Deferred, deferred } from '@allsource/shared/lang';
import type { Pipeline } from '../definition/pipeline-definition.ts';
import type { CoreAppender } from './core-appender.ts';
import type { EmitBatch, Outbox } from './outbox.ts';
import { persist } from './persist.ts';

export interface EmitterOptions {
  readonly pipeline: Pipeline;
  readonly outbox: Outbox;
  readonly appender: Pick<CoreAppender, 'append'>;
  /** Searches the log for what was written before. Rejects when that is not possible at the moment. */
  readonly search: () => Promise<void>;
  /** Told when something has left the outbox. */
  readonly onSettled: () => void;
}

export class Emitter {
  readonly #options: EmitterOptions;
  readonly #stopping = new AbortController();
  #woken: Deferred<void> | null = null;
  #fault: string | null = null;
  #running: Promise<void> | null = null;
  /** Set when a key was used for other events: those that follow get other keys. */
  #salt = 0;

  constructor(options: EmitterOptions) {
    this.#options = options;
  }

  /** Why nothing can be written at the moment; null when all is well. */
  get fault(): string | null {
    return this.#fault;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Says that there may be something to write. */
  wake(): void {
    this.#woken?.resolve();
    this.#woken = null;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    // What fails here is the file, such as on a full disk; it is tried again.
    while (!this.#isStopped)
      await this.#persist(async () => {
        const batch = this.#options.outbox.nextBatch();
        if (batch === null) await this.#sleep();
        else await this.#write(batch);
      });
  }

  async #sleep(): Promise<void> {
    this.#fault = null;
    this.#woken ??= deferred<void>();
    await this.#woken.promise;
  }

  async #write(batch: EmitBatch): Promise<void> {
    const { outbox, onSettled } = this.#options;
    const outcome = await this.#append(batch);
    switch (outcome?.kind) {
      case 'appended':
        outbox.settle(batch.entries, 'emitted');
        break;
      case 'refused': {
        const [only, ...more] = batch.entries;
        if (more.length > 0) outbox.cut(batch);
        else if (only !== undefined) outbox.bury(only, outcome.reason);
        break;
      }
      case 'key_reused':
        await this.#persist(this.#options.search);
        if (this.#isStopped) return;
        this.#salt += 1;
        outbox.dissolve();
        break;
      case undefined:
        return;
    }
    onSettled();
  }

  /** Appends until core has decided. Undefined when this was stopped before. */
  async #append(batch: EmitBatch) {
    const { appender, pipeline } = this.#options;
    const request = {
      tenant: pipeline.tenant,
      events: batch.entries.map(({ body }) => body),
      idempotencyKey: this.#keyOf(batch),
    };
    let decided:
      | Exclude<Awaited<ReturnType<typeof appender.append>>, { kind: 'failed' }>
      | undefined;
    await this.#persist(async () => {
      const outcome = await appender.append(request);
      if (outcome.kind === 'failed') throw new RangeError(outcome.reason);
      decided = outcome;
    });
    return decided;
  }

  #keyOf({ entries }: EmitBatch): string {
    const first = entries[0];
    const last = entries.at(-1);
    const range = `${first?.position}.${first?.ordinal}-${last?.position}.${last?.ordinal}`;
    const { run } = this.#options.pipeline;
    return `pipeline:${run}:${range}:${entries.length}${this.#salt === 0 ? '' : `:${this.#salt}`}`;
  }

  #persist(attempt: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    const onFault = (fault: string | null) => {
      this.#fault = fault;
    };
    return persist(attempt, { signal, onFault });
  }
}
