/**
 * States that clients keep for their own projections: a durable map from (tenant, projection, entity) to a JSON text. A save is a system event, a
 * bulk save one commit with an event for each state, so it is saved as a whole or not at all. The state's text goes into the event and comes
 * back as it was sent, byte for byte. The fold has taken a save before it is answered, so whoever saved reads what it saved.
 */
import { Turns } from '@allsource/service-kit/turns';
import { problem } from '@allsource/shared/errors';
import { rawMembers } from '@allsource/shared/json';
import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { entityIdFault, type Position, projectionNameFault } from '@allsource/shared/model';
import type { SystemAppender, SystemEventDraft } from '../append/append-port.ts';
import type { FrameReader } from '../read/frame-reader.ts';
import type { ProjectionStateFold, StateWindow } from './projection-state-fold.ts';

export interface ProjectionStateServiceOptions {
  readonly fold: ProjectionStateFold;
  readonly appender: SystemAppender;
  readonly frames: FrameReader;
  /** Bytes of one state as sent. */
  readonly stateBytesMax: number;
}

/** The projection of a tenant that a request is about. */
export interface ProjectionName {
  readonly tenant: string;
  readonly projection: string;
}

/** A state on its way in or out. `state` is JSON text; null = there is none. */
export interface EntityState {
  readonly entity: string;
  readonly state: string | null;
}

/** A state to save. */
export interface SavedState extends EntityState {
  readonly state: string;
}

/** A page of states that is read while it is answered. */
export interface StatesPage {
  readonly total: number;
  readonly count: number;
  readonly states: () => AsyncGenerator<EntityState>;
}

/** An entity, and where its state lies; null: there is none. */
interface FoundRow {
  readonly entity: string;
  readonly position: Position | null;
}

/** States that are read before the first of them is answered. */
const ROWS_AHEAD = 1_000;
const CHARACTERS_AHEAD = 4 * 1024 * 1024;

export class ProjectionStateService {
  readonly #options: ProjectionStateServiceOptions;

  constructor(options: ProjectionStateServiceOptions) {
    this.#options = options;
  }

  /** The state of an entity as JSON text; null when none was saved. */
  async get(name: ProjectionName, entity: string): Promise<string | null> {
    requireNames(name.projection, [entity]);
    return this.#read(this.#options.fold.find(name.tenant, name.projection, entity));
  }

  /** Saves states as one commit. Of states of the same entity the last counts. Saves nothing when one of them is refused. */
  async save(name: ProjectionName, states: readonly SavedState[]): Promise<void> {
    requireCount(states.length);
    requireNames(
      name.projection,
      states.map(({ entity }) => entity),
    );
    for (const state of states) this.#requireSize(state);
    if (states.length === 0) return;
    const drafts = states.map((state) => saveDraft(name.projection, state));
    await this.#options.appender.appendSystem(name.tenant, drafts);
  }

  /** The states of the given entities, one for each, in the order given. */
  getMany(name: ProjectionName, entities: readonly string[]): StatesPage {
    requireCount(entities.length);
    requireNames(name.projection, entities);
    const { fold } = this.#options;
    const rows = entities.map((entity) => ({
      entity,
      position: fold.find(name.tenant, name.projection, entity),
    }));
    return { total: rows.length, count: rows.length, states: () => this.#readRows(rows) };
  }

  /** How many states of a projection are saved. */
  count({ tenant, projection }: ProjectionName): number {
    requireNames(projection, []);
    return this.#options.fold.count(tenant, projection);
  }

  /** The states of a projection in the order of entity ids, the page asked for. */
  async list(name: ProjectionName, window: StateWindow): Promise<StatesPage> {
    requireNames(name.projection, []);
    const { rows, total } = await this.#options.fold.list(name.tenant, name.projection, window);
    return { total, count: rows.length, states: () => this.#readRows(rows) };
  }

  async *#readRows(rows: readonly FoundRow[]): AsyncGenerator<EntityState> {
    const turns = new Turns();
    for (let from = 0; from < rows.length; from += ROWS_AHEAD) {
      const group = rows.slice(from, from + ROWS_AHEAD);
      const ahead = await this.#readAhead(group, turns);
      for (const { entity, position } of group) {
        const state = position === null ? undefined : ahead.get(position);
        yield { entity, state: state ?? (await this.#read(position)) };
      }
    }
  }

  /** Reads states in the order of the log, where neighbours lie in one frame, as many as may be held. */
  async #readAhead(rows: readonly FoundRow[], turns: Turns): Promise<Map<Position, string>> {
    const states = new Map<Position, string>();
    const positions = rows.flatMap(({ position }) => position ?? []).toSorted((a, b) => a - b);
    let characters = 0;
    for (const position of positions) {
      if (characters > CHARACTERS_AHEAD) break;
      const state = (await this.#read(position)) ?? '';
      states.set(position, state);
      characters += state.length;
      await turns.next();
    }
    return states;
  }

  async #read(at: Position | null): Promise<string | null> {
    if (at === null) return null;
    const { payload } = await this.#options.frames.eventAt(at);
    return must(rawMembers(payload)?.get('state'), 'a saved state has its state');
  }

  #requireSize({ entity, state }: SavedState): void {
    const bytes = Buffer.byteLength(state);
    const { stateBytesMax } = this.#options;
    if (bytes <= stateBytesMax) return;
    throw problem(
      'payload_too_large',
      `The state of ${JSON.stringify(entity)} is ${bytes} bytes; at most ${stateBytesMax} are allowed.`,
      { limit_bytes: stateBytesMax, entity_id: entity },
    );
  }
}

function saveDraft(projection: string, { entity, state }: SavedState): SystemEventDraft {
  const payload = { projection, entity_id: entity, state: null };
  const names = `"projection":${JSON.stringify(projection)},"entity_id":${JSON.stringify(entity)}`;
  return {
    entity: `projection:${projection}`,
    event: { type: '_system.projection_state.saved', payload },
    payloadText: `{${names},"state":${state}}`,
  };
}

function requireCount(count: number): void {
  if (count <= LIMITS.bulkStatesMax) return;
  throw problem(
    'batch_too_large',
    `The request names ${count} states; at most ${LIMITS.bulkStatesMax} are allowed at a time.`,
    { limit: LIMITS.bulkStatesMax },
  );
}

function requireNames(projection: string, entities: readonly string[]): void {
  const projectionFault = projectionNameFault(projection);
  if (projectionFault !== null)
    throw problem('invalid_parameter', projectionFault, { parameter: 'projection' });
  for (const [index, entity] of entities.entries()) {
    const fault = entityIdFault(entity);
    if (fault !== null) throw problem('invalid_entity_id', fault, { index });
  }
}
