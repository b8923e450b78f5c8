/**
 * Folds events into a state that stays warm: what was missed first, then what comes. Its progress is saved in core (worker-progress.ts), so a restart costs
 * what is new, and each event is in the saved state exactly once, wherever the process is killed.
 *
 * Events are applied one after another. While a save that is due is under way nothing is applied, and what comes waits in the bounded queue of the
 * stream, behind which the store is held back. Between connections `isCaughtUp()` is false.
 *
 * A reducer that throws ends the worker: the state may be half changed, so it is not saved, and a restart begins at the last checkpoint. Failures that
 * pass (the store is away, a save fails) are tried again for as long as the worker runs.
 */
import { CoreClient } from '../core/core-client.ts';
import type { AnyEvents, EventOf, EventTypeOf } from '../events/event-map.ts';
import type { CallOptions } from '../http/connection.ts';
import { AllSourceError, InvalidArgumentError } from '../http/allsource-error.ts';
import { pause, reasonOf } from '../http/pause.ts';
import { Backoff, RECONNECT } from '../http/retry.ts';
import { applied } from '../query/event-folder.ts';
import { EventStreamClient } from '../stream/event-stream-client.ts';
import type { StreamItem } from '../stream/stream-item.ts';
import { AppliedVersions } from './applied-versions.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { coreCheckpoints } from './core-checkpoints.ts';
import { EntityFlush } from './entity-flush.ts';
import { WorkerProgress } from './worker-progress.ts';

const CHECKPOINT_EVENTS = 100;
const CHECKPOINT_MS = 5_000;

export interface ProjectionWorkerOptions<State, Events extends object = AnyEvents> {
  /** The store. The worker opens its stream to the same address, with the same key. */
  readonly core: CoreClient<Events>;
  /** The name of its durable consumer and of its checkpoint. A reducer that folds differently needs another name. One process at a time runs it. */
  readonly name: string;
  /** Event types, exact or prefixes such as `order.*`, at most 100; none: all. */
  readonly eventTypes?: readonly (EventTypeOf<Events> | `${string}.*`)[] | undefined;
  readonly initialState: () => State;
  /** Returns the next state, or changes the one it is given and returns nothing. Not asynchronous: effects belong into a consumer. */
  readonly reducer: (state: State, event: EventOf<Events>) => State | void;
  /** After so many events the progress is saved; 100 without it. */
  readonly checkpointInterval?: number | undefined;
  /** After so long it is saved too, if there is any, in milliseconds; 5,000 without it. */
  readonly checkpointIntervalMs?: number | undefined;
  /** Where the state is saved; core without it. `'cursor'`: nowhere, only the position, and the state begins anew with the process. */
  readonly checkpoints?: CheckpointStore | 'cursor' | undefined;
  /** What is saved of a state that is not plain JSON, such as a Map, and how it is read back. */
  readonly encode?: ((state: State) => unknown) | undefined;
  readonly decode?: ((saved: unknown) => State) | undefined;
  /**
   * The states of single entities that others may read from core's key-value store, under the worker's name. What has changed is saved with each checkpoint.
   */
  readonly flushEntities?:
    | ((state: State) => Iterable<readonly [entityId: string, state: unknown]>)
    | undefined;
  /** Told of each failure that passes. */
  readonly onError?: ((error: AllSourceError) => void) | undefined;
  /** How many messages wait for the reducer before the store is held back; 10,000 without it. */
  readonly queueMessagesMax?: number | undefined;
}

/** What a state holds for one entity: a member of an object or Map by entity id. */
export type EntityStateOf<State> =
  State extends ReadonlyMap<string, infer Value>
    ? Value
    : State extends Readonly<Record<string, infer Value>>
      ? Value
      : unknown;

export type WorkerStatus = 'idle' | 'running' | 'stopped' | 'failed';

/**
 * A long-lived read model in your process.
 *
 * @example
 * ```ts
 * await using worker = new ProjectionWorker({
 *   core,
 *   name: 'revenue',
 *   eventTypes: ['order.placed'],
 *   initialState: () => ({ total: 0 }),
 *   reducer: (state, event) => {
 *     if (event.eventType === 'order.placed') state.total += event.payload.total;
 *   },
 * });
 * await worker.start();
 * await worker.caughtUp();
 * console.log(worker.state().total);
 * ```
 */
export class ProjectionWorker<State, Events extends object = AnyEvents> {
  readonly #options: ProjectionWorkerOptions<State, Events>;
  /** Its own way to the store: the worker tries for as long as it takes, which must not open the circuit of its owner's client. */
  readonly #core: CoreClient<Events>;
  readonly #stopping = new AbortController();
  readonly #versions = new AppliedVersions();
  readonly #waiting = new Set<() => void>();
  #progress: WorkerProgress<State, Events> | null = null;
  #run: Promise<void> | null = null;
  #status: WorkerStatus = 'idle';
  #isCaughtUp = false;
  #failure: Error | null = null;

