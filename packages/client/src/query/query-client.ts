import { stateIn, statePath } from '../core/projection-states.ts';
import type { AnyEvents } from '../events/event-map.ts';
import { type Instant, instantText } from '../events/instant.ts';
import { callMembers, type CallOptions, textOf } from '../http/connection.ts';
import { jsonText } from '../http/json-text.ts';
import { objectMember } from '../http/wire.ts';
import {
  type Correlation,
  type CorrelationParams,
  type EventSummary,
  type Frequency,
  type FrequencyParams,
  parseCorrelation,
  parseFrequency,
  parseSummary,
  type SummaryParams,
} from './analytics.ts';
import {
  type DetectDuplicatesParams,
  type DuplicateGroup,
  type EntitySummary,
  type ListEntitiesParams,
  type Page,
  parseDuplicates,
  parseEntities,
} from './entities.ts';
import { type EntityState, parseEntityState } from './entity-state.ts';
import { EventQueries } from './event-queries.ts';
import {
  type NewProjection,
  parseProjection,
  parseProjections,
  projectionBody,
  type ProjectionChange,
  type ProjectionCommand,
  type ProjectionInfo,
  projectionPath,
} from './projections.ts';
import {
  type ListSnapshotsParams,
  parseSnapshot,
  parseSnapshots,
  type Snapshot,
  type SnapshotWithState,
} from './snapshots.ts';

/**
 * The way to what is stored: events, entities, states, snapshots, analytics, projections. The url is the gateway's (3902). A read sees everything that was
 * acknowledged before it began. Every failure is an `AllSourceError`; calls that fail for a passing reason are tried again.
 *
 * @example
 * ```ts
 * type Events = { 'order.placed': { total: number }; 'order.paid': { by: string } };
 *
 * await using query = new QueryClient<Events>({ url: 'http://127.0.0.1:3902', apiKey: 'your-api-key' });
 * for await (const event of query.iterateEvents({ entityId: 'order-1' }))
 *   if (event.eventType === 'order.paid') console.log('paid by', event.payload.by);
 * ```
 */
export class QueryClient<Events extends object = AnyEvents> extends EventQueries<Events> {
  /**
   * One page of entities, by their last event.
   *
   * @example
   * ```ts
   * const { items, total } = await query.listEntities({ eventTypePrefix: 'order.', limit: 50 });
   * ```
   */
  async listEntities(
    params: ListEntitiesParams = {},
    options: CallOptions = {},
  ): Promise<Page<EntitySummary>> {
    const { eventTypePrefix, payload, order, limit, offset } = params;
    return parseEntities(
      await this.connection.get('/api/v1/entities', options, {
        event_type_prefix: eventTypePrefix,
        payload_filter: payload === undefined ? undefined : jsonText(payload),
        order,
        limit,
        offset,
      }),
    );
  }

  /**
   * Entities whose latest events agree in the named members of their payloads.
   *
   * @example
   * ```ts
   * const { items } = await query.detectDuplicates({ eventTypePrefix: 'user.', groupBy: ['email'] });
   * ```
   */
  async detectDuplicates(
    params: DetectDuplicatesParams,
    options: CallOptions = {},
  ): Promise<Page<DuplicateGroup>> {
    const { eventTypePrefix, groupBy, limit, offset } = params;
    return parseDuplicates(
      await this.connection.get('/api/v1/entities/duplicates', options, {
        event_type_prefix: eventTypePrefix,
        group_by: groupBy.join(','),
        limit,
        offset,
      }),
    );
  }

  /**
   * The state of an entity: the shallow merge of its payloads, now or as of an instant. Throws `NotFoundError` when it has no events.
   *
   * @example
   * ```ts
   * const { currentState } = await query.getEntityState('order-1', { asOf: '2026-01-31T12:00:00Z' });
   * ```
   */
  async getEntityState(
    entityId: string,
    params: { readonly asOf?: Instant | undefined } = {},
    options: CallOptions = {},
  ): Promise<EntityState> {
    const answer = await this.connection.call({
      method: 'GET',
      path: `/api/v1/entities/${encodeURIComponent(entityId)}/state`,
      query: { as_of: instantText(params.asOf) },
      ...callMembers(options),
    });
    return parseEntityState(textOf(answer));
  }

  /**
   * Takes a snapshot of an entity.
   *
   * @example
   * ```ts
   * const { id, sizeBytes } = await query.createSnapshot('order-1');
   * ```
   */
  async createSnapshot(entityId: string, options: CallOptions = {}): Promise<Snapshot> {
    const body = { entity_id: entityId };
    return parseSnapshot(
      await this.connection.send({ method: 'POST', path: '/api/v1/snapshots', body }, options),
    );
  }

  /**
   * Snapshots, the newest first.
   *
   * @example
   * ```ts
   * const { items } = await query.listSnapshots({ entityId: 'order-1' });
   * ```
   */
  async listSnapshots(
    params: ListSnapshotsParams = {},
    options: CallOptions = {},
  ): Promise<Page<Snapshot>> {
    const { entityId, limit } = params;
    const query = { entity_id: entityId, limit };
    return parseSnapshots(await this.connection.get('/api/v1/snapshots', options, query));
  }

  /**
   * The newest snapshot of an entity, with its state. Throws `NotFoundError` when the entity has no events.
   *
   * @example
   * ```ts
   * const { state } = await query.getLatestSnapshot('order-1');
   * ```
   */
  async getLatestSnapshot(entityId: string, options: CallOptions = {}): Promise<SnapshotWithState> {
    const path = `/api/v1/snapshots/${encodeURIComponent(entityId)}/latest`;
    const answer = await this.connection.get(path, options);
    return { ...parseSnapshot(answer), state: answer['state'] };
  }

