import { LIMITS } from '@allsource/shared/limits';
import { PARTITION_COUNT_DEFAULT } from '@allsource/shared/model';
import {
  choiceSetting,
  flagSetting,
  integerSetting,
  listSetting,
  portSetting,
  secretSetting,
  textSetting,
  urlSetting,
} from './setting.ts';

const HTTP = ['http', 'https'];
const MIB = 1024 * 1024;

/**
 * Every setting of every service. They stand in one place because the services share one environment when one launcher starts them, and
 * because a name that begins with ALLSOURCE_ and is not here is refused as a likely slip of the pen.
 */
export const SETTINGS = {
  dataDir: textSetting({
    name: 'ALLSOURCE_DATA_DIR',
    description:
      'Folder of everything that is stored. Each service uses a folder of its own below it.',
    defaultValue: './data',
  }),
  host: textSetting({
    name: 'ALLSOURCE_HOST',
    description: 'Address the services listen on. Use 0.0.0.0 in a container.',
    defaultValue: '127.0.0.1',
  }),
  corePort: portSetting({
    name: 'CORE_PORT',
    description: 'Port of core, the writer.',
    defaultValue: 3900,
  }),
  controlPlanePort: portSetting({
    name: 'CONTROL_PLANE_PORT',
    description: 'Port of the control plane.',
    defaultValue: 3901,
  }),
  queryPort: portSetting({
    name: 'QUERY_PORT',
    description: 'Port of the query service, the public gateway.',
    defaultValue: 3902,
  }),
  coreUrl: urlSetting({
    name: 'CORE_URL',
    description: 'Where the other services reach core.',
    defaultValue: 'http://127.0.0.1:3900',
    schemes: HTTP,
  }),
  queryUrl: urlSetting({
    name: 'QUERY_URL',
    description:
      'Where core and the control plane reach the query service. Without it core answers only what it owns.',
    defaultValue: null,
    schemes: HTTP,
  }),
  controlPlaneUrl: urlSetting({
    name: 'CONTROL_PLANE_URL',
    description: 'Where the gateway reaches the control plane.',
    defaultValue: null,
    schemes: HTTP,
  }),
  bootstrapApiKey: secretSetting({
    name: 'ALLSOURCE_BOOTSTRAP_API_KEY',
    description:
      'An admin key that core makes sure exists at every start. Without it the first start makes one.',
    defaultValue: null,
    lengthMin: 8,
  }),
  bootstrapTenant: textSetting({
    name: 'ALLSOURCE_BOOTSTRAP_TENANT',
    description: 'A tenant that core makes sure exists; the bootstrap key belongs to it.',
    defaultValue: 'default',
  }),
  devMode: flagSetting({
    name: 'ALLSOURCE_DEV_MODE',
    description:
      'true: requests without a key act as an admin. For a developer machine only; refused unless the address is loopback.',
    defaultValue: false,
  }),
  jwtSecret: secretSetting({
    name: 'JWT_SECRET',
    description:
      'Shared secret of HS256 tokens, at least 32 characters. Without it only API keys are accepted.',
    defaultValue: null,
    lengthMin: 32,
  }),
  internalToken: secretSetting({
    name: 'ALLSOURCE_INTERNAL_TOKEN',
    description: 'Secret with which the services recognize each other.',
    defaultValue: null,
    lengthMin: 16,
  }),
  internalTokenFile: textSetting({
    name: 'ALLSOURCE_INTERNAL_TOKEN_FILE',
    description:
      'File that holds that secret instead. Core makes it when it is missing; the others wait for it. Default: internal-token in the data folder.',
    defaultValue: null,
  }),
  natsUrl: urlSetting({
    name: 'NATS_URL',
    description: 'NATS server for fan-out. Without it readers follow core directly.',
    defaultValue: null,
    schemes: ['nats', 'tls', 'ws', 'wss'],
  }),
  natsEvents: flagSetting({
    name: 'ALLSOURCE_NATS_EVENTS',
    description:
      'true: also publish each event on allsource.events.<tenant>.<partition>.<event_type> for other NATS users.',
    defaultValue: false,
  }),
  storage: choiceSetting({
    name: 'ALLSOURCE_STORAGE',
    description: 'Where the log lives: file, or memory for tests (nothing survives).',
    defaultValue: 'file',
    choices: ['file', 'memory'],
  }),
  segmentBytes: integerSetting({
    name: 'ALLSOURCE_SEGMENT_BYTES',
    description: 'Size of a segment file, preallocated.',
    defaultValue: 64 * MIB,
    min: 1 * MIB,
    max: 1024 * MIB,
  }),
  sealBytesPerSecond: integerSetting({
    name: 'ALLSOURCE_SEAL_BYTES_PER_S',
    description:
      'How fast full segments are compressed in the background, in bytes per second at most. A lower pace leaves more of the machine to the appends. 0: they stay as they are.',
    defaultValue: 64 * MIB,
    min: 0,
    max: 4096 * MIB,
  }),
  busyPollMicros: integerSetting({
    name: 'ALLSOURCE_BUSY_POLL_MICROS',
    description:
      'How long core looks for the next append, and the query service for the next read, after an answer before going to sleep, in microseconds, while clients send one soon after each answer. Makes answers quicker and costs processor time. 0: not at all.',
    defaultValue: 100,
    min: 0,
    max: 10_000,
  }),
  keepAwake: flagSetting({
    name: 'ALLSOURCE_KEEP_AWAKE',
    description:
      'Whether core and the query service, where they may write to /dev/cpu_dma_latency (Linux; ALLSOURCE_BUSY_POLL_MICROS must not be 0), keep the processors of the machine from sleeping while clients send an append or a read soon after each answer. Makes answers on virtual machines much quicker and costs the power of all processors meanwhile.',
    defaultValue: true,
  }),
  postHead: flagSetting({
    name: 'ALLSOURCE_POST_HEAD',
    description:
      'Whether core writes how far its log reaches into a file in memory (/dev/shm), where services on the same machine look instead of asking.',
    defaultValue: true,
  }),
  replayEventsPerSecond: integerSetting({
    name: 'ALLSOURCE_REPLAY_EVENTS_PER_S',
    description:
      'How fast a replay folds events, in events per second and process at most; events that it passes over count an eighth. A lower pace leaves more of the machine to the reads.',
    defaultValue: 35_000,
    min: 100,
    max: 10_000_000,
  }),
  checkpointBytes: integerSetting({
    name: 'ALLSOURCE_CHECKPOINT_BYTES',
    description:
      'Bytes of log after which core writes a checkpoint of what it keeps in memory, so that a start replays only what came since. 0: none is written or used.',
    defaultValue: 256 * MIB,
    min: 0,
    max: 64 * 1024 * MIB,
  }),
  partitionCount: integerSetting({
    name: 'ALLSOURCE_PARTITIONS',
    description: 'Number of partitions; fixed when the log is made.',
    defaultValue: PARTITION_COUNT_DEFAULT,
    min: 1,
    max: 65_536,
  }),
  payloadBytesMax: integerSetting({
    name: 'ALLSOURCE_PAYLOAD_BYTES_MAX',
    description: 'Largest payload of one event, in bytes.',
    defaultValue: LIMITS.payloadBytesMax,
    min: 1,
    max: LIMITS.bodyBytesMax,
  }),
  batchEventsMax: integerSetting({
    name: 'ALLSOURCE_BATCH_EVENTS_MAX',
    description: 'Most events of one append.',
    defaultValue: LIMITS.batchEventsMax,
    min: 1,
    max: 100_000,
  }),
  bodyBytesMax: integerSetting({
    name: 'ALLSOURCE_BODY_BYTES_MAX',
    description: 'Largest request body, in bytes.',
    defaultValue: LIMITS.bodyBytesMax,
    min: 1024,
    max: LIMITS.bodyBytesMax,
  }),
  stateBytesMax: integerSetting({
    name: 'ALLSOURCE_STATE_BYTES_MAX',
    description: 'Largest projection state in the key-value store, in bytes.',
    defaultValue: LIMITS.projectionStateBytesMax,
    min: 1,
    max: LIMITS.bodyBytesMax,
  }),
  projectionsMax: integerSetting({
    name: 'ALLSOURCE_PROJECTIONS_MAX',
    description:
      'How many projections of its own a tenant may have. With less than it has, none is added and all are kept.',
    defaultValue: LIMITS.projectionsMax,
    min: 0,
    max: LIMITS.definitionsMax,
  }),
  pipelinesMax: integerSetting({
    name: 'ALLSOURCE_PIPELINES_MAX',
    description:
      'How many pipelines a tenant may have. With less than it has, none is added and all are kept.',
    defaultValue: LIMITS.pipelinesMax,
    min: 0,
    max: LIMITS.definitionsMax,
  }),
  readWaitMs: integerSetting({
    name: 'ALLSOURCE_READ_WAIT_MS',
    description:
      'How long a read waits for its read store to catch up before it answers 503, in milliseconds.',
    defaultValue: LIMITS.readWaitMs,
    min: 0,
    max: 60_000,
  }),
  queryRowsMax: integerSetting({
    name: 'ALLSOURCE_QUERY_ROWS_MAX',
    description:
      'Rows that one query may look at to find its events, before it is answered 422 query_budget_exceeded.',
    defaultValue: LIMITS.queryRowsMax,
    min: 1,
    max: 1_000_000_000_000,
  }),
  queryMsMax: integerSetting({
    name: 'ALLSOURCE_QUERY_MS_MAX',
    description:
      'How long a query may look for its events, in milliseconds, before it is answered 422 query_budget_exceeded.',
    defaultValue: LIMITS.queryMsMax,
    min: 1,
    max: 3_600_000,
  }),
  answerCacheBytes: integerSetting({
    name: 'ALLSOURCE_ANSWER_CACHE_BYTES',
    description:
      'Memory for answers about single entities that are asked for again, which are sent until the entity has another event. 0 keeps none.',
    defaultValue: 64 * MIB,
    min: 0,
    max: 16_384 * MIB,
  }),
  historyCacheBytes: integerSetting({
    name: 'ALLSOURCE_HISTORY_CACHE_BYTES',
    description:
      'Memory for what reads of the history have decompressed, four fifths of it columns. An event takes about 55 bytes of columns: a search over events that do not fit takes some milliseconds longer for each 65,000 of them.',
    defaultValue: LIMITS.historyCacheBytes,
    min: 16 * MIB,
    max: 1024 * 1024 * MIB,
  }),
  blockEvents: integerSetting({
    name: 'ALLSOURCE_BLOCK_EVENTS',
    description:
      'Events with which a block of the read side is full. Appends are kept whole, so the last one may go beyond it.',
    defaultValue: 65_536,
    min: 1,
    max: 1_048_576,
  }),
  snapshotEvents: integerSetting({
    name: 'ALLSOURCE_SNAPSHOT_EVENTS',
    description:
      'Events after which the query service takes another snapshot of an entity by itself. 0: it takes none by itself.',
    defaultValue: 100,
    min: 0,
    max: 1_000_000,
  }),
  snapshotAgeSeconds: integerSetting({
    name: 'ALLSOURCE_SNAPSHOT_AGE_S',
    description:
      'Age in seconds from which on the newest snapshot of an entity is followed by another one when events have come since.',
    defaultValue: 3_600,
    min: 1,
    max: 31_536_000,
  }),
  projectionHosts: integerSetting({
    name: 'ALLSOURCE_PROJECTION_HOSTS',
    description:
      "Processes that carry out the tenants' own projections, and again as many for those with code of their author. They are started when they are needed.",
    defaultValue: 1,
    min: 1,
    max: 64,
  }),
  parquet: flagSetting({
    name: 'ALLSOURCE_PARQUET',
    description:
      'true: the query service also keeps the history as Parquet files, in the folder query/parquet of the data folder, for other tools to read. They are a copy and may be deleted.',
    defaultValue: true,
  }),
  parquetFlushEvents: integerSetting({
    name: 'ALLSOURCE_PARQUET_FLUSH_EVENTS',
    description: 'Events that may wait before they are written to Parquet files.',
    defaultValue: 100_000,
    min: 1,
    max: 10_000_000,
  }),
  parquetFlushSeconds: integerSetting({
    name: 'ALLSOURCE_PARQUET_FLUSH_S',
    description: 'How long events may wait before they are written to Parquet files, in seconds.',
    defaultValue: 300,
    min: 1,
    max: 86_400,
  }),
  compactionAuto: flagSetting({
    name: 'ALLSOURCE_COMPACTION_AUTO',
    description: 'true: Parquet files are compacted by themselves, at the interval.',
    defaultValue: true,
  }),
  compactionSeconds: integerSetting({
    name: 'ALLSOURCE_COMPACTION_INTERVAL_S',
    description: 'Time between compactions of the Parquet files, in seconds.',
    defaultValue: 3_600,
    min: 1,
    max: 30 * 86_400,
  }),
  compactionStrategy: choiceSetting({
    name: 'ALLSOURCE_COMPACTION_STRATEGY',
    description:
      'Which Parquet files are merged: sizebased (small ones), timebased (a day old and below the target size), fullcompaction (all below the largest size).',
    defaultValue: 'sizebased',
    choices: ['sizebased', 'timebased', 'fullcompaction'],
  }),
  compactionFilesMin: integerSetting({
    name: 'ALLSOURCE_COMPACTION_FILES_MIN',
    description: 'Fewest Parquet files that are worth merging.',
    defaultValue: 3,
    min: 2,
    max: 1_000,
  }),
  compactionTargetBytes: integerSetting({
    name: 'ALLSOURCE_COMPACTION_TARGET_BYTES',
    description: 'Size at which a merged Parquet file is large enough, in bytes.',
    defaultValue: 128 * MIB,
    min: 1,
    max: 16 * 1024 * MIB,
  }),
  compactionFileBytesMax: integerSetting({
    name: 'ALLSOURCE_COMPACTION_FILE_BYTES_MAX',
    description:
      'Largest sum of the Parquet files that are merged into one, in bytes. Compaction waits while the disk has not as much free, and 512 MiB more.',
    defaultValue: 256 * MIB,
    min: 1,
    max: 16 * 1024 * MIB,
  }),
  compactionSmallBytes: integerSetting({
    name: 'ALLSOURCE_COMPACTION_SMALL_BYTES',
    description: 'Size below which a Parquet file counts as small, in bytes.',
    defaultValue: 10 * MIB,
    min: 1,
    max: 16 * 1024 * MIB,
  }),
  pipelineHttpHosts: listSetting({
    name: 'ALLSOURCE_PIPELINE_HTTP_HOSTS',
    description:
      'Hosts of the public internet to which pipelines may send requests (webhooks, and sources of enrich): names, *.domain or *, each perhaps with :port; commas between them. None: pipelines send none.',
    pattern: /^(?:\*|(?:\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i,
    allowed: 'names of hosts, *.domain or *, each perhaps with :port',
    itemsMax: 1_000,
  }),
  pipelinePrivateHosts: listSetting({
    name: 'ALLSOURCE_PIPELINE_PRIVATE_HOSTS',
    description:
      'Hosts of a private network to which pipelines may send requests all the same: host:port, commas between them. Every tenant can then reach them through pipelines.',
    pattern: /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]):\d{1,5}$/i,
    allowed: 'host:port',
    itemsMax: 1_000,
  }),
  emptyBearerStreams: flagSetting({
    name: 'ALLSOURCE_EMPTY_BEARER_STREAMS',
    description:
      'true: a WebSocket with an empty bearer is accepted for a registered consumer, as the Rust worker 0.19 needs. It gets the tenant of that consumer.',
    defaultValue: true,
  }),
  shutdownGraceMs: integerSetting({
    name: 'ALLSOURCE_SHUTDOWN_GRACE_MS',
    description: 'How long a stopping service waits for running requests, in milliseconds.',
    defaultValue: LIMITS.shutdownGraceMs,
    min: 0,
    max: 300_000,
  }),
  logLevel: choiceSetting({
    name: 'ALLSOURCE_LOG_LEVEL',
    description: 'How much the services log.',
    defaultValue: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  }),
} as const;
