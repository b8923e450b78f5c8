export {
  type EventFacts,
  type EventJsonPieces,
  eventJson,
  eventJsonPieces,
  eventMembersJson,
  positionedEventJson,
} from './event-json.ts';
export {
  compareEvents,
  type EventQuery,
  type EventWindow,
  matchesEventQuery,
  type OrderedEvent,
  orderFault,
  parseEventQuery,
  type QueriedEvent,
  type QueryOrder,
  windowOf,
} from './event-query.ts';
export { Parameters } from './parameters.ts';
export { PayloadFilter } from './payload-filter.ts';
export {
  COMMITS_SUBJECT,
  decodeSingleFeedMessage,
  encodeHeadNotice,
  FEED_CONTENT_TYPE,
  FEED_PATH,
  FeedDamagedError,
  FeedDecoder,
  type FeedMessage,
  HEAD_PATH,
  INTERNAL_TOKEN_HEADER,
} from './feed.ts';
export {
  decodeHeadPost,
  encodeHeadPost,
  HEAD_POST,
  type HeadPostRecord,
  headPostName,
  machineMs,
} from './head-post.ts';
export { type FrameExtent, frameExtent, readExcerpt } from './frame-excerpt.ts';
export {
  BODY_DIGEST_BYTES,
  decodeFrame,
  encodeFrame,
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  Frame,
  type FrameDecode,
  FrameEvent,
  type FrameEventInput,
  type FrameInput,
  type IdempotencyMark,
  LOG_ID_BYTES,
  SPAN_BYTES,
} from './frame.ts';
export {
  type FindingKind,
  type FindingSeverity,
  type FolderOwner,
  type CheckStatus,
  INSPECTION_CONTENT_TYPE,
  type InspectionCheck,
  type InspectionFailure,
  type InspectionFinding,
  type InspectionProgress,
  type InspectionRecord,
  type InspectionStart,
  type InspectionSummary,
  INTACT_RANGES_MAX,
  parseInspectionRecord,
  VERIFY_PATH,
} from './inspection.ts';
export { DEFINITIONS_PATH } from './definitions-path.ts';
export { INTERNAL_APPEND_PATH } from './internal-append-path.ts';
export {
  type EarlierBuild,
  FAULT_POLICIES,
  type FaultHandling,
  type FaultPolicy,
  PROJECTION_TYPES,
  type ProjectionConfig,
  type ProjectionDefinition,
  type ProjectionType,
  WANTED_STATUSES,
  type WantedStatus,
} from './projection-definition.ts';
export {
  isStoreProjection,
  STORE_PROJECTIONS,
  type StoreProjection,
} from './store-projections.ts';
export { type LoggedSystemEvent, SystemFold } from './system-fold.ts';
export {
  type ApiKeyCreated,
  type ApiKeyRevoked,
  COMPATIBILITY_MODES,
  type CompatibilityMode,
  type ConsumerAcknowledged,
  type ConsumerRegistered,
  DEFINITION_KINDS,
  type DefinitionKind,
  type DefinitionRemoved,
  type DefinitionSet,
  parseSystemEvent,
  type ProjectionStateSaved,
  ROLES,
  type Role,
  SCHEMA_ENFORCEMENTS,
  type SchemaCompatibilitySet,
  type SchemaEnforcement,
  type SchemaEnforcementSet,
  type SchemaRegistered,
  type SchemaUpcasterRemoved,
  type SchemaUpcasterSet,
  type SystemEvent,
  type SystemEventType,
  type TenantCreated,
} from './system-events.ts';
export { TypeFilter } from './type-filter.ts';
export { parseUrlQuery, queryOfUrl } from './url-query.ts';
export { STREAM_MEDIA_TYPES, type StreamFormat, streamFormatOf } from './stream-format.ts';