  constructor(options: ProjectionWorkerOptions<State, Events>) {
    const { checkpointInterval = CHECKPOINT_EVENTS } = options;
    if (!Number.isInteger(checkpointInterval) || checkpointInterval < 1)
      throw new InvalidArgumentError(
        `checkpointInterval is ${checkpointInterval}; it must be a whole number from 1.`,
      );
    this.#options = options;
    this.#core = new CoreClient<Events>({ ...options.core.options, breaker: false });
  }

  /**
   * Registers the consumer, loads the checkpoint and begins to follow the store. Throws when that fails, and when the saved state does not
   * go with the consumer's cursor. The options are for these calls; what ends a worker that runs is `stop`.
   *
   * @example
   * ```ts
   * await worker.start();
   * ```
   */
  async start(options: CallOptions = {}): Promise<void> {
    if (this.#status !== 'idle')
      throw new InvalidArgumentError('A worker is started once; make another one.');
    this.#status = 'running';
    try {
      this.#progress = await this.#resumed(options);
    } catch (error) {
      this.#end('failed', error);
      throw error;
    }
    this.#run = this.#follow(this.#progress);
  }

  /**
   * The state as of the last event applied. It is the worker's own object: read it, and leave it as it is.
   *
   * @example
   * ```ts
   * console.log(worker.state());
   * ```
   */
  state(): State {
    return this.#progress === null ? this.#options.initialState() : this.#progress.state;
  }

  /**
   * What the state holds for one entity, if it is an object or Map by entity id; otherwise what `flushEntities` has last saved for it. `undefined` when
   * there is nothing.
   *
   * @example
   * ```ts
   * const order = await worker.getState('order-1');
   * ```
   */
  async getState(
    entityId: string,
    options: CallOptions = {},
  ): Promise<EntityStateOf<State> | undefined> {
    const state: unknown = this.state();
    if (state instanceof Map) return state.get(entityId) as EntityStateOf<State> | undefined;
    if (typeof state === 'object' && state !== null && Object.hasOwn(state, entityId))
      return (state as Record<string, EntityStateOf<State>>)[entityId];
    const { name, flushEntities } = this.#options;
    if (flushEntities === undefined) return undefined;
    return (await this.#core.getProjectionState(name, entityId, options)) as
      | EntityStateOf<State>
      | undefined;
  }

  /**
   * True while everything that was there when the stream was opened has been applied and the connection holds.
   *
   * @example
   * ```ts
   * if (!worker.isCaughtUp()) console.log('still reading');
   * ```
   */
  isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  /**
   * Waits until the worker has caught up. Throws its failure when it fails first, and a signal's reason when that aborts.
   *
   * @example
   * ```ts
   * await worker.caughtUp({ signal: AbortSignal.timeout(10_000) });
   * ```
   */
  async caughtUp({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#until(() => this.#isCaughtUp, signal);
  }

  /**
   * Waits until everything up to a position has been applied, such as that of an event just read elsewhere. Only positions of events that the
   * worker is for are waited for.
   *
   * @example
   * ```ts
   * await worker.applied(1042);
   * ```
   */
  async applied(
    position: number,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    await this.#until(() => this.position >= position, signal);
  }

  /** The place of the log up to which everything has been applied. */
  get position(): number {
    return this.#progress?.position ?? 0;
  }

  get status(): WorkerStatus {
    return this.#status;
  }

  /** Why it has failed; null while it has not. */
  get failure(): Error | null {
    return this.#failure;
  }

  /**
   * Ends the worker and saves its progress. A worker that has failed is already ended.
   *
   * @example
   * ```ts
   * await worker.stop();
   * ```
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run;
    if (this.#status === 'idle') this.#end('stopped');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** The checkpoint and the cursor, brought together. */
  async #resumed(options: CallOptions): Promise<WorkerProgress<State, Events>> {
    const { name, eventTypes = [], initialState, flushEntities } = this.#options;
    const core = this.#core;
    const {
      encode = (state: State): unknown => state,
      decode = (saved: unknown) => saved as State,
    } = this.#options;
    const checkpoints = this.#checkpoints();
    const checkpoint = (await checkpoints?.load(name, options)) ?? null;
    const { cursorPosition } = await core.registerConsumer(name, { eventTypes }, options);
    const position = checkpoint?.position ?? 0;
    if (checkpoints !== null && position < cursorPosition)
      throw unknownState(name, position, cursorPosition);
    if (position > cursorPosition) await core.saveCheckpoint(name, position, options);
    const state = checkpoint === null ? initialState() : decode(checkpoint.state);
    const flush = flushEntities === undefined ? null : new EntityFlush(core, name, flushEntities);
    const start = { state, position: Math.max(position, cursorPosition) };
    return new WorkerProgress({ core, name, checkpoints, encode, flush, start });
  }

  #checkpoints(): CheckpointStore | null {
    const { checkpoints } = this.#options;
    if (checkpoints === 'cursor') return null;
    return checkpoints ?? coreCheckpoints(this.#core);
  }

  async #follow(progress: WorkerProgress<State, Events>): Promise<void> {
    const { name, checkpointIntervalMs = CHECKPOINT_MS, queueMessagesMax } = this.#options;
    const stream = new EventStreamClient<Events>({ ...this.#core.options, queueMessagesMax });
    const timer = setInterval(() => {
      if (progress.unsavedEvents > 0) void this.#saveOnTime(progress);
    }, checkpointIntervalMs);
    const { signal } = this.#stopping;
    try {
      for await (const item of stream.subscribe({ consumerId: name, signal }))
        await this.#take(item, progress);
      clearInterval(timer);
      await progress.save();
      this.#end('stopped');
    } catch (error) {
      this.#end('failed', error);
    } finally {
      clearInterval(timer);
      stream.close();
    }
  }

  async #take(
    item: StreamItem<EventOf<Events>>,
    progress: WorkerProgress<State, Events>,
  ): Promise<void> {
    const { checkpointInterval = CHECKPOINT_EVENTS, onError } = this.#options;
    switch (item.kind) {
      case 'event':
        if (!this.#isNew(item, progress)) return;
        progress.advance(this.#reduced(progress, item.event), item.position);
        if (progress.unsavedEvents >= checkpointInterval) await this.#save(progress);
        break;
      case 'caught_up':
        await this.#save(progress);
        this.#isCaughtUp = true;
        break;
      case 'reconnecting':
        this.#isCaughtUp = false;
        if (item.error !== null) onError?.(item.error);
        break;
      case 'lagged':
        break;
    }
    this.#wake();
  }

  // Between the throw and the worker's end a save on time may come.
  #reduced(progress: WorkerProgress<State, Events>, event: EventOf<Events>): State {
    try {
      return applied(this.#options.reducer, progress.state, event);
    } catch (error) {
      progress.abandon();
      throw error;
    }
  }

  #isNew(
    { position, event }: Extract<StreamItem<EventOf<Events>>, { kind: 'event' }>,
    progress: WorkerProgress<State, Events>,
  ): boolean {
    if (position !== null && position <= progress.position) return false;
    return this.#versions.note(event.entityId, event.version);
  }

  /** Saves, again and again while the failure is one that passes and the worker is wanted. */
  async #save(progress: WorkerProgress<State, Events>): Promise<void> {
    const backoff = new Backoff(RECONNECT);
    const { signal } = this.#stopping;
    for (;;) {
      try {
        return await progress.save();
      } catch (error) {
        if (!(error instanceof AllSourceError) || !error.retryable || signal.aborted) throw error;
        this.#options.onError?.(error);
        const delayMs = backoff.nextDelayMs(error.retryAfterMs) ?? RECONNECT.delayMsMax;
        await pause(delayMs, signal).catch(() => undefined);
      }
    }
  }

  async #saveOnTime(progress: WorkerProgress<State, Events>): Promise<void> {
    try {
      await progress.save();
    } catch (error) {
      // A failure that stays meets the next save that is waited for, which ends the worker.
      if (error instanceof AllSourceError) this.#options.onError?.(error);
    }
  }

  #end(status: WorkerStatus, error?: unknown): void {
    this.#status = status;
    this.#isCaughtUp = false;
    if (error !== undefined)
      this.#failure = error instanceof Error ? error : new Error('failed', { cause: error });
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async #until(isDone: () => boolean, signal: AbortSignal | undefined): Promise<void> {
    while (!isDone()) {
      if (this.#failure !== null) throw this.#failure;
      if (this.#status === 'stopped') throw new InvalidArgumentError('The worker is stopped.');
      await this.#change(signal);
    }
  }

  async #change(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = () => {
        this.#waiting.delete(settle);
        signal?.removeEventListener('abort', settle);
        if (signal?.aborted === true) reject(reasonOf(signal));
        else resolve();
      };
      this.#waiting.add(settle);
      signal?.addEventListener('abort', settle);
      if (signal?.aborted === true) settle();
    });
  }
}

function unknownState(name: string, position: number, cursor: number): InvalidArgumentError {
  return new InvalidArgumentError(
    `The consumer '${name}' has come to position ${cursor}, but the state saved under its name ends at ${position}, so the events in between would be missing. Give the worker another name, which reads the log from its beginning, or checkpoints: 'cursor' if the state need not be whole.`,
  );
}
