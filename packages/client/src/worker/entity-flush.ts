import type { CoreClient } from '../core/core-client.ts';
import { jsonOfState } from './state-json.ts';

const ROWS_MAX = 1_000;

/** The states of single entities that a worker shows to others, as far as they have changed since they were last saved. */
export class EntityFlush<State, Events extends object> {
  readonly #core: CoreClient<Events>;
  readonly #projection: string;
  readonly #entities: (state: State) => Iterable<readonly [entityId: string, state: unknown]>;
  readonly #saved = new Map<string, string>();

  constructor(
    core: CoreClient<Events>,
    projection: string,
    entities: (state: State) => Iterable<readonly [entityId: string, state: unknown]>,
  ) {
    this.#core = core;
    this.#projection = projection;
    this.#entities = entities;
  }

  /** What has changed at this moment. The state may go on changing while it is saved. */
  changes(state: State): Map<string, string> {
    const changed = new Map<string, string>();
    for (const [entityId, entityState] of this.#entities(state)) {
      const text = jsonOfState(entityState);
      if (this.#saved.get(entityId) !== text) changed.set(entityId, text);
    }
    return changed;
  }

  /** Saves changes, in batches. What was saved before a failure is not saved again. */
  async save(changes: Map<string, string>): Promise<void> {
    const rows = [...changes];
    for (let at = 0; at < rows.length; at += ROWS_MAX) {
      const batch = rows.slice(at, at + ROWS_MAX);
      const states = batch.map(([entityId, text]) => ({
        entityId,
        state: JSON.parse(text) as unknown,
      }));
      await this.#core.bulkPutProjectionStates(this.#projection, states);
      for (const [entityId, text] of batch) this.#saved.set(entityId, text);
    }
  }
}
