/**
 * The ProjectionWorker of the Rust SDK, state by state: register, connect, replay with checkpoints, caught up, live, reconnect with growing delays. Only
 * replayed events move the cursor; versions per entity tell what was applied already.
 */
import type { RustCoreClient } from './rust-core-client.ts';
import { RustEventStream, type RustStreamItem } from './rust-stream.ts';
import type { RustEvent } from './rust-types.ts';

export interface RustWorkerOptions<S> {
  readonly core: RustCoreClient;
  /** Where the stream is opened. */
  readonly url: string;
  /** The bearer of the stream: empty up to 0.19.2, the key later. */
  readonly bearer: string;
  readonly name: string;
  readonly eventTypes: readonly string[];
  readonly state: S;
  readonly reduce: (state: S, event: RustEvent) => void;
  readonly checkpointInterval?: number;
  /** The rows that are saved in the store's projection states; none are without it. */
  readonly rowsOf?: (state: S) => readonly (readonly [entityId: string, state: unknown])[];
}

class ReducerError extends Error {
  override readonly name = 'ReducerError';
}

const BACK_OFF_MS = 100;
const BACK_OFF_MS_MAX = 30_000;

export class RustProjectionWorker<S> {
  readonly #options: RustWorkerOptions<S>;
  readonly #lastVersion = new Map<string, number>();
  #stream: RustEventStream | null = null;
  #task: Promise<void> = Promise.resolve();
  #isStopping = false;
  #lastReplayPosition: number | null = null;
  #position = 0;
  #failedConnects = 0;
  /** How often the stream was opened; a server that accepts and closes drives it up. */
  connects = 0;
  readonly flushErrors: unknown[] = [];
  isCaughtUp = false;
  /** The reducer's error, which ends the worker. */
  failure: unknown = null;
  lastStreamError: unknown = null;

  constructor(options: RustWorkerOptions<S>) {
    this.#options = options;
  }

  get state(): S {
    return this.#options.state;
  }

  /** The last replayed position; live events have none. */
  get currentPosition(): number {
    return this.#position;
  }

  /** Registers the consumer, which has to succeed, and begins to follow in the background. */
  async start(): Promise<void> {
    const { core, name, eventTypes } = this.#options;
    await core.registerConsumer(name, eventTypes);
    this.#task = this.#runForever();
  }

  /** The state of an entity as other processes read it: from the store. */
  getState(entityId: string): Promise<unknown> {
    return this.#options.core.projectionState(this.#options.name, entityId);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#stream?.drop();
    await this.#task;
    if (this.failure !== null) return;
    await this.#flush();
    await this.#checkpoint();
  }

  async #runForever(): Promise<void> {
    while (!this.#isStopping && this.failure === null) {
      this.isCaughtUp = false;
      try {
        await this.#follow();
      } catch (error) {
        // A reducer's error ends the worker; a handshake, frame or checkpoint that fails is a reason to connect again.
        this.failure = error instanceof ReducerError ? error.cause : null;
        this.lastStreamError = error;
      }
      if (!this.#isStopping && this.failure === null) await this.#backOff();
    }
  }

  async #follow(): Promise<void> {
    const { url, bearer, name, eventTypes } = this.#options;
    this.#stream = await RustEventStream.connect({
      url,
      bearer,
      consumerId: name,
      filters: eventTypes,
    });
    this.connects += 1;
    this.#failedConnects = 0;
    this.#lastReplayPosition = null;
    let sinceCheckpoint = 0;
    for (;;) {
      const item = await this.#stream.next();
      if (item === null || this.#isStopping) return;
      if (!(await this.#take(item))) continue;
      sinceCheckpoint += 1;
      if (sinceCheckpoint < (this.#options.checkpointInterval ?? 100)) continue;
      await this.#checkpoint();
      sinceCheckpoint = 0;
    }
  }

  /** Handles an item; true when it was a replayed event that was applied. */
  async #take(item: RustStreamItem): Promise<boolean> {
    switch (item.kind) {
      case 'replay':
        if (!this.#apply(item.event)) return false;
        this.#lastReplayPosition = item.position;
        this.#position = item.position;
        return true;
      case 'live':
        this.#apply(item.event);
        return false;
      case 'replay_complete':
        await this.#flush();
        await this.#checkpoint();
        this.isCaughtUp = true;
        return false;
      case 'lagged':
        return false;
    }
  }

  #apply(event: RustEvent): boolean {
    const version = event.version ?? 0;
    if (version > 0 && version <= (this.#lastVersion.get(event.entityId) ?? 0)) return false;
    try {
      this.#options.reduce(this.#options.state, event);
    } catch (error) {
      throw new ReducerError('the reducer failed', { cause: error });
    }
    if (version > 0) this.#lastVersion.set(event.entityId, version);
    return true;
  }

  async #checkpoint(): Promise<void> {
    const { core, name } = this.#options;
    if (this.#lastReplayPosition !== null)
      await core.saveCheckpoint(name, this.#lastReplayPosition);
  }

  async #flush(): Promise<void> {
    const { core, name, rowsOf, state } = this.#options;
    const rows = rowsOf?.(state) ?? [];
    if (rows.length === 0) return;
    try {
      await core.bulkPutProjectionState(name, rows);
    } catch (error) {
      // The SDK only logs it; the next flush tries again.
      this.flushErrors.push(error);
    }
  }

  async #backOff(): Promise<void> {
    const delayMs = Math.min(BACK_OFF_MS * 2 ** this.#failedConnects, BACK_OFF_MS_MAX);
    this.#failedConnects += 1;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}
