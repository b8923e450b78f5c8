/**
 * Every limit that a client or operator can meet, with the arithmetic behind it. Those that a setting can change
 * carry the setting's name; the others are fixed because a format or a promise rests on them.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** Bytes of one event's payload as sent. Setting ALLSOURCE_PAYLOAD_BYTES_MAX. */
  payloadBytesMax: 1 * MIB,
  /** Bytes of one event's metadata as sent. Metadata is for tracing, not for content. */
  metadataBytesMax: 64 * KIB,
  /** Events of one append. Setting ALLSOURCE_BATCH_EVENTS_MAX. 10,000 spans of 64 bytes are 640 KB of a frame. */
  batchEventsMax: 10_000,
  /** Bytes of a request body. Setting ALLSOURCE_BODY_BYTES_MAX. One commit is one frame, so this bounds frames too. */
  bodyBytesMax: 16 * MIB,
  /** Lines of a group of the NDJSON lane when the client names no number; each group is one commit. At most `batchEventsMax`. */
  streamGroupLinesDefault: 1_000,
  /** Bytes of a group of lines, but for a single line that is longer. Two groups are in memory for each stream. */
  streamGroupBytesMax: 1 * MIB,
  /** Bytes of a line beyond the largest payload and metadata: member names, the other members, white space. */
  lineOverheadBytesMax: 16 * KIB,
  /** How long a streamed upload may stand still, while it is waited for, before it is given up. */
  streamSilenceMs: 60_000,
  /** Bytes of the Idempotency-Key of a stream. The number of the group is added to it, and needs the rest of the 255. */
  streamKeyBytesMax: 239,
  /** Values of the dictionary of an Arrow column. */
  arrowDictionaryMax: 1_000_000,
  /** Bytes of the metadata of one Arrow message, which describes columns and buffers. */
  arrowMetadataBytesMax: 1 * MIB,
  /** Bytes of a refused request that are read and thrown away, so that its client can read the answer. Four full bodies. */
  discardedBytesMax: 64 * MIB,
  /** How long that may take. */
  discardMs: 10_000,
  /** Nesting of JSON in a request. Deeper documents are refused before anything recurses into them. */
  jsonDepthMax: 64,
  /** Clock difference that a client's timestamp may have before it counts as in the future. */
  clockSkewMs: 5_000,
  /** Bytes of an Idempotency-Key header: one length byte in the frame. */
  idempotencyKeyBytesMax: 255,
  /** Bytes of a frame: a full body, 10,000 spans and the names; a larger length in a file or feed is damage. */
  frameBytesMax: 32 * MIB,
  /** Events answered by one page of a query when the caller names no limit, on the gateway. */
  pageEventsDefault: 100,
  /** Largest page of events a query may ask for, everywhere. Answers are streamed, so a page costs its rows and not its text. */
  pageEventsMax: 1_000_000,
  /** Live messages waiting for one slow subscriber before it is told that it lagged. */
  subscriberQueueMax: 1_000,
  /** Type filters of one consumer or subscription. */
  filtersMax: 100,
  /** Bytes of one WebSocket message from a client: a subscribe frame with 100 filters of 128 bytes fits many times. */
  webSocketMessageBytesMax: 64 * KIB,
  /** Live connections (WebSocket and SSE together) per process. */
  liveConnectionsMax: 10_000,
  /** Characters of the events of one poll of a consumer; the page ends early where it would pass them. At least one event is answered. */
  pollCharactersMax: 16 * MIB,
  /** Events of an entity whose history core walks itself, at three to twelve microseconds each; the query service answers about a larger one. */
  walkedEventsMax: 100_000,
  /** Bytes of frames that core keeps for reads of single events. */
  frameCacheBytesMax: 32 * MIB,
  /** Bytes waiting in the socket of a live connection before it is fed no more until they have left. */
  liveSocketBytesMax: 1 * MIB,
  /** How long a WebSocket client may take nothing before live events are dropped and counted as missed. */
  slowSubscriberMs: 2_000,
  /** Bytes of one projection state in the key-value store. Setting ALLSOURCE_STATE_BYTES_MAX. */
  projectionStateBytesMax: 1 * MIB,
  /** Rows of one bulk read or write of projection states. */
  bulkStatesMax: 10_000,
  /** Bytes of the URL and of all request headers. Node's own default for headers, made explicit. */
  headerBytesMax: 16 * KIB,
  /** Bytes of bodies of appends that core holds at once, from their heads to their answers; more are refused as "overloaded". Eight full bodies. */
  heldBodyBytesMax: 128 * MIB,
  /** The first bytes of each body, which are not counted there: small appends do not wait for large ones. */
  freeBodyBytes: 64 * KIB,
  /** Streams of appends that core takes in at once; each holds two groups. More are refused as "overloaded". */
  ingestStreamsMax: 64,
  /** Appends waiting for the disk, in bytes of frames, before core answers "overloaded". Four full groups. */
  appendQueueBytesMax: 64 * MIB,
  /** How long a linearizable read waits for its read store before it answers 503 with the lag. Setting ALLSOURCE_READ_WAIT_MS. */
  readWaitMs: 5_000,
  /** Rows of columns that one query may look at: half a second to a second of scanning. Setting ALLSOURCE_QUERY_ROWS_MAX. */
  queryRowsMax: 200_000_000,
  /** How long finding the events of one query may take, the turns of others included. Setting ALLSOURCE_QUERY_MS_MAX. */
  queryMsMax: 10_000,
  /** Memory for what reads of the history have decompressed. */
  historyCacheBytes: 640 * MIB,
  /** Rows out of time order that one query may hold in order to sort them, at about eight bytes each. */
  querySortedRowsMax: 10_000_000,
  /** Entities that one question for duplicates compares with each other, at about 300 bytes each. */
  comparedEntitiesMax: 1_000_000,
  /** How long a stopping process waits for running requests before it closes their sockets. */
  shutdownGraceMs: 10_000,
  /** Time buckets of one frequency answer: a week of minutes is 10,080, so a week is just over it and six days fit. */
  analyticsBucketsMax: 10_000,
  /** Counts of one frequency answer (event types times buckets), at about 30 bytes each in the answer. */
  analyticsCellsMax: 200_000,
  /** Events of the second type that one correlation weighs; each costs 24 bytes and a sort. Those of the first are only counted. */
  correlationEventsMax: 4_000_000,
  /** Values of a payload field that one answer sorts for percentiles; each costs 8 bytes, and 4 more in the merge. */
  sortedValuesMax: 4_000_000,
  /** Times that a sliding window slides within its length. */
  slidesAWindowMax: 1_000,
  /** Sessions that one answer lists. */
  sessionsListedMax: 1_000,
  /** Entities of one tenant that analytics tell apart; each costs 20 bytes, and 4 more in each block that has it. */
  countedEntitiesMax: 20_000_000,
  /** How long one scan of analytics may take, with the turns of others but without its wait. */
  scanMs: 30_000,
  /** Scans of analytics that may wait for one of those at work. */
  scansWaitingMax: 64,
  /** Answers as NDJSON or Arrow that one process sends at the same time; each holds some megabytes. */
  exportsMax: 16,
  /** How long the gateway waits for the service behind it to begin its answer, without a byte moving either way; not while the client has yet to send of its body. */
  upstreamSilenceMs: 30_000,
  /** Bytes of an error body that the gateway reads in order to translate it. Ours have a few hundred. */
  upstreamErrorBytesMax: 256 * KIB,
  /** Bytes of the merged state that the entity_snapshots projection keeps of one entity. Beyond it the state is no longer kept. */
  entitySnapshotBytesMax: 4 * MIB,
  /** Workers that one projection is dealt out to. Each reads the log and has a file of its own. */
  projectionWorkersMax: 8,
  /** Entities of one worker of a projection whose events wait because one of them could not be folded; with more it fails. */
  parkedEntitiesMax: 1_000,
  /** Their events, and the bytes of these. */
  parkedEventsMax: 100_000,
  parkedBytesMax: 64 * MIB,
  /** Bytes of a JSON Schema as sent. Schemas of real events have a few thousand. */
  schemaBytesMax: 64 * KIB,
  /** Schemas within one schema: members, items, branches, definitions. */
  schemaPartsMax: 2_000,
  /** Parts of all patterns of one schema, with their repetitions written out. */
  schemaPatternPartsMax: 10_000,
  /** Bytes of all schemas of a tenant, every version counted. They are kept in memory. */
  schemaTenantBytesMax: 16 * MIB,
  /** Subjects of a tenant that have schemas. */
  schemaSubjectsMax: 10_000,
  /** Versions of one subject. */
  schemaVersionsMax: 10_000,
  /** Changes from one version of a schema to the next that are listed. */
  schemaChangesMax: 500,
  /** Bytes of the mappings of one upcaster. They count among the bytes of the tenant's schemas. */
  upcasterBytesMax: 64 * KIB,
  /** Mappings of one upcaster. */
  upcasterMappingsMax: 200,
  /** Tokens of a pointer in a mapping. Payloads nest no deeper. */
  upcasterPointerTokensMax: 64,
  /** Upcasters that are functions which a process keeps loaded; each has the memory of a sandbox. */
  loadedUpcastersMax: 4,
  /** Calls of such functions that wait for their thread. */
  upcastCallsWaitingMax: 256,
  /** Samples that an upcaster is tried with. */
  upcasterSamplesMax: 20,
  /** Steps from the version of an event to the one asked for. A step may pass over versions. */
  upcastStepsMax: 100,
  /** Bytes that an upcast may add to one payload. */
  upcastGrowthBytesMax: 1 * MIB,
  /** Places that the mappings of one upcast may look at, beyond one for each 4 bytes of the payload; a place is about 100 ns. */
  upcastPlacesBase: 20_000,
  /** Bytes of the schemas whose compiled form core keeps. The others are compiled again when they are needed. */
  compiledSchemasBytesMax: 8 * MIB,
  /** Steps that the validation of one payload may take beyond those that its size gives; a step is about 10 ns. */
  schemaStepsBase: 20_000,
  /** Steps for each byte of the payload. A usual schema takes less than one for ten bytes. */
  schemaStepsPerByte: 16,
  /** Steps that all validations of one append may take beyond those of its size: 10 ms. */
  schemaAppendStepsBase: 1_000_000,
  /** Steps for each byte of the append. */
  schemaAppendStepsPerByte: 2,
  /** Bytes of payloads that are parsed and validated before others have their turn. */
  schemaTurnBytes: 1 * MIB,
  /** Bytes of the definition of a projection or pipeline as it is kept, with its reducers or operators. */
  definitionBytesMax: 256 * KIB,
  /** What the settings may allow a tenant of projections, and of pipelines. */
  definitionsMax: 1_000,
  /** Projections of a tenant's own, unless a setting says otherwise. Each has its own process time and its own files. */
  projectionsMax: 100,
  /** Builds of a projection before the newest one whose definitions are kept, so that a rollback may name them. */
  earlierBuildsMax: 3,
  /** Characters of the description of a projection, and of other texts of its definition but for those inside `definition`. */
  projectionTextMax: 10_000,
  /** Events that a projection folds between two looks at what its owner wants. */
  projectionBatchEventsMax: 100_000,
  /** Events between two saves of a projection's states. A crash folds at most so many again. */
  checkpointIntervalMax: 1_000_000,
  /** Tries of an event after the first one, each after a longer pause. */
  projectionRetriesMax: 20,
  /** Definitions with code of their author that wait to be checked. */
  definitionChecksWaitingMax: 20,
  /** Parked entities on one page of a list. */
  parkedPageMax: 1_000,
  /** Characters of the states on one page of a projection; the page ends early where it would pass them. At least one state is answered. */
  statesPageCharactersMax: 16 * MIB,
  /** States of an answer to many keys that are read in one turn, and so are true at one position: about a millisecond. */
  statesAtOnce: 500,
  /** How long the states of a projection may be counted for a list. */
  stateListMsMax: 10_000,
  /** Lists of states that wait for their turn, with the one that is read. */
  stateListsMax: 64,
  /** Projections that the metrics show one by one, those that are furthest behind. */
  projectionsMeasuredMax: 200,
  /** Pipelines of a tenant, unless a setting says otherwise. */
  pipelinesMax: 100,
  /** Operators of one pipeline. */
  pipelineOperatorsMax: 32,
  /** Fields that one `enrich` adds. */
  pipelineFieldsMax: 100,
  /** Rows of the table that an `enrich` brings along in its definition. */
  pipelineTableRowsMax: 5_000,
  /** Routes of a branch and of an output. */
  pipelineBranchesMax: 100,
  /** Fields that make the key of a row. */
  pipelineKeyFieldsMax: 8,
  /** Groups or open windows of one operator, at a few hundred bytes each in the file of the pipeline. */
  pipelineGroupsMax: 100_000,
  /** Sliding windows that one event may be in. */
  pipelineWindowsPerEventMax: 100,
  /** Rows of the table of one pipeline. */
  pipelineRowsMax: 1_000_000,
  /** Rows on one page of the results of a pipeline. */
  pipelineResultsPageMax: 1_000,
  /** Pipelines that an event may have come through before it is cut off as one that goes round. */
  pipelineHopsMax: 8,
  /** Outputs of a pipeline that wait to be written or delivered; it reads on when there are fewer. */
  pipelineOutboxMax: 10_000,
  /** Outputs of a pipeline that could not be written or delivered and are kept. With as many it reads no further, so that none is lost. */
  pipelineDeadLettersMax: 10_000,
  /** Characters of such a page; the row that passes it is still on it. */
  pipelineResultsLengthMax: 2 * MIB,
  /** Events of one append of a pipeline, and bytes of its body but for a single event that is larger. */
  pipelineAppendEventsMax: 500,
  pipelineAppendBytesMax: 1 * MIB,
  /** Events that a pipeline could not work with and remembers; the oldest make room. All are counted. */
  pipelineFaultsMax: 1_000,
  /** Tries of one delivery to a webhook. With a first pause of a second, 16 of them take nine hours. */
  webhookAttemptsMax: 16,
  /** Deliveries of one pipeline to its webhooks at the same time. */
  webhooksAtOnceMax: 8,
  /** How long a webhook or a source outside may take to answer. */
  outboundTimeoutMs: 10_000,
  /** Bytes of an answer of a source outside. */
  outboundAnswerBytesMax: 256 * KIB,
  /** Replays of a tenant whose records are kept; the oldest that have ended make room. */
  replayRecordsMax: 100,
  /** Replays that wait or run, of all tenants together. One runs at a time. */
  replaysWaitingMax: 100,
  /** Processes of one replay; at most as many as the machine has processors are used. */
  replayWorkersMax: 16,
  /** Events of one batch of a replay. */
  replayBatchEventsMax: 100_000,
  /** Event types that a replay may be restricted to. */
  replayTypesMax: 100,
  /** Events that a replay's preview looks at for its sample of entities. */
  replaySampleEventsMax: 20_000,
  /** Characters of the names and values of one entity's state, folded for an answer. Twice that is the memory of the fold. */
  entityStateLengthMax: 32 * MIB,
  /** Snapshots kept of one entity; the oldest goes. */
  entitySnapshotsMax: 10,
  /** Snapshots on one page of a list, each about 400 bytes of the answer. */
  snapshotPageMax: 1_000,
  /** Runs over all entities that are remembered or wait, for all tenants together. */
  snapshotRunsMax: 100,
  /** Parquet files of one answer of the list; compaction keeps a tenant far below it. */
  parquetFilesMax: 10_000,
  /** Characters of a name that the definition of a projection gives to a member of its states. */
  projectionNameLengthMax: 128,
  /** Characters of the path of a field. */
  projectionPathLengthMax: 256,
  /** Characters of a value that a projection takes for a key. */
  projectionKeyLengthMax: 256,
  /** Groups of one time series, for each of its workers. */
  projectionGroupsMax: 10_000,
  /** Buckets that a time series with a retention keeps of each group. */
  projectionRetentionMax: 10_000,
  /** Steps of a funnel. */
  funnelStepsMax: 20,
  /** The window of a funnel: ten years. */
  funnelWindowSecondsMax: 315_576_000,
  /** Conditions of one step or aggregate, and values of one that are compared with. */
  projectionConditionsMax: 20,
  /** Members of the states of a declarative projection. */
  declarativeMembersMax: 100,
  /** Values that a `set` of a declarative projection holds. */
  declarativeSetMax: 1_000,
  /** Memory of one sandboxed function, of which its interpreter takes six MiB. */
  sandboxMemoryBytes: 40 * MIB,
  /** What a sandboxed function and its interpreter hold when it is loaded. Each call begins with a copy of it; usually it has 170 KB. */
  sandboxImageBytesMax: 2 * MIB,
  /** Steps of one call of a sandboxed function beyond those that its arguments' length gives; a step is a round of a loop or a call and takes about 10 ns. */
  sandboxStepsBase: 5_000_000,
  /** Steps for each character of the arguments. To parse one takes about four. */
  sandboxStepsPerCharacter: 16,
  /** Bytes of the source of a sandboxed function. */
  sandboxSourceBytesMax: 64 * KIB,
  /** Characters of the JSON that a sandboxed function gives back. */
  sandboxResultLengthMax: 1 * MIB,
  /** Characters of an error of a sandboxed function that are told to its owner. */
  sandboxMessageLengthMax: 500,
  /** How long the gateway waits for the newest keys before it refuses one that it does not know. */
  accessWaitMs: 2_000,
} as const;
