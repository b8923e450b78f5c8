/** The door for tools such as the `allsource` command. It is not part of the package that is published. */
export {
  AllSourceClient,
  type AllSourceClientOptions,
  type RouteRequest,
} from './tools/allsource-client.ts';
export type { CallOptions } from './http/connection.ts';
export type { ServiceHealth } from './http/health.ts';
export { AllSourceError, type AllSourceErrorOptions } from './http/allsource-error.ts';
export type {
  AppendOptions,
  AppendedEvent,
  AppendResult,
  NewEvent,
  RawEvent,
} from './events/append.ts';
export type { EventFilter, StoredEvent } from './events/stored-event.ts';
export type { ClusterNode, ClusterStatus } from './tools/cluster.ts';
export type { EntityState, EntityStateEvent } from './query/entity-state.ts';
export type { RetryNotice, RetryPolicy } from './http/retry.ts';
export type { PositionedEvent } from './core/consumers.ts';
export type { FollowOptions } from './query/follow-events.ts';
export {
  type ExportedLines,
  type ExportFilter,
  type ExportOptions,
  type ExportPart,
  type ExportStart,
  readLines,
} from './tools/event-export.ts';