  /**
   * Counts events by windows of time.
   *
   * @example
   * ```ts
   * const { buckets } = await query.getFrequency({ since: '2026-01-01T00:00:00Z', window: 'day' });
   * ```
   */
  async getFrequency(params: FrequencyParams, options: CallOptions = {}): Promise<Frequency> {
    const { since, window, until, entityId, eventType } = params;
    return parseFrequency(
      await this.connection.get('/api/v1/analytics/frequency', options, {
        since: instantText(since),
        window,
        until: instantText(until),
        entity_id: entityId,
        event_type: eventType,
      }),
    );
  }

  /**
   * What there is, in figures.
   *
   * @example
   * ```ts
   * const { totalEvents, topEventTypes } = await query.getSummary();
   * ```
   */
  async getSummary(params: SummaryParams = {}, options: CallOptions = {}): Promise<EventSummary> {
    const { entityId, eventType, since, until } = params;
    return parseSummary(
      await this.connection.get('/api/v1/analytics/summary', options, {
        entity_id: entityId,
        event_type: eventType,
        since: instantText(since),
        until: instantText(until),
      }),
    );
  }

  /**
   * How often two event types occur at one entity within a time.
   *
   * @example
   * ```ts
   * const { correlationPercentage } = await query.getCorrelation({
   *   eventTypeA: 'order.placed',
   *   eventTypeB: 'order.paid',
   *   timeWindowSeconds: 3600,
   * });
   * ```
   */
  async getCorrelation(params: CorrelationParams, options: CallOptions = {}): Promise<Correlation> {
    return parseCorrelation(
      await this.connection.get('/api/v1/analytics/correlation', options, {
        event_type_a: params.eventTypeA,
        event_type_b: params.eventTypeB,
        time_window_seconds: params.timeWindowSeconds,
        since: instantText(params.since),
        until: instantText(params.until),
      }),
    );
  }

  /**
   * The projections that the store keeps.
   *
   * @example
   * ```ts
   * const names = (await query.listProjections()).map(({ name }) => name);
   * ```
   */
  async listProjections(options: CallOptions = {}): Promise<readonly ProjectionInfo[]> {
    return parseProjections(await this.connection.get('/api/v1/projections', options));
  }

  /**
   * One projection that the store keeps. Throws `NotFoundError` when there is none of this name.
   *
   * @example
   * ```ts
   * const { status } = await query.getProjection('entity_snapshots');
   * ```
   */
  async getProjection(name: string, options: CallOptions = {}): Promise<ProjectionInfo> {
    return parseProjection(await this.connection.get(projectionPath(name), options));
  }

  /**
   * Creates a projection that the store keeps: the state of each entity, counts, time series, a funnel, or what a function of yours makes of the
   * events. Asked once: after a failure without an answer, look whether it is there. Throws `InvalidRequestError` with the place of what is wrong.
   *
   * @example
   * ```ts
   * await query.createProjection({
   *   name: 'orders-by-type',
   *   type: 'event_counter',
   *   eventTypes: ['order.*'],
   *   start: true,
   * });
   * ```
   */
  async createProjection(
    projection: NewProjection,
    options: CallOptions = {},
  ): Promise<ProjectionInfo> {
    const body = projectionBody(projection);
    const request = { method: 'POST', path: '/api/v1/projections', body } as const;
    return parseProjection(objectMember(await this.connection.once(request, options), 'data'));
  }

  /**
   * Changes a projection, also a running one. Another definition is built beside the one that is read, which it replaces when it has caught up.
   *
   * @example
   * ```ts
   * await query.updateProjection('orders-by-type', { eventTypes: ['order.placed'] });
   * ```
   */
  async updateProjection(
    name: string,
    change: ProjectionChange,
    options: CallOptions = {},
  ): Promise<ProjectionInfo> {
    const request = {
      method: 'PUT',
      path: projectionPath(name),
      body: projectionBody(change),
    } as const;
    return parseProjection(objectMember(await this.connection.once(request, options), 'data'));
  }

  /**
   * Starts, pauses, stops, rebuilds a projection, or reads its build before again. Asked once.
   *
   * @example
   * ```ts
   * await query.commandProjection('orders-by-type', 'pause');
   * ```
   */
  async commandProjection(
    name: string,
    command: ProjectionCommand,
    options: CallOptions = {},
  ): Promise<void> {
    const path = `${projectionPath(name)}/${command}`;
    await this.connection.once({ method: 'POST', path }, options);
  }

  /**
   * Deletes a projection with its states. Asked once.
   *
   * @example
   * ```ts
   * await query.deleteProjection('orders-by-type');
   * ```
   */
  async deleteProjection(name: string, options: CallOptions = {}): Promise<void> {
    await this.connection.once({ method: 'DELETE', path: projectionPath(name) }, options);
  }

  /**
   * The state of an entity in a projection, whether the store keeps it or a worker saves it; `undefined` when there is none.
   *
   * @example
   * ```ts
   * const state = await query.getProjectionState('entity_snapshots', 'order-1');
   * ```
   */
  async getProjectionState(
    projection: string,
    entityId: string,
    options: CallOptions = {},
  ): Promise<unknown> {
    return stateIn(await this.connection.get(statePath(projection, entityId), options));
  }
}
