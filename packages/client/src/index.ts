export {
  AllSourceClient,
  type AllSourceClientOptions,
  type CallOptions,
} from './allsource-client.ts';
export { AllSourceError, type AllSourceErrorOptions } from './allsource-error.ts';
export type { AppendOptions, AppendedEvent, AppendResult, NewEvent, RawEvent } from './append.ts';
export type { EventFilter, StoredEvent } from './stored-event.ts';
export type { ClusterNode, ClusterStatus, ServiceHealth } from './cluster.ts';
export type { EntityState, EntityStateEvent } from './entity-state.ts';
export type { RetryNotice, RetryPolicy } from './retry.ts';
export type { TailedEvent, TailOptions } from './tail.ts';
export {
  type ExportedLines,
  type ExportFilter,
  type ExportOptions,
  type ExportPart,
  type ExportStart,
  readLines,
} from './event-export.ts';
