/**
 * How far a worker has come, and how that is saved: first the state with its position, in one step, then the states of single entities for others, then
 * the cursor. So the cursor never lies ahead of a saved state, and a crash at any point leaves a state that is exactly the fold of everything up
 * to its own position; what the store replays behind an older cursor is passed over by position.
 *
 * One save runs at a time, and saves what there is at the moment it begins; the worker may go on meanwhile.
 */
import type { CoreClient } from '../core/core-client.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { EntityFlush } from './entity-flush.ts';

export interface WorkerProgressOptions<State, Events extends object> {
  readonly core: CoreClient<Events>;
  readonly name: string;
  /** Null: only the cursor is saved. */
  readonly checkpoints: CheckpointStore | null;
  readonly encode: (state: State) => unknown;
  readonly flush: EntityFlush<State, Events> | null;
  readonly start: { readonly state: State; readonly position: number };
}

export class WorkerProgress<State, Events extends object> {
  readonly #options: WorkerProgressOptions<State, Events>;
  #state: State;
  #position: number;
  #savedPosition: number;
  #unsavedEvents = 0;
  #isAbandoned = false;
  #saving: Promise<void> | null = null;

  constructor(options: WorkerProgressOptions<State, Events>) {
    this.#options = options;
    this.#state = options.start.state;
    this.#position = options.start.position;
    this.#savedPosition = options.start.position;
  }

  get state(): State {
    return this.#state;
  }

  /** Everything up to here has been applied. */
  get position(): number {
    return this.#position;
  }

  /** Events applied since a save last began. */
  get unsavedEvents(): number {
    return this.#unsavedEvents;
  }

  /** Notes an applied event. `position` is null where a server's ids do not carry it. */
  advance(state: State, position: number | null): void {
    this.#state = state;
    this.#position = position ?? this.#position;
    this.#unsavedEvents += 1;
  }

  /** Saves nothing any more: the state may be half changed. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** Saves what there is, after a save that is running. */
  async save(): Promise<void> {
    while (this.#saving !== null) await this.#saving.catch(() => undefined);
    if (this.#isAbandoned || this.#position === this.#savedPosition) return;
    this.#saving = this.#saveNow();
    try {
      await this.#saving;
    } finally {
      this.#saving = null;
    }
  }

  async #saveNow(): Promise<void> {
    const { core, name, checkpoints, encode, flush } = this.#options;
    const position = this.#position;
    const unsaved = this.#unsavedEvents;
    const changes = flush?.changes(this.#state);
    await checkpoints?.save(name, { position, state: encode(this.#state) });
    if (changes !== undefined) await flush?.save(changes);
    await core.saveCheckpoint(name, position);
    this.#savedPosition = position;
    this.#unsavedEvents -= unsaved;
  }
}
