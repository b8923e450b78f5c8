/** `CoreClient` of the Rust SDK. Event types are brought into the wire's form before they are sent. */
import { RustApiError, type RustClientOptions, RustTransport, statusOf } from './rust-transport.ts';
import * as types from './rust-types.ts';
import { integer, list, membersOf, percentEncoded, queryString } from './shape.ts';
import type { SdkTry } from './transport.ts';

export interface RustEventInput {
  readonly eventType: string;
  readonly entityId: string;
  readonly payload: unknown;
  readonly metadata?: unknown;
  /** Later than 0.19. */
  readonly expectedVersion?: number;
}

export class RustCoreClient {
  readonly #transport: RustTransport;

  constructor(options: RustClientOptions) {
    this.#transport = new RustTransport(options);
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  health(): Promise<string> {
    return this.#transport.get('/health', statusOf);
  }

  ingestEvent(event: RustEventInput): Promise<types.RustIngested> {
    return this.#transport.send(
      { path: '/api/v1/events', body: inputOnWire(event) },
      types.rustIngested,
    );
  }

  ingestBatch(events: readonly RustEventInput[]): Promise<types.RustBatch> {
    return this.#transport.send(
      { path: '/api/v1/events/batch', body: { events: events.map(inputOnWire) } },
      types.rustBatch,
    );
  }

  async projectionState(projection: string, entityId: string): Promise<unknown> {
    try {
      return await this.#transport.get(statePath(projection, entityId), types.rustState);
    } catch (error) {
      if (error instanceof RustApiError && error.status === 404) return null;
      throw error;
    }
  }

  async putProjectionState(projection: string, entityId: string, state: unknown): Promise<void> {
    await this.#transport.send(
      { method: 'PUT', path: statePath(projection, entityId), body: { state } },
      anyJson,
    );
  }

  async bulkPutProjectionState(
    projection: string,
    states: readonly (readonly [entityId: string, state: unknown])[],
  ): Promise<void> {
    const path = `/api/v1/projections/${percentEncoded(projection)}/bulk/save`;
    const rows = states.map(([entityId, state]) => ({ entity_id: entityId, state }));
    await this.#transport.send({ path, body: { states: rows } }, anyJson);
  }

  /** Later than 0.19. */
  projectionStates(
    projection: string,
    page: { readonly limit?: number; readonly offset?: number; readonly prefix?: string } = {},
  ): Promise<types.RustStatePage> {
    const query = queryString({
      limit: page.limit,
      offset: page.offset,
      entity_id_prefix: page.prefix,
    });
    return this.#transport.get(
      `/api/v1/projections/${percentEncoded(projection)}/state${query}`,
      (value) => types.rustStatePage(value, page.limit),
    );
  }

  /** Later than 0.19: a row for each entity asked for, in the same order. */
  bulkGetProjectionStates(
    projection: string,
    entityIds: readonly string[],
  ): Promise<readonly types.RustStateRow[]> {
    const path = `/api/v1/projections/${percentEncoded(projection)}/bulk`;
    return this.#transport.send({ path, body: { entity_ids: entityIds } }, types.rustStateRows);
  }

  registerConsumer(consumerId: string, filters: readonly string[]): Promise<types.RustConsumer> {
    const body = { consumer_id: consumerId, event_type_filters: filters };
    return this.#transport.send({ path: '/api/v1/consumers', body }, types.rustConsumer);
  }

  getConsumer(consumerId: string): Promise<types.RustConsumer> {
    return this.#transport.get(consumerPath(consumerId), types.rustConsumer);
  }

  async loadCheckpoint(consumerId: string): Promise<number | null> {
    return (await this.getConsumer(consumerId)).cursorPosition;
  }

  async saveCheckpoint(consumerId: string, position: number): Promise<void> {
    await this.#transport.send(
      { path: `${consumerPath(consumerId)}/ack`, body: { position } },
      anyJson,
    );
  }

  /** Later than 0.19: the next events of a consumer, each with its position. */
  pollConsumerEvents(
    consumerId: string,
    limit: number,
  ): Promise<{ position: number; event: types.RustEvent }[]> {
    return this.#transport.get(`${consumerPath(consumerId)}/events?limit=${limit}`, (value) => {
      const answer = membersOf(value, 'the answer');
      integer(answer, 'count');
      return list(answer, 'events', (item) => ({
        position: integer(membersOf(item, 'an event'), 'position'),
        event: types.rustEvent(item),
      }));
    });
  }
}

/** Event types in the wire's form: words joined by dots, in lower case. */
export function normalizedEventType(type: string): string {
  if (type.includes('.')) return type.toLowerCase();
  if (/[_-]/.test(type)) return type.replace(/[_-]/g, '.').toLowerCase();
  return type.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '.').toLowerCase();
}

function inputOnWire(event: RustEventInput): Readonly<Record<string, unknown>> {
  const { eventType, entityId, payload, metadata, expectedVersion } = event;
  return {
    event_type: normalizedEventType(eventType),
    entity_id: entityId,
    payload,
    // Options that are None are left out, not null.
    metadata,
    expected_version: expectedVersion,
  };
}

// The SDK reads an answer that it does not use as JSON all the same: an empty body fails.
function anyJson(value: unknown): unknown {
  return value;
}

function statePath(projection: string, entityId: string): string {
  return `/api/v1/projections/${percentEncoded(projection)}/${percentEncoded(entityId)}/state`;
}

function consumerPath(consumerId: string): string {
  return `/api/v1/consumers/${percentEncoded(consumerId)}`;
}
