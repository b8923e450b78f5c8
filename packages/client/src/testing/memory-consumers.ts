import { problem } from '@allsource/shared/errors';
import { rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { consumerIdFault, entityIdFault, projectionNameFault } from '@allsource/shared/model';
import { TypeFilter } from '@allsource/shared/protocol';
import { rawElements } from './memory-body.ts';
import { type MemoryEvent, memoryEventJson, type MemoryLog } from './memory-log.ts';

const POLL_DEFAULT = 100;

interface MemoryConsumer {
  readonly filter: TypeFilter;
  readonly cursor: number;
}

/** The durable consumers of the in-memory store. */
export class MemoryConsumers {
  readonly #log: MemoryLog;
  readonly #consumers = new Map<string, MemoryConsumer>();

  constructor(log: MemoryLog) {
    this.#log = log;
  }

  find(id: string): MemoryConsumer {
    const fault = consumerIdFault(id);
    if (fault !== null) throw problem('invalid_consumer_id', fault);
    return this.#consumers.get(id) ?? { filter: new TypeFilter([]), cursor: 0 };
  }

  json(id: string): object {
    const { filter, cursor } = this.find(id);
    return {
      consumer_id: id,
      event_type_filters: filter.patterns,
      cursor_position: cursor === 0 ? null : cursor,
    };
  }

  register(body: Record<string, unknown>): object {
    const { consumer_id: id, event_type_filters: filters = [] } = body;
    if (typeof id !== 'string') throw problem('invalid_body', "'consumer_id' must be a text.");
    if (!Array.isArray(filters) || filters.length > LIMITS.filtersMax)
      throw problem(
        'invalid_body',
        `'event_type_filters' must be a list of at most ${LIMITS.filtersMax} event types or patterns such as order.*`,
      );
    this.#consumers.set(id, { ...this.find(id), filter: new TypeFilter(filters.map(String)) });
    return this.json(id);
  }

  acknowledge(id: string, body: Record<string, unknown>): object {
    const at = body['position'];
    if (typeof at !== 'number' || !Number.isInteger(at) || at < 0)
      throw problem('invalid_body', "'position' must be a whole number from 0.");
    const { head } = this.#log;
    if (at > head)
      throw problem(
        'position_beyond_head',
        `Position ${at} is beyond the latest event offset ${head}`,
        { position: at, head },
      );
    const consumer = this.find(id);
    this.#consumers.set(id, { ...consumer, cursor: Math.max(consumer.cursor, at) });
    return { status: 'ok', consumer_id: id, position: at };
  }

  /** What a consumer has not acknowledged. */
  missed(id: string): MemoryEvent[] {
    const { filter, cursor } = this.find(id);
    return this.#log.events.slice(cursor).filter(({ type }) => filter.matches(type));
  }

  poll(id: string, limit: number | null): string {
    const events = this.missed(id).slice(0, limit ?? POLL_DEFAULT);
    const texts = events.map((event) => memoryEventJson(event, true));
    return `{"events":[${texts.join(',')}],"count":${events.length}}`;
  }
}

/** The states that clients keep for their own projections. */
export class MemoryStates {
  readonly #states = new Map<string, Map<string, string>>();

  find(projection: string, entity: string): string | null {
    requireName(projectionNameFault(projection));
    requireName(entityIdFault(entity));
    return this.#states.get(projection)?.get(entity) ?? null;
  }

  /** Saves all or none. */
  save(projection: string, states: readonly (readonly [entity: string, state: string])[]): void {
    requireName(projectionNameFault(projection));
    for (const [entity, state] of states) {
      requireName(entityIdFault(entity));
      requireSize(entity, state);
    }
    const kept = this.#states.get(projection) ?? new Map<string, string>();
    for (const [entity, state] of states) kept.set(entity, state);
    this.#states.set(projection, kept);
  }

  /** The rows of a bulk save. */
  rowsOf(body: Uint8Array): [entity: string, state: string][] {
    const list = rawMembers(body)?.get('states');
    if (list === undefined || !list.startsWith('['))
      throw problem('invalid_body', "'states' must be a list.");
    return rawElements(list).map((text) => {
      const members = rawMembers(Buffer.from(text));
      const entity: unknown = JSON.parse(members?.get('entity_id') ?? 'null');
      const state = members?.get('state');
      if (typeof entity !== 'string' || state === undefined)
        throw problem('invalid_body', "A state needs 'entity_id' and 'state'.");
      return [entity, state];
    });
  }

  list(projection: string, prefix: string): [entity: string, state: string][] {
    requireName(projectionNameFault(projection));
    return [...(this.#states.get(projection) ?? [])]
      .filter(([entity]) => entity.startsWith(prefix))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function requireName(fault: string | null): void {
  if (fault !== null) throw problem('invalid_parameter', fault);
}

function requireSize(entity: string, state: string): void {
  const bytes = Buffer.byteLength(state);
  const limit = LIMITS.projectionStateBytesMax;
  if (bytes > limit)
    throw problem(
      'payload_too_large',
      `The state of ${JSON.stringify(entity)} is ${bytes} bytes; at most ${limit} are allowed.`,
      { limit_bytes: limit, entity_id: entity },
    );
}
