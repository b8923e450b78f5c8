// Clients.
export { CoreClient, type CoreClientOptions, type IngestedEvent } from './core/core-client.ts';
export type { QueryClientOptions } from './query/event-queries.ts';
export { QueryClient } from './query/query-client.ts';
export type { CallOptions, ClientOptions } from './http/connection.ts';
export type { RetryNotice, RetryPolicy } from './http/retry.ts';
export type { BreakerPolicy } from './http/circuit-breaker.ts';
export type { FetchFunction } from './http/transport.ts';
export type { ServiceHealth } from './http/health.ts';

// Events.
export type {
  AnyEvents,
  EventOf,
  EventParser,
  EventTypeOf,
  NewEventOf,
} from './events/event-map.ts';
export type {
  AppendedEvent,
  AppendOptions,
  AppendResult,
  NewEvent,
  RawEvent,
} from './events/append.ts';
export { positionOfEventId } from './events/event-position.ts';
export type { EventPage, StoredEvent } from './events/stored-event.ts';
export type { Instant } from './events/instant.ts';
export { type EventQuery, QueryEventsParams } from './query/event-query.ts';
export {
  type EventFolder,
  type FinalizingFolder,
  foldEvents,
} from './query/event-folder.ts';
export type { FollowOptions } from './query/follow-events.ts';

// Consumers and states.
export type { Consumer, PositionedEvent } from './core/consumers.ts';
export type {
  ListStatesParams,
  ProjectionState,
  ProjectionStatePage,
} from './core/projection-states.ts';

// What queries answer.
export type {
  DetectDuplicatesParams,
  DuplicateGroup,
  EntitySummary,
  ListEntitiesParams,
  Page,
} from './query/entities.ts';
export type { EntityState, EntityStateEvent } from './query/entity-state.ts';
export type { ListSnapshotsParams, Snapshot, SnapshotWithState } from './query/snapshots.ts';
export type {
  Correlation,
  CorrelationParams,
  EventSummary,
  Frequency,
  FrequencyParams,
  Share,
  SummaryParams,
} from './query/analytics.ts';
export type {
  NewProjection,
  ProjectionChange,
  ProjectionCommand,
  ProjectionInfo,
  ProjectionType,
} from './query/projections.ts';

// Failures.
export {
  AllSourceError,
  type AllSourceErrorOptions,
  CircuitOpenError,
  ClosedError,
  ConnectionError,
  ForbiddenError,
  InvalidArgumentError,
  InvalidRequestError,
  NotFoundError,
  QuotaExceededError,
  RateLimitedError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
  VersionConflictError,
} from './http/allsource-error.ts';

// Live events and read models.
export { EventStreamClient, type EventStreamOptions } from './stream/event-stream-client.ts';
export type { SubscribeOptions } from './stream/subscription.ts';
export type { StreamItem } from './stream/stream-item.ts';
export type { WebSocketFactory, WebSocketLike } from './stream/web-socket.ts';
export {
  type EntityStateOf,
  ProjectionWorker,
  type ProjectionWorkerOptions,
  type WorkerStatus,
} from './worker/projection-worker.ts';
export type { Checkpoint, CheckpointStore } from './worker/checkpoint-store.ts';
export { coreCheckpoints } from './worker/core-checkpoints.ts';
