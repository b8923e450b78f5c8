// packages/service-kit/src/lifecycle/folder-lock.ts
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';

// packages/shared/src/limits/limits.ts
var KIB = 1024;
var MIB = 1024 * KIB;
var LIMITS = {
  /** Bytes of one event's payload as sent. Setting ALLSOURCE_PAYLOAD_BYTES_MAX. */
  payloadBytesMax: 1 * MIB,
  /** Bytes of one event's metadata as sent. Metadata is for tracing, not for content. */
  metadataBytesMax: 64 * KIB,
  /** Events of one append. Setting ALLSOURCE_BATCH_EVENTS_MAX. 10,000 spans of 64 bytes are 640 KB of a frame. */
  batchEventsMax: 1e4,
  /** Bytes of a request body. Setting ALLSOURCE_BODY_BYTES_MAX. One commit is one frame, so this bounds frames too. */
  bodyBytesMax: 16 * MIB,
  /** Lines of a group of the NDJSON lane when the client names no number; each group is one commit. At most `batchEventsMax`. */
  streamGroupLinesDefault: 1e3,
  /** Bytes of a group of lines, but for a single line that is longer. Two groups are in memory for each stream. */
  streamGroupBytesMax: 1 * MIB,
  /** Bytes of a line beyond the largest payload and metadata: member names, the other members, white space. */
  lineOverheadBytesMax: 16 * KIB,
  /** How long a streamed upload may stand still, while it is waited for, before it is given up. */
  streamSilenceMs: 6e4,
  /** Bytes of the Idempotency-Key of a stream. The number of the group is added to it, and needs the rest of the 255. */
  streamKeyBytesMax: 239,
  /** Values of the dictionary of an Arrow column. */
  arrowDictionaryMax: 1e6,
  /** Bytes of the metadata of one Arrow message, which describes columns and buffers. */
  arrowMetadataBytesMax: 1 * MIB,
  /** Bytes of a refused request that are read and thrown away, so that its client can read the answer. Four full bodies. */
  discardedBytesMax: 64 * MIB,
  /** How long that may take. */
  discardMs: 1e4,
  /** Nesting of JSON in a request. Deeper documents are refused before anything recurses into them. */
  jsonDepthMax: 64,
  /** Clock difference that a client's timestamp may have before it counts as in the future. */
  clockSkewMs: 5e3,
  /** Bytes of an Idempotency-Key header: one length byte in the frame. */
  idempotencyKeyBytesMax: 255,
  /** Bytes of a frame: a full body, 10,000 spans and the names; a larger length in a file or feed is damage. */
  frameBytesMax: 32 * MIB,
  /** Events answered by one page of a query when the caller names no limit, on the gateway. */
  pageEventsDefault: 100,
  /** Largest page of events a query may ask for, everywhere. Answers are streamed, so a page costs its rows and not its text. */
  pageEventsMax: 1e6,
  /** Live messages waiting for one slow subscriber before it is told that it lagged. */
  subscriberQueueMax: 1e3,
  /** Type filters of one consumer or subscription. */
  filtersMax: 100,
  /** Bytes of one WebSocket message from a client: a subscribe frame with 100 filters of 128 bytes fits many times. */
  webSocketMessageBytesMax: 64 * KIB,
  /** Live connections (WebSocket and SSE together) per process. */
  liveConnectionsMax: 1e4,
  /** Characters of the events of one poll of a consumer; the page ends early where it would pass them. At least one event is answered. */
  pollCharactersMax: 16 * MIB,
  /** Bytes of frames that core keeps for reads of single events. */
  frameCacheBytesMax: 32 * MIB,
  /** Bytes waiting in the socket of a live connection before it is fed no more until they have left. */
  liveSocketBytesMax: 1 * MIB,
  /** How long a WebSocket client may take nothing before live events are dropped and counted as missed. */
  slowSubscriberMs: 2e3,
  /** Bytes of one projection state in the key-value store. Setting ALLSOURCE_STATE_BYTES_MAX. */
  projectionStateBytesMax: 1 * MIB,
  /** Rows of one bulk read or write of projection states. */
  bulkStatesMax: 1e4,
  /** Bytes of the URL and of all request headers. Node's own default for headers, made explicit. */
  headerBytesMax: 16 * KIB,
  /** Appends waiting for the disk, in bytes of frames, before core answers "overloaded". Four full groups. */
  appendQueueBytesMax: 64 * MIB,
  /** How long a linearizable read waits for its read store before it answers 503 with the lag. Setting ALLSOURCE_READ_WAIT_MS. */
  readWaitMs: 5e3,
  /** How long a stopping process waits for running requests before it closes their sockets. */
  shutdownGraceMs: 1e4,
  /** Time buckets of one frequency answer: a week of minutes is 10,080, so a week is just over it and six days fit. */
  analyticsBucketsMax: 1e4,
  /** Counts of one frequency answer (event types times buckets), at about 30 bytes each in the answer. */
  analyticsCellsMax: 2e5,
  /** Events of either type that one correlation weighs; each costs 8 bytes and a sort. */
  correlationEventsMax: 1e6,
  /** How long the gateway waits for the service behind it to begin its answer, without a byte moving either way. */
  upstreamSilenceMs: 3e4,
  /** Bytes of an error body that the gateway reads in order to translate it. Ours have a few hundred. */
  upstreamErrorBytesMax: 256 * KIB,
  /** Bytes of the merged state that the entity_snapshots projection keeps of one entity. Beyond it the state is no longer kept. */
  entitySnapshotBytesMax: 4 * MIB,
  /** How long the gateway waits for the newest keys before it refuses one that it does not know. */
  accessWaitMs: 2e3,
};

// packages/shared/src/lang/assert.ts
var AssertionError = class extends Error {
  name = 'AssertionError';
};
function assert(condition, message) {
  if (!condition) throw new AssertionError(message);
}
function must(value2, message) {
  if (value2 === null || value2 === void 0) throw new AssertionError(message);
  return value2;
}

// packages/shared/src/model/timestamp.ts
function micros(value2) {
  assert(Number.isSafeInteger(value2), `not microseconds: ${value2}`);
  return value2;
}
var RFC3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;
var EVENT_TIMESTAMP_MIN = micros(Date.UTC(1700, 0, 1) * 1e3);
function parseTimestamp(text) {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, date = '', clock = '', second = '', fraction = '', zone = ''] = match;
  const offsetMinutes = parseOffset(zone);
  if (offsetMinutes === null) return null;
  const base = Date.parse(`${date}T${clock}:${second}Z`);
  if (Number.isNaN(base) || new Date(base).toISOString().slice(0, 10) !== date) return null;
  const fractionMicros = Number(fraction.padEnd(6, '0').slice(0, 6));
  const value2 = (base - offsetMinutes * 6e4) * 1e3 + fractionMicros;
  return micros(Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value2)));
}
function parseOffset(zone) {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (minutes > 59 || hours > 23) return null;
  const total = hours * 60 + minutes;
  return zone.startsWith('-') ? -total : total;
}
function formatTimestamp(value2) {
  const wholeMs = Math.floor(value2 / 1e3);
  const rest = value2 - wholeMs * 1e3;
  const iso = isoOf(wholeMs);
  return rest === 0 ? iso : `${iso.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}
var lastPrinted = { ms: 0, iso: /* @__PURE__ */ new Date(0).toISOString() };
function isoOf(ms) {
  if (lastPrinted.ms !== ms) lastPrinted = { ms, iso: new Date(ms).toISOString() };
  return lastPrinted.iso;
}

// packages/shared/src/model/clock.ts
var systemClock = {
  nowMicros: () => micros(Date.now() * 1e3),
};

// packages/shared/src/model/position.ts
var POSITION_ZERO = 0;
function position(value2) {
  assert(Number.isSafeInteger(value2) && value2 >= 0, `not a position: ${value2}`);
  return value2;
}
function positionAfter(from, count) {
  return position(from + count);
}

// packages/shared/src/model/event-id.ts
var EVENT_ID_BYTES = 16;
var POSITION_LIMIT = 2 ** 52;
var UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
function writeEventId(target, offset, parts) {
  assert(parts.position < POSITION_LIMIT, 'position does not fit an event id');
  target.writeUIntBE(parts.recordedAtMs, offset, 6);
  target.writeUInt16BE(28672 | (parts.random & 4095), offset + 6);
  const high = Math.floor(parts.position / 2 ** 48);
  target.writeUInt16BE(32768 | (((parts.random >>> 12) & 1023) << 4) | high, offset + 8);
  target.writeUIntBE(parts.position % 2 ** 48, offset + 10, 6);
}
function formatEventId(source, offset) {
  const hex2 = source.toString('hex', offset, offset + EVENT_ID_BYTES);
  return `${hex2.slice(0, 8)}-${hex2.slice(8, 12)}-${hex2.slice(12, 16)}-${hex2.slice(16, 20)}-${hex2.slice(20)}`;
}
function isUuid(text) {
  return UUID.test(text);
}
function positionOfEventId(id) {
  const hex2 = id.replaceAll('-', '');
  if (hex2[12] !== '7' || (Number.parseInt(hex2[16] ?? '', 16) & 12) !== 8) return null;
  const value2 = Number.parseInt(hex2.slice(19), 16);
  return value2 === 0 ? null : position(value2);
}

// packages/shared/src/model/names.ts
var EVENT_TYPE_BYTES_MAX = 128;
var TENANT_ID_LENGTH_MAX = 64;
var SYSTEM_TYPE_PREFIX = '_system.';
var SYSTEM_TENANT = '_system';
var EVENT_TYPE = /^[a-z0-9_]+(?:\.[a-z0-9_]+)*$/;
var TENANT_ID = /^[A-Za-z0-9_-]+$/;
function quoted(value2) {
  const cut = value2.length > 80 ? `${value2.slice(0, 80)}\u2026` : value2;
  return `'${JSON.stringify(cut).slice(1, -1)}'`;
}
function eventTypeFault(value2) {
  if (value2.length === 0)
    return 'Event type is empty; use lowercase words joined by dots, such as order.placed.';
  if (Buffer.byteLength(value2) > EVENT_TYPE_BYTES_MAX) {
    return `Event type ${quoted(value2)} is ${Buffer.byteLength(value2)} bytes; at most ${EVENT_TYPE_BYTES_MAX} are allowed.`;
  }
  if (value2.startsWith(SYSTEM_TYPE_PREFIX)) {
    return `Event type ${quoted(value2)} starts with ${SYSTEM_TYPE_PREFIX}, which is reserved for the store itself.`;
  }
  if (EVENT_TYPE.test(value2)) return null;
  return `Event type ${quoted(value2)} must be lowercase with dots/underscores: letters a-z, digits and _ in words joined by single dots.`;
}
function tenantIdFault(value2) {
  if (value2.length === 0 || value2.length > TENANT_ID_LENGTH_MAX || !TENANT_ID.test(value2)) {
    return `Tenant id ${quoted(value2)} must be 1 to ${TENANT_ID_LENGTH_MAX} letters, digits, '-' or '_'.`;
  }
  return value2 === SYSTEM_TENANT
    ? `Tenant id '${SYSTEM_TENANT}' is reserved for the store itself.`
    : null;
}

// packages/shared/src/model/partition.ts
var PARTITION_COUNT_DEFAULT = 256;

// packages/shared/src/model/version.ts
function version(value2) {
  assert(Number.isSafeInteger(value2) && value2 >= 0, `not a version: ${value2}`);
  return value2;
}

// packages/service-kit/src/config/setting.ts
var value = (v) => ({ kind: 'value', value: v });
var fault = (allowed) => ({ kind: 'fault', allowed });
function shownDefault(defaultValue) {
  return defaultValue === null ? 'none' : JSON.stringify(defaultValue).replaceAll('"', '');
}
function setting(base, read, isSecret = false) {
  return { ...base, defaultText: shownDefault(base.defaultValue), isSecret, read };
}
function textSetting(base) {
  return setting(base, (text) =>
    text.trim() === '' ? fault('a text that is not empty') : value(text),
  );
}
function secretSetting(base) {
  const allowed = `a secret of at least ${base.lengthMin} characters`;
  return setting(
    base,
    (text) => (text.length < base.lengthMin ? fault(allowed) : value(text)),
    true,
  );
}
function integerSetting(base) {
  const { min, max } = base;
  return setting(base, (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max
      ? value(number)
      : fault(`a whole number from ${min} to ${max}`);
  });
}
function portSetting(base) {
  return integerSetting({ ...base, min: 0, max: 65535 });
}
function flagSetting(base) {
  return setting(base, (text) => {
    const lower = text.toLowerCase();
    if (lower === 'true' || lower === '1') return value(true);
    return lower === 'false' || lower === '0' ? value(false) : fault('true, false, 1 or 0');
  });
}
function urlSetting(base) {
  const allowed = `a URL such as ${base.schemes[0]}://127.0.0.1:3900`;
  return setting(base, (text) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    return url !== null && base.schemes.includes(url.protocol.slice(0, -1))
      ? value(text.replace(/\/+$/, ''))
      : fault(allowed);
  });
}
function choiceSetting(base) {
  return setting(base, (text) => {
    const choice = base.choices.find((candidate) => candidate === text);
    return choice === void 0 ? fault(`one of ${base.choices.join(', ')}`) : value(choice);
  });
}

// packages/service-kit/src/config/settings.ts
var HTTP = ['http', 'https'];
var MIB2 = 1024 * 1024;
var SETTINGS = {
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
    defaultValue: 64 * MIB2,
    min: 1 * MIB2,
    max: 1024 * MIB2,
  }),
  sealBytesPerSecond: integerSetting({
    name: 'ALLSOURCE_SEAL_BYTES_PER_S',
    description:
      'How fast full segments are compressed in the background, in bytes per second at most. A lower pace leaves more of the machine to the appends. 0: they stay as they are.',
    defaultValue: 64 * MIB2,
    min: 0,
    max: 4096 * MIB2,
  }),
  checkpointBytes: integerSetting({
    name: 'ALLSOURCE_CHECKPOINT_BYTES',
    description:
      'Bytes of log after which core writes a checkpoint of what it keeps in memory, so that a start replays only what came since. 0: none is written or used.',
    defaultValue: 256 * MIB2,
    min: 0,
    max: 64 * 1024 * MIB2,
  }),
  partitionCount: integerSetting({
    name: 'ALLSOURCE_PARTITIONS',
    description: 'Number of partitions; fixed when the log is made.',
    defaultValue: PARTITION_COUNT_DEFAULT,
    min: 1,
    max: 65536,
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
    max: 1e5,
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
  readWaitMs: integerSetting({
    name: 'ALLSOURCE_READ_WAIT_MS',
    description:
      'How long a read waits for its read store to catch up before it answers 503, in milliseconds.',
    defaultValue: LIMITS.readWaitMs,
    min: 0,
    max: 6e4,
  }),
  blockEvents: integerSetting({
    name: 'ALLSOURCE_BLOCK_EVENTS',
    description:
      'Events with which a block of the read side is full. Appends are kept whole, so the last one may go beyond it.',
    defaultValue: 65536,
    min: 1,
    max: 1048576,
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
    max: 3e5,
  }),
  logLevel: choiceSetting({
    name: 'ALLSOURCE_LOG_LEVEL',
    description: 'How much the services log.',
    defaultValue: 'info',
    choices: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  }),
};

// packages/service-kit/src/config/read-settings.ts
var ConfigError = class extends Error {
  name = 'ConfigError';
  faults;
  constructor(faults) {
    super(`The settings are not usable:
${faults.map((fault2) => `  ${fault2}`).join('\n')}`);
    this.faults = faults;
  }
};
var OUR_PREFIX = 'ALLSOURCE_';
var FOREIGN_NAMES = /* @__PURE__ */ new Set([
  'ALLSOURCE_API_KEY',
  'ALLSOURCE_URL',
  'ALLSOURCE_BASE_URL',
]);
var FOREIGN_PREFIX = 'ALLSOURCE_TEST_';
function readSettings(keys, environment) {
  const faults = unknownNames(environment);
  const entries = keys.map((key) => [key, readOne(SETTINGS[key], environment, faults)]);
  if (faults.length > 0) throw new ConfigError(faults);
  return Object.fromEntries(entries);
}
function readOne(setting2, environment, faults) {
  const text = environment[setting2.name];
  if (text === void 0 || text === '') return setting2.defaultValue;
  const read = setting2.read(text);
  if (read.kind === 'value') return read.value;
  const shown = setting2.isSecret ? '(a secret, not shown)' : JSON.stringify(text);
  faults.push(`${setting2.name} is ${shown}; allowed: ${read.allowed}.`);
  return setting2.defaultValue;
}
function unknownNames(environment) {
  const known = new Set(Object.values(SETTINGS).map((setting2) => setting2.name));
  const faults = [];
  for (const name of Object.keys(environment)) {
    if (
      !name.startsWith(OUR_PREFIX) ||
      known.has(name) ||
      FOREIGN_NAMES.has(name) ||
      name.startsWith(FOREIGN_PREFIX)
    )
      continue;
    faults.push(
      `${name} is not a setting. Known names: ${[...known].filter((k) => k.startsWith(OUR_PREFIX)).join(', ')}.`,
    );
  }
  return faults;
}

// packages/service-kit/src/lifecycle/folder-lock.ts
async function lockFolder(folder, owner) {
  mkdirSync(folder, { recursive: true });
  const address = lockAddress(folder);
  await removeStaleSocketFile(address);
  const server = createServer();
  server.on('connection', (socket) => socket.destroy());
  server.unref();
  await new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(error.code === 'EADDRINUSE' ? lockedFault(folder) : error);
    });
    server.listen(address, resolve);
  });
  writeFileSync(join(folder, 'owner.json'), JSON.stringify({ owner, pid: process.pid }));
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}
function lockAddress(folder) {
  const name = `allsource-${createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)}`;
  if (platform() === 'linux') return `\0${name}`;
  return platform() === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.lock`);
}
async function removeStaleSocketFile(address) {
  if (platform() === 'linux' || platform() === 'win32' || !existsSync(address)) return;
  const isAnswered = await new Promise((resolve) => {
    const socket = connect(address, () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (!isAnswered) rmSync(address);
}
function lockedFault(folder) {
  return new ConfigError([
    `The data folder ${folder} is in use by ${ownerOf(folder)}. Stop it first, or set ALLSOURCE_DATA_DIR to another folder.`,
  ]);
}
function ownerOf(folder) {
  const written = writtenOwner(folder);
  return written === null ? 'another process' : `${written.owner} (process ${written.pid})`;
}
function writtenOwner(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8'));
  } catch {
    return null;
  }
}

// packages/shared/src/errors/catalogue.ts
function kind(status, title, corePrefix, retryable = false) {
  return { status, title, retryable, corePrefix };
}
var ERROR_CATALOGUE = {
  malformed_json: kind(400, 'The body is not JSON', 'Invalid input: '),
  malformed_arrow: kind(400, 'The body is not an Arrow IPC stream', 'Invalid input: '),
  invalid_body: kind(422, 'The body has the wrong shape', 'Validation error: '),
  invalid_event_type: kind(400, 'The event type breaks the naming rules', 'Invalid input: '),
  invalid_entity_id: kind(400, 'The entity id breaks the naming rules', 'Invalid input: '),
  invalid_tenant_id: kind(400, 'The tenant id breaks the naming rules', 'Invalid input: '),
  invalid_consumer_id: kind(400, 'The consumer id breaks the naming rules', 'Invalid input: '),
  invalid_timestamp: kind(400, 'The timestamp is not an RFC 3339 instant', 'Invalid input: '),
  future_timestamp: kind(400, 'The timestamp is in the future', 'Invalid input: '),
  json_too_deep: kind(400, 'The JSON is nested too deeply', 'Invalid input: '),
  invalid_parameter: kind(400, 'A parameter has a value that is not allowed', 'Invalid input: '),
  invalid_idempotency_key: kind(400, 'The Idempotency-Key is not usable', 'Invalid input: '),
  idempotency_key_reused: kind(
    422,
    'The Idempotency-Key was used for another body',
    'Invalid input: ',
  ),
  position_beyond_head: kind(400, 'The position lies beyond the end of the log', 'Invalid input: '),
  unsupported_media_type: kind(415, 'The content type is not accepted here', 'Invalid input: '),
  payload_too_large: kind(413, 'A payload is over its limit', 'Invalid input: '),
  batch_too_large: kind(413, 'The batch holds too many events', 'Invalid input: '),
  line_too_large: kind(413, 'A line is over its limit', 'Invalid input: '),
  body_too_large: kind(413, 'The body is over its limit', 'Invalid input: '),
  stream_silent: kind(408, 'The request stopped in the middle', 'Invalid input: ', true),
  unauthenticated: kind(401, 'No valid key or token was presented', ''),
  forbidden: kind(403, 'The key or token may not do this', ''),
  tenant_not_found: kind(404, 'There is no such tenant', 'Tenant not found: '),
  tenant_exists: kind(409, 'The tenant exists already', 'Tenant already exists: '),
  event_not_found: kind(404, 'There is no such event', 'Entity not found: '),
  entity_not_found: kind(404, 'The entity has no events', 'Entity not found: '),
  not_found: kind(404, 'There is no such thing', ''),
  route_not_found: kind(404, 'There is no such route', ''),
  method_not_allowed: kind(405, 'The route does not take this method', ''),
  upgrade_required: kind(426, 'This is a WebSocket', ''),
  version_conflict: kind(409, 'The entity is at another version', '', true),
  operation_running: kind(409, 'The operation is running already', ''),
  not_available: kind(501, 'This is not available', ''),
  read_behind: kind(503, 'The read store has not caught up', '', true),
  writer_poisoned: kind(503, 'The writer has stopped after a disk error', 'Storage error: '),
  storage_full: kind(507, 'The disk is full', 'Storage error: ', true),
  overloaded: kind(503, 'Too much is waiting for the disk', 'Queue full: ', true),
  too_many_connections: kind(503, 'Too many live connections', '', true),
  starting: kind(503, 'The service is starting', '', true),
  shutting_down: kind(503, 'The service is shutting down', '', true),
  upstream_unavailable: kind(503, 'A service behind this one does not answer', '', true),
  forwarding_loop: kind(508, 'The services forward to each other', ''),
  log_damaged: kind(500, 'A part of the log is damaged', 'Storage error: '),
  read_store_damaged: kind(500, 'A part of the read store is damaged', 'Storage error: '),
  internal: kind(500, 'Something failed inside', 'Internal error: '),
};

// packages/shared/src/errors/problem.ts
var Problem = class extends Error {
  name = 'Problem';
  code;
  members;
  constructor(code, detail, members = {}, cause) {
    super(detail, cause === void 0 ? void 0 : { cause });
    this.code = code;
    this.members = members;
  }
  get status() {
    return ERROR_CATALOGUE[this.code].status;
  }
  get retryable() {
    return ERROR_CATALOGUE[this.code].retryable;
  }
};
function problem(code, detail, members, cause) {
  return new Problem(code, detail, members, cause);
}

// packages/shared/src/errors/wire.ts
var PROBLEM_CONTENT_TYPE = 'application/problem+json';
function problemToWire(problem2, edge, context = {}) {
  if (edge === 'core' && problem2.code === 'version_conflict') return coreVersionConflict(problem2);
  const { title, status, retryable } = ERROR_CATALOGUE[problem2.code];
  return {
    ...errorMember(problem2, edge),
    type: `urn:allsource:problem:${problem2.code}`,
    title,
    status,
    detail: problem2.message,
    code: problem2.code,
    retryable,
    ...context,
    ...problem2.members,
  };
}
function errorMember(problem2, edge) {
  switch (edge) {
    case 'core':
      return { error: ERROR_CATALOGUE[problem2.code].corePrefix + problem2.message };
    case 'gateway':
      return { error: { code: problem2.code, message: problem2.message, ...problem2.members } };
    case 'control-plane':
      return { error: problem2.code, message: problem2.message };
  }
}
function coreVersionConflict(problem2) {
  const { expected_version, current_version } = problem2.members;
  return { error: 'version_conflict', expected_version, current_version };
}

// packages/service-kit/src/lifecycle/run-service.ts
async function runService(name, start) {
  process.stderr.on('error', () => {});
  const orphaned = launcherGone();
  let service;
  try {
    service = await start();
  } catch (error) {
    process.stderr.write(`${name} cannot start. ${startFault(error)}
`);
    if (process.connected) process.disconnect();
    process.exitCode = error instanceof ConfigError ? 2 : 1;
    return;
  }
  process.stdout.write(`${name} ready at ${service.url}
`);
  const reason = await Promise.race([
    stopSignal(),
    orphaned,
    service.failed ?? new Promise(() => {}),
  ]);
  const isSignal = reason.startsWith('SIG');
  if (!isSignal)
    process.stderr.write(`${name} stops: ${reason}
`);
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));
  await service.close();
  if (process.connected) process.disconnect();
  process.exitCode = isSignal ? 0 : 1;
}
function startFault(error) {
  if (error instanceof ConfigError || error instanceof Problem) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
function stopSignal() {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => resolve(signal));
  });
}
function launcherGone() {
  return new Promise((resolve) => {
    if (process.connected) process.once('disconnect', () => resolve('its launcher is gone'));
  });
}

// services/query/src/config/query-config.ts
import { join as join3 } from 'node:path';

// packages/service-kit/src/config/dev-mode.ts
import { isIPv4 } from 'node:net';
function requireSafeDevMode(settings) {
  if (!settings.devMode || isLoopback(settings.host)) return;
  throw new ConfigError([
    `ALLSOURCE_DEV_MODE is on and ALLSOURCE_HOST is ${settings.host}: a store without keys may only listen on 127.0.0.1.`,
  ]);
}
function isLoopback(host) {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

// packages/service-kit/src/config/internal-token.ts
import { randomBytes } from 'node:crypto';
import {
  existsSync as existsSync2,
  linkSync,
  mkdirSync as mkdirSync2,
  readFileSync as readFileSync2,
  rmSync as rmSync2,
  writeFileSync as writeFileSync2,
} from 'node:fs';
import { dirname, join as join2 } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
var POLL_MS = 100;
function tokenFile(source) {
  return source.internalTokenFile ?? join2(source.dataDir, 'internal-token');
}
async function awaitInternalToken(source, timeoutMs) {
  if (source.internalToken !== null) return source.internalToken;
  const file = tokenFile(source);
  for (let waitedMs = 0; !existsSync2(file); waitedMs += POLL_MS) {
    if (waitedMs >= timeoutMs) {
      throw problem(
        'starting',
        `The internal token file ${file} did not appear within ${timeoutMs} ms. Is core running?`,
      );
    }
    await sleep(POLL_MS);
  }
  return readFileSync2(file, 'utf8').trim();
}

// packages/service-kit/src/config/nats-address.ts
function natsAddress(url) {
  const { protocol, username, password, host } = new URL(url);
  const servers = `${protocol}//${host}`;
  if (username === '') return { servers };
  const user = decodeURIComponent(username);
  return password === ''
    ? { servers, token: user }
    : { servers, user, pass: decodeURIComponent(password) };
}

// services/query/src/config/query-config.ts
function readQueryConfig(environment) {
  const settings = readSettings(
    [
      'dataDir',
      'host',
      'queryPort',
      'coreUrl',
      'controlPlaneUrl',
      'bootstrapTenant',
      'devMode',
      'jwtSecret',
      'internalToken',
      'internalTokenFile',
      'natsUrl',
      'bodyBytesMax',
      'readWaitMs',
      'blockEvents',
      'shutdownGraceMs',
      'logLevel',
    ],
    environment,
  );
  requireSafeDevMode(settings);
  return { ...settings, folder: join3(settings.dataDir, 'query') };
}

// services/query/src/create-service.ts
import { createServer as createServer2 } from 'node:http';

// packages/shared/src/protocol/system-events.ts
var SYSTEM_EVENT_TYPES = /* @__PURE__ */ new Set([
  '_system.tenant.created',
  '_system.api_key.created',
  '_system.api_key.revoked',
  '_system.consumer.registered',
  '_system.consumer.acknowledged',
  '_system.projection_state.saved',
]);
function parseSystemEvent(event) {
  const { type } = event;
  if (!SYSTEM_EVENT_TYPES.has(type)) return null;
  return { type, payload: JSON.parse(event.payload.toString('utf8')) };
}

// packages/shared/src/access/access-directory.ts
var AccessDirectory = class {
  /** Names the form of what `save` makes. */
  sectionName = 'access/1';
  #keysByHash = /* @__PURE__ */ new Map();
  #hashById = /* @__PURE__ */ new Map();
  #tenants = /* @__PURE__ */ new Map();
  #appliedPosition = POSITION_ZERO;
  /** The position this fold is true at. */
  get appliedPosition() {
    return this.#appliedPosition;
  }
  /** Forgets everything, to be folded again from the first frame. */
  clear() {
    this.#keysByHash.clear();
    this.#hashById.clear();
    this.#tenants.clear();
    this.#appliedPosition = POSITION_ZERO;
  }
  /** Folds one frame. Frames come in position order; one that was applied already is passed over. */
  apply(frame) {
    if (frame.lastPosition <= this.#appliedPosition) return;
    this.#appliedPosition = frame.lastPosition;
    if (!frame.isSystem) return;
    for (const event of frame.events()) {
      const parsed = parseSystemEvent(event);
      if (parsed?.type === '_system.tenant.created') {
        this.#tenants.set(parsed.payload.id, { ...parsed.payload, createdAt: frame.recordedAt });
      } else if (parsed?.type === '_system.api_key.created')
        this.#addKey(parsed.payload, frame.recordedAt);
      else if (parsed?.type === '_system.api_key.revoked') this.#revokeKey(parsed.payload.id);
    }
  }
  /** The directory as bytes for a checkpoint, which are as secret as the hashes of the keys. */
  save() {
    const saved = {
      position: this.#appliedPosition,
      keys: this.keys(),
      tenants: this.tenants(),
    };
    return [Buffer.from(JSON.stringify(saved))];
  }
  /** Takes in what `save` has made. The directory is empty before. */
  load(part) {
    const saved = JSON.parse(part.toString());
    this.#appliedPosition = saved.position;
    for (const tenant of saved.tenants) this.#tenants.set(tenant.id, tenant);
    for (const key of saved.keys) {
      this.#keysByHash.set(key.key_hash, key);
      this.#hashById.set(key.id, key.key_hash);
    }
  }
  #addKey(key, createdAt) {
    const expires = key.expires_at === null ? null : parseTimestamp(key.expires_at);
    const expiresAtMs = key.expires_at === null ? null : expires === null ? 0 : expires / 1e3;
    this.#keysByHash.set(key.key_hash, { ...key, createdAt, expiresAtMs, active: true });
    this.#hashById.set(key.id, key.key_hash);
  }
  #revokeKey(id) {
    const hash2 = this.#hashById.get(id);
    const key = hash2 === void 0 ? void 0 : this.#keysByHash.get(hash2);
    if (key !== void 0) this.#keysByHash.set(key.key_hash, { ...key, active: false });
  }
  /** The key with this hash, also a revoked one. */
  keyByHash(hash2) {
    return this.#keysByHash.get(hash2);
  }
  /** The key with this id, also a revoked one. */
  keyById(id) {
    const hash2 = this.#hashById.get(id);
    return hash2 === void 0 ? void 0 : this.#keysByHash.get(hash2);
  }
  /** All keys, oldest first. */
  keys() {
    return [...this.#keysByHash.values()];
  }
  hasTenant(id) {
    return this.#tenants.has(id);
  }
  tenant(id) {
    return this.#tenants.get(id);
  }
  /** All tenants, oldest first. */
  tenants() {
    return [...this.#tenants.values()];
  }
};

// packages/shared/src/access/api-key.ts
import { hash, randomBytes as randomBytes2 } from 'node:crypto';
function hashApiKey(key) {
  return hash('sha256', key, 'hex');
}

// packages/shared/src/access/authenticator.ts
import jwt from 'jsonwebtoken';

// packages/shared/src/access/credentials.ts
function presentedSecret(headers) {
  const authorization = headers.authorization?.trim() ?? '';
  const bearer = /^bearer(?:\s+(.*))?$/is.exec(authorization);
  const fromAuthorization = bearer === null ? authorization : (bearer[1]?.trim() ?? '');
  if (fromAuthorization !== '') return fromAuthorization;
  const apiKey = headers['x-api-key'];
  const first = Array.isArray(apiKey) ? apiKey[0] : apiKey;
  return first === void 0 || first.trim() === '' ? null : first.trim();
}

// packages/shared/src/access/principal.ts
var PERMISSIONS = [
  'read',
  'write',
  'admin',
  'metrics',
  'manage_schemas',
  'manage_pipelines',
  'manage_tenants',
];
var ROLE_PERMISSIONS = {
  admin: new Set(PERMISSIONS),
  developer: /* @__PURE__ */ new Set([
    'read',
    'write',
    'metrics',
    'manage_schemas',
    'manage_pipelines',
  ]),
  readonly: /* @__PURE__ */ new Set(['read', 'metrics']),
  serviceaccount: /* @__PURE__ */ new Set(['read', 'write']),
};
function isPermitted(principal, permission) {
  return ROLE_PERMISSIONS[principal.role].has(permission);
}
function parseRole(text) {
  const plain = text.toLowerCase().replaceAll('_', '');
  if (
    plain === 'admin' ||
    plain === 'developer' ||
    plain === 'readonly' ||
    plain === 'serviceaccount'
  )
    return plain;
  return plain === 'service' ? 'serviceaccount' : null;
}

// packages/shared/src/access/authenticator.ts
var TOKEN_ISSUER = 'allsource';
var TOKEN_CLOCK_TOLERANCE_S = 5;
var Authenticator = class {
  #options;
  constructor(options) {
    this.#options = options;
  }
  /** Who presents these headers, or why nobody is recognized. */
  authenticate(headers) {
    const outcome = this.#recognize(presentedSecret(headers));
    const { devTenant } = this.#options;
    if (outcome.kind === 'principal' || devTenant === null) return outcome;
    return { kind: 'principal', principal: devPrincipal(devTenant) };
  }
  #recognize(secret) {
    if (secret === null) {
      return refused(
        'Present an API key as "Authorization: Bearer <key>" or in the X-API-Key header.',
      );
    }
    const key = this.#options.directory.keyByHash(hashApiKey(secret));
    return key === void 0 ? this.#recognizeToken(secret) : this.#recognizeKey(key);
  }
  #recognizeKey(key) {
    if (!key.active) return refused('This API key has been revoked.');
    if (key.expiresAtMs !== null && key.expiresAtMs <= this.#options.nowMs())
      return refused('This API key has expired.');
    const { id, name, role, tenant_id: tenantId, expiresAtMs } = key;
    return {
      kind: 'principal',
      principal: { kind: 'api_key', id, name, role, tenantId, expiresAtMs },
    };
  }
  #recognizeToken(token) {
    const { jwtSecret } = this.#options;
    if (jwtSecret === null || token.split('.').length !== 3)
      return refused('The API key or token is not valid.');
    const claims = verifiedClaims(token, jwtSecret, Math.floor(this.#options.nowMs() / 1e3));
    if (claims === null)
      return refused('The token is not valid: its signature, issuer or time does not fit.');
    const { sub, tenant_id: tenantId, role: roleClaim, exp, username } = claims;
    const role = typeof roleClaim === 'string' ? parseRole(roleClaim) : null;
    if (
      typeof sub !== 'string' ||
      sub === '' ||
      typeof tenantId !== 'string' ||
      tenantIdFault(tenantId) !== null ||
      role === null
    ) {
      return refused('The token lacks a usable sub, tenant_id or role.');
    }
    if (typeof exp !== 'number')
      return refused('The token does not expire (exp); such tokens are not accepted.');
    const name = typeof username === 'string' ? username : sub;
    return {
      kind: 'principal',
      principal: { kind: 'token', id: sub, name, role, tenantId, expiresAtMs: exp * 1e3 },
    };
  }
};
function refused(detail) {
  return { kind: 'refused', problem: problem('unauthenticated', detail) };
}
function verifiedClaims(token, secret, nowSeconds) {
  try {
    const verified = jwt.verify(token, secret, {
      algorithms: ['HS256'],
      issuer: TOKEN_ISSUER,
      clockTimestamp: nowSeconds,
      clockTolerance: TOKEN_CLOCK_TOLERANCE_S,
      complete: true,
    });
    if (Object.hasOwn(verified.header, 'crit') || typeof verified.payload === 'string') return null;
    return { ...verified.payload };
  } catch (error) {
    if (error instanceof jwt.JsonWebTokenError || error instanceof SyntaxError) return null;
    throw error;
  }
}
function devPrincipal(tenantId) {
  return {
    kind: 'dev',
    id: 'dev-user',
    name: 'dev-user',
    tenantId,
    role: 'admin',
    expiresAtMs: null,
  };
}

// packages/shared/src/access/tenant-scope.ts
function resolveTenant(principal, requested, directory) {
  const tenantId = requested ?? principal.tenantId;
  const fault2 = tenantIdFault(tenantId);
  if (fault2 !== null) throw problem('invalid_tenant_id', fault2);
  if (tenantId !== principal.tenantId && !isPermitted(principal, 'manage_tenants')) {
    throw problem(
      'forbidden',
      `This key belongs to one tenant and may not act for ${quoted(tenantId)}. Leave tenant_id out.`,
    );
  }
  if (!directory.hasTenant(tenantId)) {
    throw problem(
      'tenant_not_found',
      `There is no tenant ${quoted(tenantId)}. Create it first, or leave tenant_id out.`,
    );
  }
  return tenantId;
}

// packages/service-kit/src/access/access-sink.ts
var AccessSink = class {
  directory = new AccessDirectory();
  #position = POSITION_ZERO;
  #logId = null;
  get appliedPosition() {
    return this.#position;
  }
  get logId() {
    return this.#logId;
  }
  apply(frames, logId) {
    for (const frame of frames) {
      this.directory.apply(frame);
      this.#position = frame.lastPosition;
    }
    this.#logId = logId;
  }
  advance(position2, logId) {
    this.#position = position2;
    this.#logId = logId;
  }
  reset() {
    this.directory.clear();
    this.#position = POSITION_ZERO;
    this.#logId = null;
  }
};

// packages/service-kit/src/http/parameters.ts
var Parameters = class _Parameters {
  #values;
  constructor(values) {
    this.#values = values;
  }
  static ofUrl(url) {
    const start = url.indexOf('?');
    return new _Parameters(new URLSearchParams(start === -1 ? '' : url.slice(start + 1)));
  }
  /** The text of a parameter; null when it is absent or empty. */
  text(name) {
    const value2 = this.#values.get(name);
    return value2 === null || value2 === '' ? null : value2;
  }
  /** The values of a parameter that may be repeated or hold several values with commas between them. */
  texts(name) {
    const parts = this.#values.getAll(name).flatMap((value2) => value2.split(','));
    return parts.map((part) => part.trim()).filter((part) => part !== '');
  }
  /** The text of a parameter that must be there. */
  requiredText(name) {
    const value2 = this.text(name);
    if (value2 === null)
      throw problem('invalid_parameter', `The parameter '${name}' is missing.`, {
        parameter: name,
      });
    return value2;
  }
  /** A whole number within limits; null when absent. */
  integer(name, limits) {
    const text = this.text(name);
    if (text === null) return null;
    const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= limits.min && number <= limits.max) return number;
    throw problem(
      'invalid_parameter',
      `'${name}' is ${quoted(text)}; allowed is a whole number from ${limits.min} to ${limits.max}.`,
      { parameter: name, min: limits.min, max: limits.max },
    );
  }
  /** An RFC 3339 instant; null when absent. A '+' that arrived as a space is read as the '+' it was. */
  timestamp(name) {
    const text = this.text(name);
    if (text === null) return null;
    const instant = parseTimestamp(text.replace(/ (?=\d{2}:\d{2}$)/, '+'));
    if (instant !== null) return instant;
    throw problem(
      'invalid_parameter',
      `'${name}' is ${quoted(text)}; allowed is an RFC 3339 instant with a zone, such as 2026-01-31T12:00:00Z.`,
      { parameter: name },
    );
  }
  /** One of the given words, in any case; null when absent. `sentence` replaces the usual detail where clients know another. */
  choice(name, choices, sentence) {
    const text = this.text(name);
    if (text === null) return null;
    const choice = choices.find((candidate) => candidate === text.toLowerCase());
    if (choice !== void 0) return choice;
    const detail =
      sentence?.(text) ?? `'${name}' is ${quoted(text)}; allowed are ${choices.join(', ')}.`;
    throw problem('invalid_parameter', detail, { parameter: name, allowed: choices });
  }
  /** true or false; null when absent. */
  flag(name) {
    const choice = this.choice(name, ['true', 'false', '1', '0']);
    return choice === null ? null : choice === 'true' || choice === '1';
  }
};

// packages/service-kit/src/access/fresh-access.ts
var FreshAccess = class {
  #options;
  constructor(options) {
    this.#options = options;
  }
  /** True when a decision about this request needs nothing newer. */
  isDecidable(request) {
    const { authenticator, directory } = this.#options;
    if (presentedSecret(request.headers) === null) return true;
    if (authenticator.authenticate(request.headers).kind === 'refused') return false;
    const tenant = Parameters.ofUrl(request.url ?? '').text('tenant_id');
    return tenant === null || directory.hasTenant(tenant);
  }
  /** Waits until the fold is as new as core was at this call. Throws `starting` or `upstream_unavailable`. */
  async refresh() {
    const { follower } = this.#options;
    if (!follower.status.hasCaughtUp)
      throw problem('starting', 'The keys are still being read from core. Try again shortly.');
    const head = await follower.coreHead();
    if (await follower.waitFor(head, LIMITS.accessWaitMs)) return;
    throw problem(
      'upstream_unavailable',
      `The newest keys did not come from core within ${LIMITS.accessWaitMs} ms. Try again shortly.`,
    );
  }
};

// packages/service-kit/src/forward/upstream-error.ts
function parsedError(text) {
  try {
    const value2 = JSON.parse(text);
    return typeof value2 === 'object' && value2 !== null && !Array.isArray(value2)
      ? { ...value2 }
      : null;
  } catch {
    return null;
  }
}
function unreadableError(status) {
  return problem(
    'upstream_unavailable',
    `A service behind this one answered ${status} without a readable reason.`,
    { upstream_status: status },
  );
}

// packages/service-kit/src/forward/forwarder.ts
import { pipeline } from 'node:stream/promises';

// packages/shared/src/protocol/event-json.ts
function eventJsonPieces(facts) {
  const timestamp = formatTimestamp(facts.timestamp);
  const recordedAt =
    facts.recordedAt === facts.timestamp ? timestamp : formatTimestamp(facts.recordedAt);
  return {
    beforePayload: `"id":"${facts.id}","event_type":"${facts.type}","entity_id":${JSON.stringify(facts.entity)},"tenant_id":"${facts.tenant}","payload":`,
    beforeMetadata: `,"timestamp":"${timestamp}","metadata":`,
    afterMetadata: `,"version":${facts.version},"recorded_at":"${recordedAt}"`,
  };
}

// packages/shared/src/json/json-scanner.ts
var JsonSyntaxError = class extends Error {
  name = 'JsonSyntaxError';
  offset;
  tooDeep;
  constructor(reason, offset, tooDeep = false) {
    super(`${reason} at byte ${offset}`);
    this.offset = offset;
    this.tooDeep = tooDeep;
  }
};
var QUOTE = 34;
var BACKSLASH = 92;
var OPEN_BRACE = 123;
var CLOSE_BRACE = 125;
var OPEN_BRACKET = 91;
var CLOSE_BRACKET = 93;
var COLON = 58;
var COMMA = 44;
var MINUS = 45;
var DOT = 46;
var ZERO = 48;
var NINE = 57;
var SIMPLE_ESCAPES = /* @__PURE__ */ new Set([34, 47, 92, 98, 102, 110, 114, 116]);
var JsonScanner = class {
  bytes;
  #depthMax;
  /** The byte looked at next. */
  at = 0;
  /** Scans `bytes` from `start`. Objects and arrays may nest `depthMax` deep. */
  constructor(bytes, depthMax, start = 0) {
    this.bytes = bytes;
    this.#depthMax = depthMax;
    this.at = start;
  }
  /** The byte at the cursor, or -1 at the end. */
  peek() {
    return this.at < this.bytes.length ? this.bytes[this.at] : -1;
  }
  /** Moves past spaces, tabs, line feeds and carriage returns. */
  skipWhitespace() {
    const { bytes } = this;
    while (this.at < bytes.length) {
      const c = bytes[this.at];
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
      this.at++;
    }
  }
  /** True, and moves past it, when the cursor stands at this byte. */
  take(byte) {
    if (this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }
  /** Moves past this byte or throws a {@link JsonSyntaxError}. */
  expect(byte) {
    if (!this.take(byte))
      this.#fail(`expected '${String.fromCharCode(byte)}' but found ${this.#shown()}`);
  }
  /** Throws unless only white space follows. */
  expectEnd() {
    this.skipWhitespace();
    if (this.at < this.bytes.length)
      this.#fail(`unexpected ${this.#shown()} after the end of the document`);
  }
  /** Moves past one value of any kind. `depth` counts the objects and arrays around it. */
  skipValue(depth = 0) {
    const c = this.peek();
    if (c === QUOTE) this.skipString();
    else if (c === OPEN_BRACE) this.#skipObject(depth + 1);
    else if (c === OPEN_BRACKET) this.#skipArray(depth + 1);
    else if (c === 116) this.#skipLiteral('true');
    else if (c === 102) this.#skipLiteral('false');
    else if (c === 110) this.#skipLiteral('null');
    else this.#skipNumber();
  }
  /**
   * Visits the members of the object at the cursor in order. `onMember` is called with the cursor at the value and the key's
   * decoded text; it must move past the value. `depth` counts the objects and arrays around this object.
   */
  visitObject(depth, onMember) {
    this.#enter(depth + 1);
    this.expect(OPEN_BRACE);
    this.skipWhitespace();
    if (this.take(CLOSE_BRACE)) return;
    do {
      this.skipWhitespace();
      const keyStart = this.at;
      this.skipString();
      const key = decodeJsonString(this.bytes, keyStart, this.at);
      this.skipWhitespace();
      this.expect(COLON);
      this.skipWhitespace();
      onMember(key);
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACE);
  }
  /** Visits the elements of the array at the cursor; `onElement` must move past the element. */
  visitArray(depth, onElement) {
    this.#enter(depth + 1);
    this.expect(OPEN_BRACKET);
    this.skipWhitespace();
    if (this.take(CLOSE_BRACKET)) return;
    do {
      this.skipWhitespace();
      onElement();
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACKET);
  }
  /** Moves past the string at the cursor, its quotes included. */
  skipString() {
    const { bytes } = this;
    this.expect(QUOTE);
    while (this.at < bytes.length) {
      const c = bytes[this.at];
      if (c === QUOTE) {
        this.at++;
        return;
      }
      if (c < 32) this.#fail('a control character must be escaped inside a string');
      if (c === BACKSLASH) this.#skipEscape();
      else this.at++;
    }
    this.#fail('the string does not end');
  }
  #skipEscape() {
    this.at++;
    const c = this.peek();
    if (SIMPLE_ESCAPES.has(c)) {
      this.at++;
      return;
    }
    if (c !== 117) this.#fail('bad escape in a string');
    for (let i = 1; i <= 4; i++) {
      const digit = this.bytes[this.at + i];
      if (digit === void 0 || !isHexDigit(digit)) this.#fail('\\u needs four hexadecimal digits');
    }
    this.at += 5;
  }
  #skipObject(depth) {
    this.#enter(depth);
    this.at++;
    this.skipWhitespace();
    if (this.take(CLOSE_BRACE)) return;
    do {
      this.skipWhitespace();
      this.skipString();
      this.skipWhitespace();
      this.expect(COLON);
      this.skipWhitespace();
      this.skipValue(depth);
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACE);
  }
  #skipArray(depth) {
    this.#enter(depth);
    this.at++;
    this.skipWhitespace();
    if (this.take(CLOSE_BRACKET)) return;
    do {
      this.skipWhitespace();
      this.skipValue(depth);
      this.skipWhitespace();
    } while (this.take(COMMA));
    this.expect(CLOSE_BRACKET);
  }
  #enter(depth) {
    if (depth > this.#depthMax) {
      throw new JsonSyntaxError(
        `the JSON nests deeper than ${this.#depthMax} levels`,
        this.at,
        true,
      );
    }
  }
  #skipLiteral(word) {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) this.#fail(`expected '${word}'`);
    }
    this.at += word.length;
  }
  #skipNumber() {
    const start = this.at;
    this.take(MINUS);
    if (!this.take(ZERO)) this.#skipDigits(start);
    if (this.take(DOT)) this.#skipDigits(start);
    const c = this.peek();
    if (c === 101 || c === 69) {
      this.at++;
      if (!this.take(43)) this.take(MINUS);
      this.#skipDigits(start);
    }
  }
  #skipDigits(numberStart) {
    const start = this.at;
    while (isDigit(this.peek())) this.at++;
    if (this.at > start) return;
    this.#fail(
      start === numberStart ? `expected a value but found ${this.#shown()}` : 'expected a digit',
    );
  }
  #shown() {
    const c = this.peek();
    if (c === -1) return 'the end';
    return c > 32 && c < 127
      ? `'${String.fromCharCode(c)}'`
      : `byte 0x${c.toString(16).padStart(2, '0')}`;
  }
  #fail(reason) {
    throw new JsonSyntaxError(reason, this.at);
  }
};
function isDigit(c) {
  return c >= ZERO && c <= NINE;
}
function isHexDigit(c) {
  return isDigit(c) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102);
}
function decodeJsonString(bytes, start, end) {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  if (!text.includes(BACKSLASH)) return text.toString('utf8', 1, text.length - 1);
  return JSON.parse(text.toString('utf8'));
}

// packages/shared/src/json/canonical-json.ts
function canonicalJson(text) {
  const scanner = new JsonScanner(text, LIMITS.jsonDepthMax);
  scanner.skipWhitespace();
  const canonical = canonicalValue(scanner, 0);
  scanner.expectEnd();
  return canonical;
}
function canonicalValue(scanner, depth) {
  const start = scanner.at;
  const first = String.fromCharCode(scanner.peek());
  if (first === '{') return canonicalObject(scanner, depth);
  if (first === '[') return canonicalArray(scanner, depth);
  scanner.skipValue(depth);
  if (first === '"') return JSON.stringify(decodeJsonString(scanner.bytes, start, scanner.at));
  const text = Buffer.from(scanner.bytes.subarray(start, scanner.at)).toString('latin1');
  return first === '-' || (first >= '0' && first <= '9') ? canonicalNumber(text) : text;
}
function canonicalObject(scanner, depth) {
  const members = /* @__PURE__ */ new Map();
  scanner.visitObject(depth, (key) => members.set(key, canonicalValue(scanner, depth + 1)));
  const names2 = [...members.keys()].sort();
  return `{${names2.map((name) => `${JSON.stringify(name)}:${members.get(name)}`).join(',')}}`;
}
function canonicalArray(scanner, depth) {
  const elements = [];
  scanner.visitArray(depth, () => elements.push(canonicalValue(scanner, depth + 1)));
  return `[${elements.join(',')}]`;
}
var EXPONENT_DIGITS_MAX = 20;
var NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
function canonicalNumber(text) {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  if (exponent.length > EXPONENT_DIGITS_MAX) return text;
  const power =
    BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${power}`;
}

// packages/shared/src/protocol/event-query.ts
function parseEventQuery(parameters, limitDefault = null) {
  const payloadFilter = parameters.text('payload_filter');
  return {
    entity: parameters.text('entity_id'),
    type: parameters.text('event_type'),
    typePrefix: parameters.text('event_type_prefix'),
    excludedTypePrefixes: listOf(parameters.text('exclude_event_type_prefix')),
    since: parameters.timestamp('since'),
    until: earlier(parameters.timestamp('until'), parameters.timestamp('as_of')),
    payloadFilter: payloadFilter === null ? null : new PayloadFilter(payloadFilter),
    limit: parameters.integer('limit', { min: 0, max: LIMITS.pageEventsMax }) ?? limitDefault,
    offset: parameters.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
    order: parameters.choice('order', ['asc', 'desc'], orderFault) ?? 'asc',
  };
}
function orderFault(value2) {
  return `invalid 'order' value ${quoted(value2)}: expected 'asc' or 'desc'`;
}
function listOf(text) {
  return (text ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
}
function earlier(a, b) {
  if (a === null || b === null) return a ?? b;
  return micros(Math.min(a, b));
}
var PayloadFilter = class {
  #wanted = /* @__PURE__ */ new Map();
  /** Reads the filter's text; throws a problem when it is not a JSON object. */
  constructor(text) {
    const bytes = Buffer.from(text);
    try {
      const scanner = new JsonScanner(bytes, LIMITS.jsonDepthMax);
      scanner.skipWhitespace();
      visitMembers(scanner, (name, value2) => this.#wanted.set(name, canonicalJson(value2)));
      scanner.expectEnd();
    } catch (error) {
      if (error instanceof JsonSyntaxError) throw filterFault(text, error.message);
      throw error;
    }
  }
  /** True when the payload is an object with all members of the filter. The payload must be valid JSON. */
  matches(payload) {
    const scanner = new JsonScanner(payload, LIMITS.jsonDepthMax);
    scanner.skipWhitespace();
    if (scanner.peek() !== 123) return false;
    const equal = /* @__PURE__ */ new Set();
    visitMembers(scanner, (name, value2) => {
      const wanted = this.#wanted.get(name);
      if (wanted === void 0) return;
      if (canonicalJson(value2) === wanted) equal.add(name);
      else equal.delete(name);
    });
    return equal.size === this.#wanted.size;
  }
};
function visitMembers(scanner, onMember) {
  scanner.visitObject(0, (name) => {
    const start = scanner.at;
    scanner.skipValue(1);
    onMember(name, scanner.bytes.subarray(start, scanner.at));
  });
}
function filterFault(text, reason) {
  return problem(
    'invalid_parameter',
    `'payload_filter' is ${quoted(text)}; allowed is a JSON object such as {"status":"open"} (${reason}).`,
    { parameter: 'payload_filter' },
  );
}

// packages/shared/src/protocol/feed.ts
import { crc32 as crc322 } from 'node:zlib';

// packages/shared/src/protocol/frame.ts
import { crc32 } from 'node:zlib';
var FRAME_MAGIC = 826692417;
var FRAME_HEADER_BYTES = 80;
var FRAME_ALIGNMENT = 8;
var LOG_ID_BYTES = 8;
var BODY_DIGEST_BYTES = 16;
var SPAN_BYTES = 64;
var CHECKSUM_FROM = 12;
var FLAG_SYSTEM = 1;
var NO_DIGEST = Buffer.alloc(BODY_DIGEST_BYTES);
function aligned(bytes) {
  return Math.ceil(bytes / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
}
function readSafeInteger(source, offset) {
  return source.readUInt32LE(offset) + source.readInt32LE(offset + 4) * 2 ** 32;
}
function decodeFrame(source, offset = 0) {
  const available = source.length - offset;
  if (available < 8) return { kind: 'incomplete', bytesNeeded: 8 };
  const magic = source.readUInt32LE(offset);
  if (magic === 0) return { kind: 'empty' };
  if (magic !== FRAME_MAGIC)
    return { kind: 'damaged', reason: `no frame starts here (found ${hex(magic)})` };
  const frameBytes = source.readUInt32LE(offset + 4);
  if (
    frameBytes < FRAME_HEADER_BYTES + SPAN_BYTES ||
    frameBytes > LIMITS.frameBytesMax ||
    frameBytes % FRAME_ALIGNMENT !== 0
  ) {
    return { kind: 'damaged', reason: `impossible frame length ${frameBytes}` };
  }
  if (available < frameBytes) return { kind: 'incomplete', bytesNeeded: frameBytes };
  const bytes = source.subarray(offset, offset + frameBytes);
  const expected = bytes.readUInt32LE(8);
  const actual = crc32(bytes.subarray(CHECKSUM_FROM));
  if (expected !== actual) {
    return {
      kind: 'damaged',
      reason: `checksum ${hex(actual)} where the frame says ${hex(expected)}`,
    };
  }
  const frame = new Frame(bytes);
  const fault2 = frame.shapeFault();
  return fault2 === null ? { kind: 'frame', frame } : { kind: 'damaged', reason: fault2 };
}
function hex(value2) {
  return `0x${value2.toString(16).padStart(8, '0')}`;
}
var Frame = class {
  bytes;
  position;
  eventCount;
  #spansOffset;
  #textOffset;
  /** Wraps bytes that `encodeFrame` made or `decodeFrame` accepted. */
  constructor(bytes) {
    this.bytes = bytes;
    this.position = position(readSafeInteger(bytes, 16));
    this.eventCount = bytes.readUInt32LE(40);
    this.#textOffset = bytes.readUInt32LE(44);
    this.#spansOffset = this.#textOffset - this.eventCount * SPAN_BYTES;
  }
  get checksum() {
    return this.bytes.readUInt32LE(8);
  }
  get previousChecksum() {
    return this.bytes.readUInt32LE(12);
  }
  /** The position of the last event. */
  get lastPosition() {
    return position(this.position + this.eventCount - 1);
  }
  get recordedAt() {
    return micros(readSafeInteger(this.bytes, 24));
  }
  get durablePosition() {
    return position(readSafeInteger(this.bytes, 32));
  }
  /** True when the events are the store's own configuration, which no tenant's read shows. */
  get isSystem() {
    return (this.bytes.readUInt16LE(52) & FLAG_SYSTEM) !== 0;
  }
  get tenant() {
    return this.tenantBytes.toString('utf8');
  }
  get tenantBytes() {
    return this.bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + this.bytes.readUInt8(54));
  }
  get logId() {
    return this.bytes.subarray(72, 72 + LOG_ID_BYTES);
  }
  get idempotency() {
    const keyBytes = this.bytes.readUInt8(55);
    if (keyBytes === 0) return null;
    const start = FRAME_HEADER_BYTES + this.bytes.readUInt8(54);
    return {
      key: this.bytes.subarray(start, start + keyBytes),
      bodyDigest: this.bytes.subarray(56, 56 + BODY_DIGEST_BYTES),
    };
  }
  /** The event at `index`, 0 .. eventCount-1. */
  event(index) {
    assert(index >= 0 && index < this.eventCount, 'an event index inside the frame');
    return new FrameEvent(this, index, this.#spansOffset + index * SPAN_BYTES, this.#textOffset);
  }
  /** All events, in order. */
  *events() {
    for (let i = 0; i < this.eventCount; i++) yield this.event(i);
  }
  /** Why the lengths inside the frame do not fit together, or null. Only a faulty writer gets here past the checksum. */
  shapeFault() {
    const { bytes } = this;
    const namesEnd = FRAME_HEADER_BYTES + bytes.readUInt8(54) + bytes.readUInt8(55);
    const textBytes = bytes.readUInt32LE(48);
    if (this.eventCount === 0 || this.position === 0) return 'a frame without events or position';
    if (this.#spansOffset !== aligned(namesEnd)) return 'the span table does not follow the names';
    if (aligned(this.#textOffset + textBytes) !== bytes.length)
      return 'the text does not end with the frame';
    let end = 0;
    for (let i = 0, span = this.#spansOffset; i < this.eventCount; i++, span += SPAN_BYTES) {
      if (bytes.readUInt32LE(span + 40) !== end)
        return `the text of event ${i} does not follow the one before`;
      end +=
        bytes.readUInt32LE(span + 44) +
        bytes.readUInt32LE(span + 48) +
        bytes.readUInt16LE(span + 52) +
        bytes.readUInt16LE(span + 54);
    }
    return end === textBytes ? null : 'the texts of the events do not fill the text';
  }
};
var FrameEvent = class {
  frame;
  index;
  #span;
  #text;
  constructor(frame, index, span, textOffset) {
    this.frame = frame;
    this.index = index;
    this.#span = span;
    this.#text = textOffset + frame.bytes.readUInt32LE(span + 40);
  }
  get position() {
    return position(this.frame.position + this.index);
  }
  get id() {
    return formatEventId(this.frame.bytes, this.#span);
  }
  get idBytes() {
    return this.frame.bytes.subarray(this.#span, this.#span + EVENT_ID_BYTES);
  }
  /** Where the id's bytes lie in the frame. */
  get idOffset() {
    return this.#span;
  }
  get timestamp() {
    return micros(readSafeInteger(this.frame.bytes, this.#span + 16));
  }
  get version() {
    return version(readSafeInteger(this.frame.bytes, this.#span + 24));
  }
  /** Where this entity's event before this one lies; 0 when this is its first. */
  get previousPosition() {
    return position(readSafeInteger(this.frame.bytes, this.#span + 32));
  }
  get partition() {
    return this.frame.bytes.readUInt16LE(this.#span + 56);
  }
  /** Where the type's bytes lie in the frame; the entity id's follow. */
  get typeStart() {
    return this.#text;
  }
  get entityStart() {
    return this.#text + this.#typeLength;
  }
  get entityEnd() {
    return this.#text + this.#typeLength + this.#entityLength;
  }
  get typeBytes() {
    return this.frame.bytes.subarray(this.#text, this.#text + this.#typeLength);
  }
  get type() {
    return this.frame.bytes.toString('latin1', this.#text, this.#text + this.#typeLength);
  }
  get entityBytes() {
    const start = this.#text + this.#typeLength;
    return this.frame.bytes.subarray(start, start + this.#entityLength);
  }
  get entity() {
    const start = this.#text + this.#typeLength;
    return this.frame.bytes.toString('utf8', start, start + this.#entityLength);
  }
  /** The payload's JSON text as the client sent it. */
  get payload() {
    const start = this.#text + this.#typeLength + this.#entityLength;
    return this.frame.bytes.subarray(start, start + this.frame.bytes.readUInt32LE(this.#span + 44));
  }
  /** The metadata's JSON text as the client sent it, or null. */
  get metadata() {
    const length = this.frame.bytes.readUInt32LE(this.#span + 48);
    if (length === 0) return null;
    const start =
      this.#text +
      this.#typeLength +
      this.#entityLength +
      this.frame.bytes.readUInt32LE(this.#span + 44);
    return this.frame.bytes.subarray(start, start + length);
  }
  get payloadLength() {
    return this.frame.bytes.readUInt32LE(this.#span + 44);
  }
  get metadataLength() {
    return this.frame.bytes.readUInt32LE(this.#span + 48);
  }
  /** Copies payload and metadata, end to end, to a place in `target` that has room for them. Returns how many bytes they are. */
  copyPayloadAndMetadata(target, targetStart) {
    const start = this.#text + this.#typeLength + this.#entityLength;
    const end = start + this.payloadLength + this.metadataLength;
    return this.frame.bytes.copy(target, targetStart, start, end);
  }
  get #typeLength() {
    return this.frame.bytes.readUInt16LE(this.#span + 52);
  }
  get #entityLength() {
    return this.frame.bytes.readUInt16LE(this.#span + 54);
  }
};

// packages/shared/src/protocol/feed.ts
var HEAD_MAGIC = 826823489;
var HEAD_NOTICE_BYTES = 32;
var FEED_PATH = '/internal/v1/feed';
var HEAD_PATH = '/internal/v1/head';
var INTERNAL_TOKEN_HEADER = 'x-allsource-internal-token';
var COMMITS_SUBJECT = 'allsource.commits';
var FeedDamagedError = class extends Error {
  name = 'FeedDamagedError';
};
var FeedDecoder = class {
  #rest = Buffer.alloc(0);
  #chunks = [];
  #chunkBytes = 0;
  #bytesNeeded = 8;
  /** Takes the next bytes and returns the messages that are whole with them. Throws {@link FeedDamagedError} on damage. */
  push(chunk) {
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    if (this.#rest.length + this.#chunkBytes < this.#bytesNeeded) return [];
    this.#rest = Buffer.concat([this.#rest, ...this.#chunks]);
    this.#chunks = [];
    this.#chunkBytes = 0;
    return this.#cut();
  }
  #cut() {
    const messages = [];
    let offset = 0;
    this.#bytesNeeded = 8;
    while (offset < this.#rest.length) {
      const step = decodeFeedMessage(this.#rest, offset);
      if (step.kind === 'incomplete') {
        this.#bytesNeeded = step.bytesNeeded;
        break;
      }
      messages.push(step.message);
      offset += step.bytes;
    }
    this.#rest = this.#rest.subarray(offset);
    return messages;
  }
};
function decodeFeedMessage(source, offset) {
  const available = source.length - offset;
  if (available >= 4 && source.readUInt32LE(offset) === HEAD_MAGIC) {
    if (available < HEAD_NOTICE_BYTES)
      return { kind: 'incomplete', bytesNeeded: HEAD_NOTICE_BYTES };
    return { kind: 'message', message: decodeHeadNotice(source, offset), bytes: HEAD_NOTICE_BYTES };
  }
  const decoded = decodeFrame(source, offset);
  switch (decoded.kind) {
    case 'frame':
      return { kind: 'message', message: decoded, bytes: decoded.frame.bytes.length };
    case 'incomplete':
      return decoded;
    case 'empty':
      throw new FeedDamagedError('the feed holds zeros where a message should start');
    case 'damaged':
      throw new FeedDamagedError(`the feed holds a damaged frame: ${decoded.reason}`);
  }
}
function decodeHeadNotice(source, offset) {
  const bytes = source.subarray(offset, offset + HEAD_NOTICE_BYTES);
  if (bytes.readUInt32LE(8) !== crc322(bytes.subarray(12)))
    throw new FeedDamagedError('the feed holds a damaged head notice');
  const head = position(Number(bytes.readBigUInt64LE(16)));
  return { kind: 'head', head, logId: Buffer.from(bytes.subarray(24, 24 + LOG_ID_BYTES)) };
}
function decodeSingleFeedMessage(bytes) {
  const step = decodeFeedMessage(bytes, 0);
  if (step.kind !== 'message' || step.bytes !== bytes.length)
    throw new FeedDamagedError('not exactly one feed message');
  assert(step.message !== void 0, 'a decoded message');
  return step.message;
}

// packages/service-kit/src/forward/hop-headers.ts
var HOP_BY_HOP = /* @__PURE__ */ new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
var NEVER_FORWARDED = /* @__PURE__ */ new Set([INTERNAL_TOKEN_HEADER, 'host', 'expect']);
function requestHeadersOnward(headers) {
  return endToEnd(headers, (name) => !NEVER_FORWARDED.has(name));
}
function answerHeadersBack(headers) {
  return endToEnd(headers, () => true);
}
function endToEnd(headers, isWanted) {
  const named = new Set(
    (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()),
  );
  for (const name of ['content-length', 'authorization', 'x-api-key']) named.delete(name);
  const kept = {};
  for (const [name, value2] of Object.entries(headers)) {
    if (value2 !== void 0 && !HOP_BY_HOP.has(name) && !named.has(name) && isWanted(name))
      kept[name] = value2;
  }
  return kept;
}

// packages/service-kit/src/forward/one-hop.ts
var FORWARDED_BY_HEADER = 'x-allsource-forwarded-by';
function forwardedBy(service) {
  return { [FORWARDED_BY_HEADER]: service };
}
function requireFirstHop(headers) {
  const by = headers[FORWARDED_BY_HEADER];
  if (by === void 0) return;
  throw problem(
    'forwarding_loop',
    `This request was forwarded by ${String(by)} already, and the service that got it would forward it again. Check that CORE_URL and QUERY_URL name the right services.`,
    { forwarded_by: String(by) },
  );
}

// packages/service-kit/src/forward/forwarder.ts
var Forwarder = class {
  #options;
  constructor(options) {
    this.#options = options;
  }
  /**
   * Forwards a call and answers it. Throws `upstream_unavailable` when the service behind does not answer, and `forwarding_loop` for a call
   * that was forwarded before.
   */
  async forward(call, target) {
    const { request, response } = call;
    const { onOutcome } = this.#options;
    const bodyBytesMax =
      target.isUnbounded === true ? Number.POSITIVE_INFINITY : this.#options.bodyBytesMax;
    requireFirstHop(request.headers);
    if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax)
      throw bodyTooLarge(bodyBytesMax);
    const release = target.isLive === true ? this.#admitLive(response) : () => {};
    const exchange = this.#open(call, target);
    sendBody(request, exchange, bodyBytesMax);
    const giveUp = () => exchange.destroy();
    response.once('close', giveUp);
    try {
      const answer2 = await answerTo(exchange, target.upstream.name, request);
      await this.#relay({ answer: answer2, call, target });
      onOutcome(target.upstream.name, 'answered');
    } catch (error) {
      const isAbandoned = response.destroyed || response.headersSent;
      onOutcome(target.upstream.name, isAbandoned ? 'abandoned' : 'unavailable');
      if (!isAbandoned) throw error;
      this.#options.logger.debug({ err: error, path: request.path }, 'forwarding was cut short');
      response.destroy();
    } finally {
      response.off('close', giveUp);
      release();
    }
  }
  #admitLive(response) {
    const live = must(this.#options.live, 'a counter of live connections');
    return live.admit(() => response.destroy());
  }
  #open({ request, response }, target) {
    return target.upstream.request({
      method: request.method,
      path: target.path ?? pathOfTarget(request.originalUrl),
      headers: {
        ...target.headers,
        ...requestHeadersOnward(request.headers),
        ...forwardedBy(this.#options.name),
        'x-request-id': String(response.getHeader('x-request-id')),
      },
    });
  }
  async #relay({ answer: answer2, call, target }) {
    const { response } = call;
    const status = answer2.statusCode ?? 502;
    if (status >= 400 && isTranslatable(answer2))
      return await this.#relayError({ answer: answer2, call });
    setHeaders(response, answerHeadersBack(answer2.headers));
    response.statusCode = status === 200 ? (target.okStatus ?? 200) : status;
    if (target.isLive === true) response.flushHeaders();
    await pipeline(answer2, response);
  }
  async #relayError({ answer: answer2, call }) {
    const { request, response } = call;
    const text = await readAtMost(answer2, LIMITS.upstreamErrorBytesMax);
    const status = answer2.statusCode ?? 502;
    const traceId = String(response.getHeader('x-request-id'));
    const context = { instance: request.path, traceId };
    const body = JSON.stringify(this.#options.translateError(status, text, context));
    setHeaders(response, answerHeadersBack(answer2.headers));
    response.statusCode = status;
    response.setHeader('content-type', PROBLEM_CONTENT_TYPE);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  }
};
function pathOfTarget(target) {
  if (target.startsWith('/')) return target;
  const { pathname, search } = new URL(target, 'http://host');
  return pathname + search;
}
function sendBody(request, exchange, bytesMax) {
  const { headers } = request;
  if (headers['content-length'] === void 0 && headers['transfer-encoding'] === void 0) {
    exchange.end();
    return;
  }
  let bytes = 0;
  request.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes > bytesMax) exchange.destroy(bodyTooLarge(bytesMax));
  });
  request.pipe(exchange);
}
function bodyTooLarge(limit) {
  return problem(
    'body_too_large',
    `The body is over the limit of ${limit} bytes. Send fewer events at a time.`,
    { limit_bytes: limit },
  );
}
function answerTo(exchange, upstream, { method }) {
  return new Promise((resolve, reject) => {
    exchange.once('response', (answer2) => {
      exchange.setTimeout(0);
      resolve(answer2);
    });
    exchange.once('timeout', () =>
      exchange.destroy(new SilenceError(`no byte for ${LIMITS.upstreamSilenceMs} ms`)),
    );
    exchange.on('error', (error) => reject(unavailable({ upstream, method, error })));
  });
}
var SilenceError = class extends Error {
  name = 'SilenceError';
};
function unavailable(failure) {
  const { upstream, method, error } = failure;
  if (error instanceof Problem) return error;
  const isCertain = error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND';
  const consequence =
    isCertain || method === 'GET'
      ? 'Nothing was changed. Try again shortly.'
      : 'It is not known whether the request was carried out. If you repeat it, send the same Idempotency-Key, or check first.';
  const members = { upstream, outcome: isCertain || method === 'GET' ? 'not_done' : 'unknown' };
  return problem(
    'upstream_unavailable',
    `The service '${upstream}' does not answer. ${consequence}`,
    members,
    error,
  );
}
function isTranslatable({ headers }) {
  return (
    headers['content-encoding'] === void 0 &&
    /^(?:application\/(?:[\w.+-]+\+)?json|text\/plain)\b/i.test(
      headers['content-type'] ?? 'text/plain',
    )
  );
}
async function readAtMost(answer2, bytesMax) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of answer2) {
    bytes += chunk.length;
    if (bytes > bytesMax) break;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
function setHeaders(response, headers) {
  for (const [name, value2] of Object.entries(headers))
    if (value2 !== void 0) response.setHeader(name, value2);
}

// packages/service-kit/src/forward/gateway-error-body.ts
var COMMON_MEMBERS = /* @__PURE__ */ new Set([
  'error',
  'message',
  'type',
  'title',
  'status',
  'detail',
  'code',
  'retryable',
  'instance',
  'traceId',
]);
function gatewayErrorBody(status, text, context) {
  const body = parsedError(text);
  if (body === null) return problemToWire(unreadableError(status), 'gateway', context);
  const { error, message, ...members } = body;
  if (typeof error === 'object' && error !== null) return { ...body, ...context };
  if (error === 'version_conflict') {
    return problemToWire(versionConflict(members), 'gateway', context);
  }
  const code = firstText(members['code'], typeof message === 'string' ? error : null, 'error');
  const said = firstText(members['detail'], message, error, `The request failed (${status}).`);
  const facts = Object.entries(members).filter(([name]) => !COMMON_MEMBERS.has(name));
  const errorObject = { code, message: said, ...Object.fromEntries(facts) };
  return { status, code, detail: said, ...members, ...context, error: errorObject };
}
function versionConflict(members) {
  const { expected_version: expected, current_version: current } = members;
  return problem(
    'version_conflict',
    `The entity is at version ${String(current)}, and the request expects ${String(expected)}. Read the entity again, decide again, and append with the current version.`,
    { expected_version: Number(expected), current_version: Number(current) },
  );
}
function firstText(...candidates) {
  const text = candidates.find((candidate) => typeof candidate === 'string' && candidate !== '');
  return String(text);
}

// packages/service-kit/src/forward/live-connections.ts
var LiveConnections = class {
  #enders = /* @__PURE__ */ new Set();
  #isClosed = false;
  get count() {
    return this.#enders.size;
  }
  /**
   * Counts one more; `end` closes it when the service stops. Returns how to count it off again. Throws `too_many_connections` or
   * `shutting_down`.
   */
  admit(end) {
    if (this.#isClosed) throw problem('shutting_down', 'The service is stopping. Connect again.');
    const limit = LIMITS.liveConnectionsMax;
    if (this.#enders.size >= limit) {
      throw problem('too_many_connections', `${limit} live connections are open already.`, {
        limit,
      });
    }
    const ender = () => end();
    this.#enders.add(ender);
    return () => this.#enders.delete(ender);
  }
  /** Ends all of them and admits no more. */
  close() {
    this.#isClosed = true;
    for (const end of this.#enders) end();
    this.#enders.clear();
  }
};

// packages/service-kit/src/forward/upstream.ts
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
var Upstream = class {
  /** How messages and metrics name it. */
  name;
  #url;
  #agent;
  constructor(name, url) {
    this.name = name;
    this.#url = new URL(url);
    const options = { keepAlive: true };
    this.#agent = this.#isSecure ? new HttpsAgent(options) : new HttpAgent(options);
  }
  get #isSecure() {
    return this.#url.protocol === 'https:';
  }
  /** Opens a request; the caller writes the body and ends it. It times out when no byte moves for `upstreamSilenceMs`. */
  request({ method, path, headers }) {
    const open3 = this.#isSecure ? httpsRequest : httpRequest;
    return open3({
      protocol: this.#url.protocol,
      // URL keeps the brackets of an IPv6 address, which a connection must not have.
      hostname: this.#url.hostname.replace(/^\[|\]$/g, ''),
      port: this.#url.port,
      agent: this.#agent,
      timeout: LIMITS.upstreamSilenceMs,
      method,
      path: this.#url.pathname.replace(/\/$/, '') + path,
      headers,
    });
  }
  /** Closes the connections that are kept open. */
  close() {
    this.#agent.destroy();
  }
};

// packages/service-kit/src/http/create-app.ts
import { randomUUID } from 'node:crypto';
import express from 'express';

// packages/service-kit/src/http/route.ts
var Call = class {
  request;
  response;
  query;
  #principal;
  #resolveTenant;
  constructor(options) {
    this.request = options.request;
    this.response = options.response;
    this.query = Parameters.ofUrl(options.request.originalUrl);
    this.#principal = options.principal;
    this.#resolveTenant = options.resolveTenant;
  }
  /** Who asks. Only on routes that need somebody. */
  get principal() {
    assert(this.#principal !== null, 'a route that asks for its principal must need one');
    return this.#principal;
  }
  /** The tenant the request works in: the principal's own, or for an admin the one named by `tenant_id` (query or given here). */
  tenant(requested = this.query.text('tenant_id')) {
    return this.#resolveTenant(this.principal, requested);
  }
  /** A path parameter, percent-decoded. */
  pathParameter(name) {
    const value2 = this.request.params[name];
    assert(typeof value2 === 'string', `the path has no parameter ${name}`);
    return value2;
  }
  /** Answers JSON: an object that is printed here, or text that is JSON already. */
  json(status, body) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.response.status(status).setHeader('content-type', 'application/json; charset=utf-8');
    this.response.end(text);
  }
  /** Answers a status without a body. */
  empty(status) {
    this.response.status(status).end();
  }
};

// packages/service-kit/src/http/discard-body.ts
function discardBody(request) {
  if (request.complete || request.destroyed) return;
  const { socket } = request;
  let bytes = 0;
  const timer = setTimeout(() => socket.destroy(), LIMITS.discardMs);
  timer.unref();
  const stop = () => clearTimeout(timer);
  request.on('data', (chunk) => {
    bytes += chunk.length;
    if (bytes > LIMITS.discardedBytesMax) socket.destroy();
  });
  request.once('end', stop);
  socket.once('close', stop);
  request.resume();
}

// packages/service-kit/src/http/send-problem.ts
var RETRY_AFTER_S = 1;
function toProblem(error) {
  if (error instanceof Problem) return error;
  return problem(
    'internal',
    'The request could not be served. The log of the service says why.',
    {},
    error,
  );
}
function problemBody(failure, { edge, context }) {
  return JSON.stringify(problemToWire(failure, edge, context));
}
function sendProblem(response, failure, where) {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = problemBody(failure, where);
  response.statusCode = failure.status;
  response.setHeader('content-type', PROBLEM_CONTENT_TYPE);
  response.setHeader('content-length', Buffer.byteLength(body));
  if (failure.status === 401) response.setHeader('www-authenticate', 'Bearer realm="allsource"');
  if (failure.status === 503) response.setHeader('retry-after', RETRY_AFTER_S);
  discardBody(response.req);
  response.end(body);
}

// packages/service-kit/src/http/create-app.ts
var REQUEST_ID = /^[\w.:-]{1,128}$/;
function createApp(options) {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.use(setCommonHeaders);
  for (const route2 of options.routes) mountRoute(app, route2, options);
  app.use((request) => {
    throw unknownRoute(request, [...options.routes, ...(options.servedInFront ?? [])]);
  });
  app.use((error, request, response, _next) => {
    answerError(error, { request, response, options });
  });
  return app;
}
function setCommonHeaders(request, response, next) {
  const given = request.headers['x-request-id'];
  response.setHeader(
    'x-request-id',
    typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID(),
  );
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('cache-control', 'no-store');
  next();
}
function mountRoute(app, route2, options) {
  const method = route2.method.toLowerCase();
  app[method](route2.path, async (request, response) => {
    options.metrics.observe(request, response, route2.path);
    const principal = options.guard(request, route2.needs);
    await route2.handle(
      new Call({ request, response, principal, resolveTenant: options.resolveTenant }),
    );
  });
}
function unknownRoute(request, routes) {
  const others = routes
    .filter((route2) => pathMatches(route2.path, request.path))
    .map((route2) => route2.method);
  if (others.length > 0) {
    return problem(
      'method_not_allowed',
      `${request.method} is not offered here; allowed: ${others.join(', ')}.`,
      { allowed: others },
    );
  }
  return problem('route_not_found', `There is no ${request.method} ${request.path}.`);
}
function pathMatches(pattern, path) {
  const parts = pattern.split('/');
  const given = path.split('/');
  return (
    parts.length === given.length &&
    parts.every((part, i) => part.startsWith(':') || part === given[i])
  );
}
function answerError(error, { request, response, options }) {
  const failure = toProblem(
    isBadPath(error)
      ? problem('invalid_parameter', 'The path is not validly percent-encoded.')
      : error,
  );
  if (failure.code === 'internal')
    options.logger.error({ err: failure.cause, path: request.path }, 'request failed');
  const traceId = String(response.getHeader('x-request-id'));
  sendProblem(response, failure, {
    edge: options.edge,
    context: { instance: request.path, traceId },
  });
}
function isBadPath(error) {
  return error instanceof URIError;
}

// packages/service-kit/src/http/guard.ts
import { timingSafeEqual } from 'node:crypto';
function createGuard({ authenticator, internalToken }) {
  return (request, needs) => {
    if (needs === 'public') return null;
    if (needs === 'internal') {
      requireInternal(request, internalToken);
      return null;
    }
    const outcome = authenticator.authenticate(request.headers);
    if (outcome.kind === 'refused') throw outcome.problem;
    if (needs === 'authenticated' || isPermitted(outcome.principal, needs))
      return outcome.principal;
    throw problem(
      'forbidden',
      `This needs the permission '${needs}', which the role '${outcome.principal.role}' does not have.`,
      {
        permission: needs,
        role: outcome.principal.role,
      },
    );
  };
}
function requireInternal(request, internalToken) {
  const presented = request.headers[INTERNAL_TOKEN_HEADER];
  if (
    internalToken !== null &&
    typeof presented === 'string' &&
    isEqualSecret(presented, internalToken)
  )
    return;
  throw problem('unauthenticated', 'This route serves only the services of this store.');
}
function isEqualSecret(left, right) {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.length === b.length && timingSafeEqual(a, b);
}

// packages/service-kit/src/http/health-routes.ts
function healthRoutes(options) {
  const readiness = () =>
    options.checks.map((check) => ({ name: check.name, fault: check.fault() }));
  return [
    {
      method: 'GET',
      path: '/livez',
      needs: 'public',
      summary: 'The process runs.',
      handle: (call) => call.json(200, { status: 'alive' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      needs: 'public',
      summary: 'The service can serve; lists its checks.',
      handle: (call) => {
        const checks = readiness();
        const ready = checks.every((check) => check.fault === null);
        call.json(ready ? 200 : 503, {
          status: ready ? 'ready' : 'not_ready',
          checks: checks.map(({ name, fault: fault2 }) => ({
            name,
            ok: fault2 === null,
            ...(fault2 === null ? {} : { detail: fault2 }),
          })),
        });
      },
    },
    {
      method: 'GET',
      path: '/health',
      needs: 'public',
      summary: 'Health in the form that AllSource SDKs read.',
      handle: (call) => {
        const faults = readiness().filter((check) => check.fault !== null);
        const healthy = faults.length === 0;
        call.json(healthy ? 200 : 503, {
          status: healthy ? 'healthy' : 'unhealthy',
          service: options.service,
          version: options.version,
          timestamp: /* @__PURE__ */ new Date().toISOString(),
          ...(healthy
            ? {}
            : { error: faults.map((check) => `${check.name}: ${check.fault}`).join('; ') }),
          ...options.extra?.(),
        });
      },
    },
  ];
}

// packages/service-kit/src/http/listen.ts
var IDLE_SWEEP_MS = 20;
function listen(server, options) {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenFault(error, options)));
    server.listen(options.port, options.host, () => resolve(server.address().port));
  });
}
function listenFault(error, { host, port, portSetting: portSetting2 }) {
  if (error.code === 'EADDRINUSE') {
    return new ConfigError([
      `${portSetting2} is ${port}, and something listens on ${host}:${port} already. Stop it or choose another port.`,
    ]);
  }
  if (error.code === 'EACCES')
    return new ConfigError([`${portSetting2} is ${port}, which this user may not listen on.`]);
  return error;
}
async function closeServer(server, graceMs) {
  if (!server.listening) return;
  const closed2 = new Promise((resolve) => server.close(() => resolve()));
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed2;
  clearInterval(sweep);
  clearTimeout(timer);
}

// packages/service-kit/src/http/long-requests.ts
import { STATUS_CODES } from 'node:http';
var TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
var STATUS_BY_CODE = {
  [TIMED_OUT]: 408,
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
};
var longRequests = /* @__PURE__ */ new WeakSet();
function allowLongRequest(request) {
  const { socket } = request;
  longRequests.add(socket);
  request.once('close', () => longRequests.delete(socket));
}
function allowLongRequests(server) {
  server.on('clientError', (error, socket) => {
    if (error.code === TIMED_OUT && longRequests.has(socket)) return;
    if (error.code !== 'ECONNRESET' && socket.writable) {
      const status = STATUS_BY_CODE[error.code ?? ''] ?? 400;
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r
Connection: close\r
\r
`);
    }
    socket.destroy(error);
  });
}

// packages/service-kit/src/http/read-body.ts
import { isUtf8 } from 'node:buffer';

// packages/shared/src/json/raw-members.ts
function rawMembers(text) {
  const scanner = new JsonScanner(text, LIMITS.jsonDepthMax);
  scanner.skipWhitespace();
  if (scanner.peek() !== 123) return null;
  const members = /* @__PURE__ */ new Map();
  const buffer = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  scanner.visitObject(0, (key) => {
    const start = scanner.at;
    scanner.skipValue(1);
    members.set(key, buffer.toString('utf8', start, scanner.at));
  });
  return members;
}
function formatRawMembers(members) {
  const parts = [];
  for (const [key, value2] of members) parts.push(`${JSON.stringify(key)}:${value2}`);
  return `{${parts.join(',')}}`;
}

// packages/service-kit/src/http/read-body.ts
async function readBody(request, bytesMax) {
  const parts = await readBodyParts(request, bytesMax);
  return parts.length === 1 ? parts[0] : Buffer.concat(parts);
}
async function readBodyParts(request, bytesMax) {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > bytesMax) throw bodyTooLarge2(bytesMax);
  const encoding = request.headers['content-encoding'];
  if (encoding !== void 0 && encoding !== 'identity') {
    throw problem(
      'unsupported_media_type',
      `Content-Encoding '${encoding}' is not accepted; send the body as it is.`,
    );
  }
  return collect(request, bytesMax);
}
function collect(request, bytesMax) {
  const chunks = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (chunk) => {
      bytes += chunk.length;
      if (bytes > bytesMax) reject(bodyTooLarge2(bytesMax));
      else chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks));
    request.once('error', reject);
    request.once('close', () => {
      if (!request.readableEnded) reject(requestCutOff());
    });
  });
}
function requestCutOff() {
  return problem('malformed_json', 'The request ended before its body did.');
}
function bodyTooLarge2(bytesMax) {
  return problem(
    'body_too_large',
    `The body is over the limit of ${bytesMax} bytes. Send fewer events at a time.`,
    {
      limit_bytes: bytesMax,
    },
  );
}
function requireJson(request) {
  const type = request.headers['content-type'];
  if (type === void 0 || /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) return;
  throw problem(
    'unsupported_media_type',
    `Content-Type '${type}' is not accepted here; send application/json.`,
    {
      accepted: ['application/json'],
    },
  );
}
var NDJSON = /^application\/(?:x-ndjson|ndjson|jsonl)\s*(?:;|$)/i;
function isNdjson(request) {
  return NDJSON.test(request.headers['content-type'] ?? '');
}
function requireWellFormedJson(body) {
  if (!isUtf8(body)) throw problem('malformed_json', 'The body is not valid UTF-8.');
  const scanner = new JsonScanner(body, LIMITS.jsonDepthMax);
  try {
    scanner.skipWhitespace();
    scanner.skipValue();
    scanner.expectEnd();
  } catch (error) {
    throw jsonProblem(error);
  }
}
function jsonProblem(error) {
  if (!(error instanceof JsonSyntaxError)) return error;
  if (error.tooDeep) {
    return problem('json_too_deep', `The body nests deeper than ${LIMITS.jsonDepthMax} levels.`, {
      limit_depth: LIMITS.jsonDepthMax,
      offset: error.offset,
    });
  }
  return problem('malformed_json', `The body is not JSON: ${error.message}.`, {
    offset: error.offset,
  });
}
async function readJsonObject(request, bytesMax) {
  requireJson(request);
  const body = await readBody(request, bytesMax);
  requireWellFormedJson(body);
  const parsed = JSON.parse(body.toString('utf8'));
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  throw problem('invalid_body', 'The body must be a JSON object.');
}

// packages/service-kit/src/observability/http-metrics.ts
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';
var DURATION_BUCKETS_S = [5e-4, 1e-3, 25e-4, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
var HttpMetrics = class {
  registry = new Registry();
  #requests;
  #duration;
  constructor(prefix) {
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: `${prefix}_http_requests_total`,
      help: 'HTTP requests answered.',
      labelNames: ['method', 'route', 'status'],
      registers: [this.registry],
    });
    this.#duration = new Histogram({
      name: `${prefix}_http_request_duration_seconds`,
      help: 'Time from the arrival of a request to its last byte.',
      labelNames: ['method', 'route'],
      buckets: DURATION_BUCKETS_S,
      registers: [this.registry],
    });
  }
  /** Counts a request when its answer ends. `route` is the path pattern, never the path: labels stay few. */
  observe(request, response, route2) {
    const startedAt = performance.now();
    const method = request.method ?? 'UNKNOWN';
    response.once('close', () => {
      const durationMs = performance.now() - startedAt;
      this.count({ method, route: route2, status: response.statusCode, durationMs });
    });
  }
  /** Counts a request that was answered. `route` is the path pattern. */
  count(request) {
    const { method, route: route2, status, durationMs } = request;
    this.#requests.inc({ method, route: route2, status });
    this.#duration.observe({ method, route: route2 }, durationMs / 1e3);
  }
};

// packages/service-kit/src/observability/logger.ts
import { pino } from 'pino';
function createLogger(service, level) {
  return pino(
    {
      name: service,
      level,
      base: { service },
      redact: [
        '*.authorization',
        '*["x-api-key"]',
        '*["x-allsource-internal-token"]',
        'headers.authorization',
        'headers["x-api-key"]',
      ],
    },
    pino.destination({ dest: 2, sync: true }),
  );
}

// services/query/src/gateway/upgrade-proxy.ts
var STREAM_PATH = '/api/v1/events/stream';
var STREAM_PATHS = /* @__PURE__ */ new Set([STREAM_PATH, '/api/events/stream']);
var UpgradeProxy = class {
  #options;
  constructor(options) {
    this.#options = options;
  }
  /** Takes over a connection that asks for an upgrade. `head` holds bytes that came behind the handshake. */
  handle(request, client, head) {
    client.on('error', (error) => {
      this.#options.logger.debug({ err: error }, 'a live connection broke');
    });
    try {
      this.#open(request, client, head);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      refuse(client, problemToWire(error, 'gateway', contextOf(request)), error.status);
    }
  }
  #open(request, client, head) {
    const url = request.url ?? '';
    const [path = '', query] = url.split('?', 2);
    if (!STREAM_PATHS.has(path)) throw problem('route_not_found', `There is no stream at ${path}.`);
    requireFirstHop(request.headers);
    const release = this.#options.live.admit(() => client.destroy());
    client.once('close', release);
    const handshake = this.#options.core.request({
      method: 'GET',
      path: query === void 0 ? STREAM_PATH : `${STREAM_PATH}?${query}`,
      headers: {
        ...requestHeadersOnward(request.headers),
        ...forwardedBy('gateway'),
        connection: 'Upgrade',
        upgrade: request.headers.upgrade ?? 'websocket',
      },
    });
    client.once('close', () => handshake.destroy());
    this.#await(handshake, { request, client, head });
    handshake.end();
  }
  #await(handshake, { request, client, head }) {
    const { logger } = this.#options;
    handshake.once('timeout', () => handshake.destroy());
    handshake.once('error', (error) => {
      logger.debug({ err: error }, 'a live connection could not be opened');
      const failure = problem(
        'upstream_unavailable',
        "The service 'core' does not answer. Connect again shortly.",
      );
      refuse(client, problemToWire(failure, 'gateway', contextOf(request)), failure.status);
    });
    handshake.once('response', (answer2) => void relayRefusal(answer2, { request, client }));
    handshake.once('upgrade', (answer2, core, early) => {
      handshake.setTimeout(0);
      client.write(handshakeText(answer2));
      if (early.length > 0) client.write(early);
      if (head.length > 0) core.write(head);
      join4(client, core);
    });
  }
};
function join4(client, core) {
  client.pipe(core);
  core.pipe(client);
  for (const [one, other] of [
    [client, core],
    [core, client],
  ]) {
    one.once('error', () => other.destroy());
    one.once('close', () => other.destroy());
  }
}
function handshakeText(answer2) {
  const lines = [`HTTP/1.1 ${answer2.statusCode} ${answer2.statusMessage}`];
  for (let i = 0; i < answer2.rawHeaders.length; i += 2)
    lines.push(`${answer2.rawHeaders[i]}: ${answer2.rawHeaders[i + 1]}`);
  return `${lines.join('\r\n')}\r
\r
`;
}
async function relayRefusal(answer2, { request, client }) {
  const status = answer2.statusCode ?? 502;
  const chunks = [];
  let bytes = 0;
  try {
    for await (const chunk of answer2) {
      bytes += chunk.length;
      if (bytes > LIMITS.upstreamErrorBytesMax) break;
      chunks.push(chunk);
    }
  } catch {}
  const text = Buffer.concat(chunks).toString('utf8');
  refuse(client, gatewayErrorBody(status, text, contextOf(request)), status);
}
function contextOf(request) {
  return { instance: (request.url ?? '').split('?', 1)[0] ?? '' };
}
function refuse(client, body, status) {
  if (client.destroyed || !client.writable) return;
  const text = JSON.stringify(body);
  client.end(
    `HTTP/1.1 ${status} Refused\r
content-type: application/problem+json\r
content-length: ${Buffer.byteLength(text)}\r
connection: close\r
\r
${text}`,
  );
}

// services/query/src/observability/query-metrics.ts
import { Counter as Counter2, Gauge, Histogram as Histogram2 } from 'prom-client';
var DURATION_BUCKETS_S2 = [5e-4, 1e-3, 25e-4, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
var QueryMetrics = class {
  #queries;
  #queryDuration;
  #folded;
  #foldDuration;
  #forwarded;
  #registry;
  constructor(registry) {
    this.#registry = registry;
    const registers = [registry];
    this.#queries = new Counter2({
      name: 'allsource_queries_total',
      help: 'Reads answered by this service, by route.',
      labelNames: ['query_type'],
      registers,
    });
    this.#queryDuration = new Histogram2({
      name: 'allsource_query_duration_seconds',
      help: 'Time to answer a read, by route.',
      labelNames: ['query_type'],
      buckets: DURATION_BUCKETS_S2,
      registers,
    });
    this.#folded = new Counter2({
      name: 'allsource_projection_events_processed_total',
      help: 'Events folded into the projections.',
      registers,
    });
    this.#foldDuration = new Histogram2({
      name: 'allsource_projection_processing_duration_seconds',
      help: 'Time to fold and commit one portion of events.',
      buckets: DURATION_BUCKETS_S2,
      registers,
    });
    this.#forwarded = new Counter2({
      name: 'allsource_gateway_forwarded_total',
      help: 'Requests forwarded, by the service behind and how it went.',
      labelNames: ['upstream', 'outcome'],
      registers,
    });
  }
  /** Adds what is read at the moment of a scrape. Called once, when the stores are there. */
  watch(gauges) {
    defineGauges(this.#registry, gauges);
  }
  countQuery(queryType, durationMs) {
    this.#queries.inc({ query_type: queryType });
    this.#queryDuration.observe({ query_type: queryType }, durationMs / 1e3);
  }
  countFolded(eventCount, durationMs) {
    this.#folded.inc(eventCount);
    this.#foldDuration.observe(durationMs / 1e3);
  }
  countForwarded(upstream, outcome) {
    this.#forwarded.inc({ upstream, outcome });
  }
};
function defineGauges(registry, gauges) {
  const { stores, liveConnections, projectionCount } = gauges;
  const registers = [registry];
  const storeGauge = (name, help, read) =>
    new Gauge({
      name,
      help,
      labelNames: ['store'],
      registers,
      collect() {
        for (const store of stores) this.set({ store: store.name }, read(store));
      },
    });
  storeGauge('allsource_applied_position', 'Position a read store is true at.', (store) => {
    return store.status().appliedPosition;
  });
  storeGauge('allsource_lag_events', 'Events of the log a read store lacks.', (store) => {
    const { appliedPosition, knownHead } = store.status();
    return knownHead - appliedPosition;
  });
  storeGauge('allsource_follower_fault', '1 while a read store cannot follow the log.', (store) =>
    store.status().fault === null ? 0 : 1,
  );
  const gauge = (name, help, read) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  gauge('allsource_memory_bytes', 'Resident memory of the process.', () =>
    process.memoryUsage.rss(),
  );
  gauge('allsource_projections_total', 'Projections kept.', () => projectionCount);
  gauge('allsource_websocket_connections_active', 'Live connections carried.', liveConnections);
}

// services/query/src/observability/tenant-rates.ts
var WINDOW_S = 10;
var TENANTS_MAX = 1e4;
var TenantRates = class {
  #byTenant = /* @__PURE__ */ new Map();
  /** Counts something that happened at `atMs`. What is older than the window leaves no trace. */
  add(tenant, count, atMs) {
    const second = Math.floor(atMs / 1e3);
    const seconds = this.#secondsOf(tenant, second);
    if (second <= seconds.latest - WINDOW_S) return;
    moveTo(seconds, second);
    const slot = second % WINDOW_S;
    seconds.counts[slot] = (seconds.counts[slot] ?? 0) + count;
  }
  /** The mean over the window that ends at `nowMs`, per second. */
  perSecond(tenant, nowMs) {
    const seconds = this.#byTenant.get(tenant);
    if (seconds === void 0) return 0;
    moveTo(seconds, Math.floor(nowMs / 1e3));
    return seconds.counts.reduce((sum, count) => sum + count, 0) / WINDOW_S;
  }
  #secondsOf(tenant, second) {
    const known = this.#byTenant.get(tenant);
    if (known !== void 0) return known;
    if (this.#byTenant.size >= TENANTS_MAX) this.#forgetIdle(second);
    const fresh = { latest: second, counts: new Float64Array(WINDOW_S) };
    this.#byTenant.set(tenant, fresh);
    return fresh;
  }
  #forgetIdle(second) {
    for (const [tenant, { latest }] of this.#byTenant)
      if (latest <= second - WINDOW_S) this.#byTenant.delete(tenant);
  }
};
function moveTo(seconds, second) {
  const steps2 = Math.min(second - seconds.latest, WINDOW_S);
  for (let step = 0; step < steps2; step++) seconds.counts[(second - step) % WINDOW_S] = 0;
  if (steps2 > 0) seconds.latest = second;
}

// services/query/src/projections/entity-snapshots.ts
var Snapshot = class {
  #members;
  #bytes;
  constructor(members) {
    this.#members = members;
    this.#bytes = 0;
    for (const [name, value2] of members ?? []) this.#bytes += name.length + value2.length;
  }
  add(event) {
    const members = this.#members;
    if (members === null) return;
    for (const [name, value2] of rawMembers(event.payload) ?? []) {
      const before = members.get(name);
      this.#bytes += value2.length + (before === void 0 ? name.length : -before.length);
      members.set(name, value2);
    }
    if (this.#bytes > LIMITS.entitySnapshotBytesMax) this.#members = null;
  }
  print() {
    return this.#members === null ? null : formatRawMembers(this.#members);
  }
};
var entitySnapshots = {
  number: 1,
  name: 'entity_snapshots',
  kind: 'entity_snapshot',
  title: 'Entity snapshots',
  description: 'The payloads of each entity merged in order: its current state.',
  keyOf: (event) => event.entity,
  isFirstOfKey: (event) => event.version === 1,
  open: (stored) =>
    new Snapshot(stored === null ? /* @__PURE__ */ new Map() : storedMembers(stored.state)),
};
function storedMembers(state) {
  return state === null ? null : rawMembers(Buffer.from(state));
}

// services/query/src/projections/event-counters.ts
var Counter3 = class {
  #count;
  constructor(count) {
    this.#count = count;
  }
  add() {
    this.#count += 1;
  }
  print() {
    return `{"count":${this.#count}}`;
  }
};
var eventCounters = {
  number: 2,
  name: 'event_counters',
  kind: 'event_counter',
  title: 'Event counters',
  description: 'Counts events by type.',
  keyOf: (event) => event.type,
  isFirstOfKey: () => false,
  open: (stored) => new Counter3(storedCount(stored?.state ?? null)),
};
function storedCount(state) {
  return state === null ? 0 : JSON.parse(state).count;
}

// services/query/src/projections/built-in.ts
var BUILT_IN_PROJECTIONS = [entitySnapshots, eventCounters];
function builtInProjection(name) {
  return BUILT_IN_PROJECTIONS.find((projection) => projection.name === name) ?? null;
}

// services/query/src/gateway/api-path.ts
var API_BASES = ['/api/v1', '/api'];
function versionedPath(originalUrl) {
  return pathOfTarget(originalUrl).replace(/^\/api\/(?!v1\/)/i, '/api/v1/');
}

// services/query/src/gateway/forwarded-routes.ts
var ACCEPTED = { okStatus: 201 };
var WHOLE_EVENTS = { ...ACCEPTED, headers: { prefer: 'return=representation' } };
var TO_CORE = [
  {
    method: 'POST',
    path: '/events',
    needs: 'write',
    summary: 'Append one event.',
    target: ACCEPTED,
  },
  {
    method: 'GET',
    path: '/events/stream',
    needs: 'read',
    summary: 'Live events over a WebSocket; a plain GET is told to upgrade.',
  },
  {
    method: 'GET',
    path: '/events/sse',
    needs: 'read',
    summary: 'Live events as server-sent events.',
    target: { isLive: true },
  },
  {
    method: 'POST',
    path: '/consumers',
    needs: 'write',
    summary: 'Registers a consumer or changes its filters; its cursor stays.',
  },
  {
    method: 'GET',
    path: '/consumers/:consumerId',
    needs: 'read',
    summary: 'A consumer: its filters and its cursor.',
  },
  {
    method: 'GET',
    path: '/consumers/:consumerId/events',
    needs: 'read',
    summary: 'The next events behind the cursor of a consumer; the cursor stays.',
  },
  {
    method: 'POST',
    path: '/consumers/:consumerId/ack',
    needs: 'write',
    summary: 'Records how far a consumer has come.',
  },
  {
    method: 'GET',
    path: '/auth/me',
    needs: 'authenticated',
    summary: 'Who the presented key or token stands for.',
  },
  {
    method: 'GET',
    path: '/auth/api-keys',
    needs: 'admin',
    summary: 'The API keys of the tenant.',
  },
  {
    method: 'POST',
    path: '/auth/api-keys',
    needs: 'admin',
    summary: 'Makes an API key; the answer is the only one that shows it.',
  },
  {
    method: 'DELETE',
    path: '/auth/api-keys/:keyId',
    needs: 'admin',
    summary: 'Revokes an API key.',
  },
  {
    method: 'POST',
    path: '/operations/verify',
    needs: 'admin',
    summary: 'Verifies the log up to its head; answers findings and a summary as NDJSON.',
    target: { isLive: true },
  },
  { method: 'GET', path: '/tenants', needs: 'manage_tenants', summary: 'All tenants.' },
  { method: 'POST', path: '/tenants', needs: 'manage_tenants', summary: 'Creates a tenant.' },
];
var METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
var TO_CONTROL_PLANE = [
  { path: '/audit', summary: 'The audit log.' },
  { path: '/policies', summary: 'Access policies.' },
  { path: '/config', summary: 'Settings that operators change.' },
  { path: '/cluster', summary: 'The state of the services.' },
  { path: '/operations', summary: 'Operations such as snapshots, replays and backups.' },
];
function forwardedRoutes(options) {
  return [...batchRoutes(options), ...coreRoutes(options), ...controlPlaneRoutes(options)];
}
function coreRoutes({ forwarder, core }) {
  return API_BASES.flatMap((base) =>
    TO_CORE.map(({ method, path, needs, summary, target }) => ({
      method,
      path: base + path,
      needs,
      summary,
      handle: (call) => forwardVersioned(forwarder, call, { ...target, upstream: core }),
    })),
  );
}
function batchRoutes({ forwarder, core }) {
  return API_BASES.map((base) => {
    const target = { ...(base === '/api' ? WHOLE_EVENTS : ACCEPTED), upstream: core };
    return {
      method: 'POST',
      path: `${base}/events/batch`,
      needs: 'write',
      summary: 'Append a batch of events, all or nothing; or lines of them, group by group.',
      handle: (call) => {
        if (!isNdjson(call.request)) return forwardVersioned(forwarder, call, target);
        allowLongRequest(call.request);
        return forwardVersioned(forwarder, call, { upstream: core, isUnbounded: true });
      },
    };
  });
}
function controlPlaneRoutes({ forwarder, controlPlane }) {
  const handle = (call) => {
    if (controlPlane !== null) return forwardVersioned(forwarder, call, { upstream: controlPlane });
    throw problem(
      'not_available',
      'The control plane serves this, and this gateway knows none. Set CONTROL_PLANE_URL.',
    );
  };
  return TO_CONTROL_PLANE.flatMap(({ path, summary }) =>
    METHODS.map((method) => {
      return { method, path: `/api/v1${path}{/*below}`, needs: 'admin', summary, handle };
    }),
  );
}
function forwardVersioned(forwarder, call, target) {
  return forwarder.forward(call, { path: versionedPath(call.request.originalUrl), ...target });
}

// services/query/src/gateway/unavailable-routes.ts
var UNAVAILABLE_FEATURES = [
  {
    feature: 'Changing and creating projections',
    routes: [
      'POST /projections',
      'DELETE /projections/:name',
      'POST /projections/:name/reset',
      'POST /projections/:name/pause',
      'POST /projections/:name/start',
      'POST /projections/:name/stop',
      'POST /projections/:name/rebuild',
      'GET /projection-templates',
    ],
  },
  {
    feature: 'Snapshots',
    routes: ['POST /snapshots', 'GET /snapshots', 'GET /snapshots/:entityId/latest'],
  },
  {
    feature: 'Schemas',
    routes: [
      'POST /schemas/validate',
      'POST /schemas',
      'GET /schemas',
      'GET /schemas/:subject/versions',
      'PUT /schemas/:subject/compatibility',
      'GET /schemas/:subject',
      'GET /schema-evolution/stats',
      'GET /schema-evolution/history/:eventType',
      'GET /schema-evolution/schema/:eventType',
    ],
  },
  {
    feature: 'Replay',
    routes: [
      'POST /replay/preview',
      'POST /replay',
      'GET /replay',
      'POST /replay/:replayId/cancel',
      'GET /replay/:replayId',
      'DELETE /replay/:replayId',
    ],
  },
  {
    feature: 'Pipelines',
    routes: [
      'GET /pipelines/stats',
      'POST /pipelines',
      'GET /pipelines',
      'GET /pipelines/:pipelineId/stats',
      'PUT /pipelines/:pipelineId/reset',
      'GET /pipelines/:pipelineId',
      'DELETE /pipelines/:pipelineId',
    ],
  },
  {
    feature: 'Statistical analytics',
    routes: [
      'GET /analytics/percentiles',
      'GET /analytics/stddev',
      'GET /analytics/sliding-window',
      'GET /analytics/session-window',
      'GET /analytics/cache/stats',
    ],
  },
  { feature: 'Compaction', routes: ['POST /compaction/trigger', 'GET /compaction/stats'] },
  {
    feature: 'Logging in with a password',
    needs: 'public',
    routes: ['POST /auth/register', 'POST /auth/login'],
  },
  {
    feature: 'Users and sessions',
    routes: ['GET /auth/users', 'DELETE /auth/users/:userId', 'POST /auth/logout'],
  },
  {
    feature: 'The older form of API keys',
    routes: ['GET /api-keys', 'POST /api-keys', 'DELETE /api-keys/:keyId'],
  },
  {
    feature: 'Changing tenants, their usage and their quotas',
    routes: [
      'GET /tenants/:tenantId',
      'PUT /tenants/:tenantId',
      'DELETE /tenants/:tenantId',
      'PATCH /tenants/:tenantId/metadata',
      'PUT /tenants/:tenantId/quotas',
      'PUT /tenants/:tenantId/schema-enforcement',
      'POST /tenants/:tenantId/activate',
      'POST /tenants/:tenantId/deactivate',
      'POST /tenants/:tenantId/suspend',
      'POST /tenants/:tenantId/usage/increment',
      'GET /tenants/:tenantId/stats',
      'GET /tenant',
      'GET /tenant/usage',
      'GET /tenant/audit-logs',
    ],
  },
  {
    feature: 'Webhooks',
    routes: [
      'POST /webhooks',
      'GET /webhooks',
      'GET /webhooks/:webhookId/deliveries',
      'GET /webhooks/:webhookId',
      'PUT /webhooks/:webhookId',
      'DELETE /webhooks/:webhookId',
    ],
  },
  { feature: 'The query language', routes: ['POST /query', 'POST /query/projected'] },
  {
    feature: 'Prime projections',
    routes: [
      'GET /prime/projections',
      'POST /prime/projections',
      'POST /prime/nodes/:nodeId/project',
      'GET /prime/nodes/:nodeId/fields/:field/provenance',
    ],
  },
  {
    feature: 'Backups over HTTP',
    routes: [
      'POST /backups',
      'GET /backups',
      'POST /backups/:backupId/verify',
      'POST /backups/:backupId/restore',
      'GET /backups/:backupId',
      'DELETE /backups/:backupId',
    ],
  },
  {
    feature: 'An API document',
    needs: 'public',
    routes: ['GET /openapi', 'GET /docs'],
  },
];
function unavailableRoutes() {
  return UNAVAILABLE_FEATURES.flatMap(({ feature, needs = 'authenticated', routes }) =>
    routes.flatMap((route2) => {
      const [method, path] = route2.split(' ');
      const summary = `Not available: ${feature}.`;
      const handle = () => refuse2(feature);
      return API_BASES.map((base) => {
        return { method, path: base + path, needs, summary, handle };
      });
    }),
  );
}
function refuse2(feature) {
  const members = { feature };
  throw problem(
    'not_available',
    `This version of the store does not serve this: ${feature}.`,
    members,
  );
}

// services/query/src/analytics/scan.ts
import { setImmediate as nextTurn } from 'node:timers/promises';
async function scan(history, selection, visit) {
  for (const match of history.matches(selection)) {
    visit(match);
    await nextTurn();
  }
}
function addTo(counts, key, count) {
  counts.set(key, (counts.get(key) ?? 0) + count);
}

// services/query/src/analytics/correlation.ts
var EXAMPLES_MAX = 5;
async function eventCorrelation(history, question) {
  const { selection, typeA, typeB, windowMicros } = question;
  const ofA = await timesByEntity(history, { ...selection, type: typeA });
  const ofB = await timesByEntity(history, { ...selection, type: typeB });
  const examples = [];
  let pairCount = 0;
  let distanceSum = 0;
  for (const [entity, timesA] of ofA.times) {
    for (const { a, b } of nearestPairs(timesA, ofB.times.get(entity) ?? [])) {
      const distance = Math.abs(a - b);
      if (distance > windowMicros) continue;
      pairCount += 1;
      distanceSum += distance / 1e6;
      if (examples.length < EXAMPLES_MAX) examples.push({ entity, a, b });
    }
  }
  return {
    event_type_a: typeA,
    event_type_b: typeB,
    total_a: ofA.total,
    total_b: ofB.total,
    correlated_pairs: pairCount,
    correlation_percentage: ofA.total === 0 ? 0 : (pairCount / ofA.total) * 100,
    avg_time_between_seconds: pairCount === 0 ? 0 : distanceSum / pairCount,
    examples: examples.map(({ entity, a, b }) => ({
      entity_id: entity,
      event_a_timestamp: formatTimestamp(a),
      event_b_timestamp: formatTimestamp(b),
      time_between_seconds: Math.abs(a - b) / 1e6,
    })),
  };
}
async function timesByEntity(history, selection) {
  const times = /* @__PURE__ */ new Map();
  let total = 0;
  await scan(history, selection, ({ run, rows }) => {
    total += rows.length;
    requireFewEvents(total, selection.type ?? '');
    for (const row2 of rows) {
      const entity = run.source.entityName(run.source.entities[row2]);
      const timestamp = run.source.timestamps[row2];
      const ofEntity = times.get(entity);
      if (ofEntity === void 0) times.set(entity, [timestamp]);
      else ofEntity.push(timestamp);
    }
  });
  for (const ofEntity of times.values()) ofEntity.sort((left, right) => left - right);
  return { times, total };
}
function requireFewEvents(total, type) {
  const limit = LIMITS.correlationEventsMax;
  if (total <= limit) return;
  throw problem(
    'invalid_parameter',
    `More than ${limit} events of type '${type}' match; at most ${limit} are weighed. Name a shorter range.`,
    { parameter: 'since', limit },
  );
}
function* nearestPairs(as, bs) {
  let at2 = 0;
  for (const a of as) {
    const distance = (index) => Math.abs((bs[index] ?? Number.POSITIVE_INFINITY) - a);
    while (at2 + 1 < bs.length && distance(at2 + 1) <= distance(at2)) at2 += 1;
    const b = bs[at2];
    if (b !== void 0) yield { a, b };
  }
}

// services/query/src/analytics/time-grid.ts
var WINDOWS = ['minute', 'hour', 'day', 'week', 'month'];
var DAY_MICROS = 864e8;
var STEP_MICROS = {
  minute: 6e7,
  hour: 36e8,
  day: DAY_MICROS,
  week: 7 * DAY_MICROS,
};
var FIRST_MONDAY_MICROS = 4 * DAY_MICROS;
var THIRTY_DAYS_MICROS = 30 * DAY_MICROS;
function timeGrid(options) {
  const { window, since } = options;
  if (window !== 'month') return steps(STEP_MICROS[window], truncated(since, window));
  const first = monthNumber(since);
  if (options.monthStep === '30d') return steps(THIRTY_DAYS_MICROS, monthStart(first));
  return {
    indexOf: (instant) => monthNumber(instant) - first,
    startOf: (index) => monthStart(first + index),
  };
}
function truncated(instant, window) {
  const origin = window === 'week' ? FIRST_MONDAY_MICROS : 0;
  const step = STEP_MICROS[window];
  return micros(Math.floor((instant - origin) / step) * step + origin);
}
function steps(stepMicros, start) {
  return {
    indexOf: (instant) => Math.floor((instant - start) / stepMicros),
    startOf: (index) => micros(start + index * stepMicros),
  };
}
function monthNumber(instant) {
  const date = new Date(Math.floor(instant / 1e3));
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}
function monthStart(month) {
  const start = /* @__PURE__ */ new Date(0);
  start.setUTCFullYear(Math.floor(month / 12), month % 12, 1);
  return micros(start.getTime() * 1e3);
}

// services/query/src/analytics/frequency.ts
async function eventFrequency(history, question) {
  const { since, until, now, window } = question;
  const grid = timeGrid({ window, since, monthStep: question.monthStep });
  requireFewBuckets(grid.indexOf(until ?? now) + 1, window);
  const tally = new Tally(grid);
  const selection = { ...question.selection, since, until: until ?? void 0 };
  await scan(history, selection, (match) => tally.add(match));
  const end = until ?? Math.max(now, tally.latest);
  const bucketCount = tally.total === 0 ? 0 : grid.indexOf(end) + 1;
  return {
    buckets: Array.from({ length: bucketCount }, (_, index) => {
      const types = tally.buckets.get(index) ?? /* @__PURE__ */ new Map();
      const count = [...types.values()].reduce((sum, ofType) => sum + ofType, 0);
      const timestamp = formatTimestamp(grid.startOf(index));
      return { timestamp, count, event_types: Object.fromEntries(types) };
    }),
    total_events: tally.total,
    window,
    time_range: { from: formatTimestamp(since), to: formatTimestamp(end) },
  };
}
var Tally = class {
  buckets = /* @__PURE__ */ new Map();
  total = 0;
  latest = 0;
  #grid;
  #cells = 0;
  constructor(grid) {
    this.#grid = grid;
  }
  /** Counts the rows of one run by numbers first: names are looked up once for each bucket and type, not once for each event. */
  add({ run, rows }) {
    const { timestamps, types, typeNames } = run.source;
    const counts = /* @__PURE__ */ new Map();
    for (const row2 of rows) {
      const timestamp = timestamps[row2];
      addTo(counts, this.#grid.indexOf(timestamp) * typeNames.length + types[row2], 1);
      if (timestamp > this.latest) this.latest = timestamp;
    }
    this.total += rows.length;
    for (const [cell, count] of counts) {
      const type = typeNames[cell % typeNames.length];
      addTo(this.#bucket(Math.floor(cell / typeNames.length), type), type, count);
    }
  }
  #bucket(index, type) {
    const bucket = this.buckets.get(index) ?? /* @__PURE__ */ new Map();
    this.buckets.set(index, bucket);
    if (!bucket.has(type)) requireFewCells(++this.#cells);
    return bucket;
  }
};
function requireFewBuckets(bucketCount, window) {
  const limit = LIMITS.analyticsBucketsMax;
  if (bucketCount <= limit) return;
  throw problem(
    'invalid_parameter',
    `This range holds ${bucketCount} buckets of one ${window}; at most ${limit} are answered. Choose a larger window or a shorter range.`,
    { parameter: 'window', bucket_count: bucketCount, limit },
  );
}
function requireFewCells(cells) {
  const limit = LIMITS.analyticsCellsMax;
  if (cells <= limit) return;
  throw problem(
    'invalid_parameter',
    `This answer would hold more than ${limit} counts (event types times buckets). Name an event_type, a larger window or a shorter range.`,
    { parameter: 'window', limit },
  );
}

// services/query/src/analytics/summary.ts
var TOP_MAX = 10;
async function eventSummary(history, selection) {
  const tally = new Tally2();
  await scan(history, selection, (match) => tally.add(match));
  const { total, types, entities, first, last } = tally;
  const from = selection.since ?? first;
  const to = selection.until ?? last;
  return {
    total_events: total,
    unique_entities: entities.size,
    unique_event_types: types.size,
    time_range: { from: formatted(from), to: formatted(to) },
    events_per_day: total / daysBetween(from, to),
    top_event_types: top(types, total).map(([event_type, rank]) => ({ event_type, ...rank })),
    top_entities: top(entities, total).map(([entity_id, rank]) => ({ entity_id, ...rank })),
    first_event: formatted(first),
    last_event: formatted(last),
  };
}
var Tally2 = class {
  types = /* @__PURE__ */ new Map();
  entities = /* @__PURE__ */ new Map();
  total = 0;
  first = null;
  last = null;
  /** Counts the rows of one run by numbers first: a name is looked up once for each run, not once for each event. */
  add({ run, rows }) {
    const { source } = run;
    const byType = new Uint32Array(source.typeNames.length);
    const byEntity = /* @__PURE__ */ new Map();
    for (const row2 of rows) {
      const type = source.types[row2];
      byType[type] = byType[type] + 1;
      addTo(byEntity, source.entities[row2], 1);
      const timestamp = source.timestamps[row2];
      if (this.first === null || timestamp < this.first) this.first = timestamp;
      if (this.last === null || timestamp > this.last) this.last = timestamp;
    }
    this.total += rows.length;
    for (const [type, count] of byType.entries())
      if (count > 0) addTo(this.types, source.typeNames[type], count);
    for (const [entity, count] of byEntity) addTo(this.entities, source.entityName(entity), count);
  }
};
function formatted(instant) {
  return instant === null ? null : formatTimestamp(instant);
}
function daysBetween(from, to) {
  return from === null || to === null ? 1 : Math.max(1, (to - from) / DAY_MICROS);
}
function top(counts, total) {
  const best = [];
  for (const row2 of counts) {
    const last = best[TOP_MAX - 1];
    if (last !== void 0 && compareRows(row2, last) >= 0) continue;
    const place = best.findIndex((other) => compareRows(row2, other) < 0);
    best.splice(place === -1 ? best.length : place, 0, row2);
    best.length = Math.min(best.length, TOP_MAX);
  }
  return best.map(([name, count]) => [name, { count, percentage: (count / total) * 100 }]);
}
function compareRows(left, right) {
  if (left[1] !== right[1]) return right[1] - left[1];
  return left[0] < right[0] ? -1 : 1;
}

// services/query/src/http/analytics-routes.ts
var SECONDS_MAX = 100 * 366 * 86400;
function analyticsRoutes(options) {
  return ['/api/v1/analytics', '/api/analytics'].flatMap((base) => [
    {
      method: 'GET',
      path: `${base}/frequency`,
      needs: 'read',
      summary: 'Event counts in buckets of a minute, an hour, a day, a week or a month.',
      handle: (call) => answerFrequency(call, options),
    },
    {
      method: 'GET',
      path: `${base}/summary`,
      needs: 'read',
      summary: 'Event counts by type and by entity.',
      handle: (call) => answerSummary(call, options),
    },
    {
      method: 'GET',
      path: `${base}/correlation`,
      needs: 'read',
      summary: 'How often events of two types come near each other on the same entity.',
      handle: (call) => answerCorrelation(call, options),
    },
  ]);
}
async function answerFrequency(call, options) {
  const since = required(call.query.timestamp('since'), 'since');
  const window = required(call.query.choice('window', WINDOWS), 'window');
  const monthStep = call.query.choice('month_step', ['calendar', '30d']) ?? 'calendar';
  const selection = { ...(await admitted(call, options)), ...names(call) };
  const now = options.clock.nowMicros();
  const until = selection.until ?? null;
  const question = { selection, window, monthStep, since, until, now };
  call.json(200, await eventFrequency(options.history, question));
}
async function answerSummary(call, options) {
  const selection = { ...(await admitted(call, options)), ...names(call) };
  call.json(200, await eventSummary(options.history, selection));
}
async function answerCorrelation(call, options) {
  const typeA = requiredType(call, 'event_type_a');
  const typeB = requiredType(call, 'event_type_b');
  if (typeA === typeB) {
    throw problem('invalid_parameter', 'event_type_a and event_type_b must be two types.', {
      parameter: 'event_type_b',
    });
  }
  const seconds = required(
    call.query.integer('time_window_seconds', { min: 0, max: SECONDS_MAX }),
    'time_window_seconds',
  );
  const selection = await admitted(call, options);
  const windowMicros = seconds * 1e6;
  call.json(
    200,
    await eventCorrelation(options.history, { selection, typeA, typeB, windowMicros }),
  );
}
async function admitted(call, { gate }) {
  const tenant = call.tenant();
  const since = call.query.timestamp('since') ?? void 0;
  const until = call.query.timestamp('until') ?? void 0;
  if (since !== void 0 && until !== void 0 && until < since) {
    throw problem('invalid_parameter', "'until' lies before 'since'.", { parameter: 'until' });
  }
  const untilPosition = await gate.admit(call);
  return { tenant, since, until, untilPosition };
}
function names(call) {
  return {
    entity: call.query.text('entity_id') ?? void 0,
    type: call.query.text('event_type') ?? void 0,
  };
}
function required(value2, name) {
  if (value2 !== null) return value2;
  throw problem('invalid_parameter', `The parameter '${name}' is missing.`, { parameter: name });
}
function requiredType(call, name) {
  const type = call.query.requiredText(name);
  const fault2 = eventTypeFault(type);
  if (fault2 !== null) throw problem('invalid_parameter', fault2, { parameter: name });
  return type;
}

// services/query/src/reads/read-gate.ts
var POSITION_HEADER = 'x-allsource-position';
var ReadGate = class {
  #options;
  constructor(options) {
    this.#options = options;
  }
  /**
   * Waits until the store is as new as the caller asks for. Returns the position it is true at, and says it in the answer's header. Throws
   * `read_behind` when that takes too long and `upstream_unavailable` when core does not answer.
   */
  async admit(call) {
    const wanted = await this.#wantedPosition(call);
    if (wanted !== null && this.#options.store.appliedPosition < wanted) await this.#await(wanted);
    return stampPosition(call, this.#options.store.appliedPosition);
  }
  /** The position the caller has to see; null when any will do. */
  async #wantedPosition(call) {
    const consistency = call.query.choice('consistency', ['strong', 'eventual']);
    const minimum = call.query.integer('min_position', { min: 0, max: Number.MAX_SAFE_INTEGER });
    if (minimum !== null) return position(minimum);
    return consistency === 'eventual' ? null : this.#options.follower.coreHead();
  }
  async #await(wanted) {
    const { follower, store, waitMs } = this.#options;
    if (await follower.waitFor(wanted, waitMs)) return;
    const { appliedPosition } = store;
    throw problem(
      'read_behind',
      `The read store is at position ${appliedPosition} and did not reach ${wanted} within ${waitMs} ms. Try again, or read what is there with consistency=eventual.`,
      {
        applied_position: appliedPosition,
        wanted_position: wanted,
        lag: wanted - appliedPosition,
        waited_ms: waitMs,
      },
    );
  }
};
function stampPosition(call, appliedPosition) {
  call.response.setHeader(POSITION_HEADER, String(appliedPosition));
  return appliedPosition;
}

// services/query/src/reads/window-parameters.ts
function windowParameters(call) {
  return {
    limit: call.query.integer('limit', { min: 0, max: LIMITS.pageEventsMax }),
    offset: call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
  };
}
function hasMoreBehind(window, rows, total) {
  return window.offset + rows < total;
}

// services/query/src/http/catalog-routes.ts
function catalogRoutes(options) {
  return API_BASES.flatMap((base) => [
    {
      method: 'GET',
      path: `${base}/streams`,
      needs: 'read',
      summary: 'Streams, the one with the newest activity first.',
      handle: (call) => answerStreams(call, options),
    },
    {
      method: 'GET',
      path: `${base}/event-types`,
      needs: 'read',
      summary: 'Event types, the most used first.',
      handle: (call) => answerEventTypes(call, options),
    },
  ]);
}
async function answerStreams(call, options) {
  const tenant = call.tenant();
  const window = windowParameters(call);
  await options.gate.admit(call);
  const { rows, total } = options.catalog.tenant(tenant).entities('desc', window);
  const streams = rows.map(({ entity, eventCount, lastTimestamp }) => ({
    stream_id: entity,
    event_count: eventCount,
    last_event_at: formatTimestamp(lastTimestamp),
  }));
  answerPage(call, options, { name: 'streams', page: { rows: streams, total } });
}
async function answerEventTypes(call, options) {
  const tenant = call.tenant();
  const window = windowParameters(call);
  await options.gate.admit(call);
  const { rows, total } = options.catalog.tenant(tenant).types(window);
  const types = rows.map(({ type, eventCount, lastTimestamp }) => ({
    event_type: type,
    event_count: eventCount,
    last_event_at: formatTimestamp(lastTimestamp),
  }));
  answerPage(call, options, { name: 'event_types', page: { rows: types, total } });
}
function answerPage(call, { history }, { name, page }) {
  const { rows, total } = page;
  const position2 = stampPosition(call, history.appliedPosition);
  const rowsText = JSON.stringify(rows);
  const hasMore = hasMoreBehind(windowParameters(call), rows.length, total);
  call.json(
    200,
    `{"${name}":${rowsText},"data":${rowsText},"count":${rows.length},"total":${total},"has_more":${hasMore},"position":${position2}}`,
  );
}

// services/query/src/http/counted-reads.ts
function countedReads(routes, { metrics, rates, clock }) {
  return routes.map((route2) => {
    if (route2.needs !== 'read') return route2;
    return {
      ...route2,
      handle: async (call) => {
        const startedAt = performance.now();
        await route2.handle(call);
        metrics.countQuery(route2.path, performance.now() - startedAt);
        rates.add(call.principal.tenantId, 1, clock.nowMicros() / 1e3);
      },
    };
  });
}

// services/query/src/reads/event-output.ts
var NULL = Buffer.from('null');
function writeEvent(writer, event) {
  const { beforePayload, beforeMetadata, afterMetadata } = eventJsonPieces(event);
  writer.text('{');
  writer.text(beforePayload);
  writer.bytes(event.payload());
  writer.text(beforeMetadata);
  writer.bytes(event.metadata() ?? NULL);
  writer.text(afterMetadata);
  writer.text(`,"position":${event.position}}`);
}
async function writeList(writer, list2, writeElement) {
  writer.text(list2.head);
  let isFirst = true;
  for (const element of list2.elements) {
    if (!isFirst) writer.text(',');
    isFirst = false;
    writeElement(writer, element);
    if (writer.isFull && !(await writer.flush())) return;
  }
  writer.text(list2.tail);
  writer.end();
}

// services/query/src/reads/json-writer.ts
import { setImmediate as nextTurn2 } from 'node:timers/promises';
var BUFFER_BYTES = 128 * 1024;
var BYTES_A_UNIT_MAX = 3;
var JsonWriter = class {
  #response;
  #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #length = 0;
  /** Writes to a response on which nothing was sent yet. */
  constructor(response) {
    this.#response = response;
  }
  /** True when it is time to flush. */
  get isFull() {
    return this.#length >= BUFFER_BYTES / 2;
  }
  text(text) {
    this.#reserve(text.length * BYTES_A_UNIT_MAX);
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
  }
  /** Writes bytes that are JSON text in UTF-8. */
  bytes(bytes) {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }
  #reserve(bytes) {
    const wanted = this.#length + bytes;
    if (wanted <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
  /** Sends what was collected and waits until the reader can take more. Returns false when there is no reader any more. */
  async flush() {
    const response = this.#response;
    if (response.destroyed) return false;
    if (!response.headersSent) this.#writeHead();
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.allocUnsafe(BUFFER_BYTES);
    this.#length = 0;
    if (response.write(bytes)) await nextTurn2();
    else await drained(response);
    return !response.destroyed;
  }
  /** Ends the answer. */
  end() {
    const bytes = this.#buffer.subarray(0, this.#length);
    if (!this.#response.headersSent) this.#writeHead(bytes.length);
    this.#response.end(bytes);
  }
  #writeHead(length) {
    this.#response.setHeader('content-type', 'application/json; charset=utf-8');
    if (length !== void 0) this.#response.setHeader('content-length', length);
    this.#response.statusCode = 200;
  }
};
function drained(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

// services/query/src/reads/read-duplicates.ts
import { setImmediate as nextTurn4 } from 'node:timers/promises';

// services/query/src/history/entity-hash.ts
var FNV_OFFSET = 2166136261;
var FNV_PRIME = 16777619;
function tenantSeed(tenant) {
  const bytes = Buffer.from(tenant);
  return Math.imul(fnv1a(FNV_OFFSET, bytes, { start: 0, end: bytes.length }), FNV_PRIME);
}
function entityHash(seed, bytes, range) {
  const h = fnv1a(seed, bytes, range);
  const a = Math.imul(h ^ (h >>> 16), 2246822507);
  const b = Math.imul(a ^ (a >>> 13), 3266489909);
  return (b ^ (b >>> 16)) >>> 0;
}
function fnv1a(seed, bytes, { start, end }) {
  let h = seed;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i], FNV_PRIME);
  return h;
}
var DIGIT_BITS = 11;
var DIGITS = 1 << DIGIT_BITS;
function sortedOrder(hashes) {
  const { length } = hashes;
  let order = new Uint32Array(length);
  let next = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    const starts = digitStarts(hashes, shift);
    for (let i = 0; i < length; i++) {
      const index = order[i];
      const digit = (hashes[index] >>> shift) & (DIGITS - 1);
      const place = starts[digit];
      next[place] = index;
      starts[digit] = place + 1;
    }
    [order, next] = [next, order];
  }
  return order;
}
function digitStarts(hashes, shift) {
  const starts = new Uint32Array(DIGITS + 1);
  for (let i = 0; i < hashes.length; i++) {
    const digit = (hashes[i] >>> shift) & (DIGITS - 1);
    starts[digit + 1] = starts[digit + 1] + 1;
  }
  for (let i = 1; i <= DIGITS; i++) starts[i] = starts[i] + starts[i - 1];
  return starts;
}

// services/query/src/history/name-table.ts
var NAMES_FIRST = 64;
var BYTES_A_NAME = 16;
var EMPTY = -1;
var NOT_FOUND = -1;
var NameTable = class {
  /** Number to hash. */
  hashes = new Uint32Array(NAMES_FIRST);
  /** Number to owner. */
  owners = new Uint32Array(NAMES_FIRST);
  /** Number to the end of the name in `bytes`; it begins where the one before ends. */
  ends = new Uint32Array(NAMES_FIRST);
  /** The names in UTF-8, end to end. */
  bytes = Buffer.alloc(NAMES_FIRST * BYTES_A_NAME);
  /** Open addressing: hash to number. At most half full. */
  #slots = new Int32Array(NAMES_FIRST * 2).fill(EMPTY);
  #count = 0;
  get count() {
    return this.#count;
  }
  /** The number of a name, a new one if it has none. */
  numberOf(name) {
    const slot = this.#slotOf(name);
    const known = this.#slots[slot];
    if (known !== EMPTY) return known;
    const number = this.#add(name);
    if (number * 2 >= this.#slots.length) this.#grow();
    else this.#slots[slot] = number;
    return number;
  }
  /** The number of a name; -1 when it has none. */
  find(name) {
    const number = this.#slots[this.#slotOf(name)];
    return number === EMPTY ? NOT_FOUND : number;
  }
  /** A name as text. */
  name(number) {
    return this.bytes.toString('utf8', this.#start(number), this.ends[number]);
  }
  #start(number) {
    return number === 0 ? 0 : this.ends[number - 1];
  }
  /** The slot that holds the name, or the empty one where it belongs. */
  #slotOf(name) {
    const mask = this.#slots.length - 1;
    let slot = name.hash & mask;
    for (;;) {
      const number = this.#slots[slot];
      if (number === EMPTY || this.#isName(number, name)) return slot;
      slot = (slot + 1) & mask;
    }
  }
  #isName(number, { bytes, start, end, hash: hash2, owner }) {
    if (this.hashes[number] !== hash2 || this.owners[number] !== owner) return false;
    const from = this.#start(number);
    const length = end - start;
    if (this.ends[number] - from !== length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[from + i] !== bytes[start + i]) return false;
    return true;
  }
  #add({ bytes, start, end, hash: hash2, owner }) {
    const number = this.#count++;
    const from = this.#start(number);
    const to = from + end - start;
    if (to > this.bytes.length) this.bytes = grown(this.bytes, Buffer.alloc(to * 2));
    for (let i = start; i < end; i++) this.bytes[from + i - start] = bytes[i];
    if (number >= this.hashes.length) {
      const capacity = this.hashes.length * 2;
      this.hashes = grown(this.hashes, new Uint32Array(capacity));
      this.owners = grown(this.owners, new Uint32Array(capacity));
      this.ends = grown(this.ends, new Uint32Array(capacity));
    }
    this.hashes[number] = hash2;
    this.owners[number] = owner;
    this.ends[number] = to;
    return number;
  }
  #grow() {
    this.#slots = new Int32Array(this.#slots.length * 4).fill(EMPTY);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.#count; number++) {
      let slot = this.hashes[number] & mask;
      while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      this.#slots[slot] = number;
    }
  }
};
function grown(from, to) {
  to.set(from);
  return to;
}

// services/query/src/catalog/sorted-window.ts
var KEPT_MIN = 1024;
function sortedWindow(count, compare, { offset, limit }) {
  const end = limit === null ? count : Math.min(count, offset + limit);
  if (offset >= end) return new Uint32Array(0);
  const candidates = end * 4 < count ? firstCandidates(count, compare, end) : allIndices(count);
  return candidates.sort(compare).slice(offset, end);
}
function allIndices(count) {
  const indices = new Uint32Array(count);
  for (let i = 0; i < count; i++) indices[i] = i;
  return indices;
}
function firstCandidates(count, compare, wanted) {
  const kept = new Uint32Array(Math.max(KEPT_MIN, wanted * 2));
  let length = 0;
  let worst = -1;
  for (let i = 0; i < count; i++) {
    if (worst !== -1 && compare(i, worst) > 0) continue;
    kept[length++] = i;
    if (length < kept.length) continue;
    kept.sort(compare);
    length = wanted;
    worst = kept[wanted - 1];
  }
  return kept.subarray(0, length);
}

// services/query/src/catalog/entity-tally.ts
var CAPACITY_FIRST = 64;
var EntityTally = class {
  #names = new NameTable();
  #counts = new Uint32Array(CAPACITY_FIRST);
  #lastTypes = new Uint32Array(CAPACITY_FIRST);
  #lastTimestamps = new Float64Array(CAPACITY_FIRST);
  #lastPositions = new Float64Array(CAPACITY_FIRST);
  get size() {
    return this.#names.count;
  }
  /** The number of an entity of a run, a new one if it has none. */
  numberOf(source, entity) {
    const known = this.size;
    const number = this.#names.numberOf({
      bytes: source.entityNames,
      start: entity === 0 ? 0 : source.entityNameEnds[entity - 1],
      end: source.entityNameEnds[entity],
      hash: source.entityHashes[entity],
      owner: 0,
    });
    if (number < known) return number;
    if (number >= this.#counts.length) this.#grow();
    this.#lastTimestamps[number] = Number.NEGATIVE_INFINITY;
    return number;
  }
  #grow() {
    const capacity = this.#counts.length * 2;
    const counts = new Uint32Array(capacity);
    const lastTypes = new Uint32Array(capacity);
    const lastTimestamps = new Float64Array(capacity);
    const lastPositions = new Float64Array(capacity);
    counts.set(this.#counts);
    lastTypes.set(this.#lastTypes);
    lastTimestamps.set(this.#lastTimestamps);
    lastPositions.set(this.#lastPositions);
    this.#counts = counts;
    this.#lastTypes = lastTypes;
    this.#lastTimestamps = lastTimestamps;
    this.#lastPositions = lastPositions;
  }
  /** Counts an event of an entity number. */
  count(entity, event) {
    this.#counts[entity] = this.#counts[entity] + 1;
    if (event.timestamp < this.#lastTimestamps[entity]) return;
    this.#lastTypes[entity] = event.type;
    this.#lastTimestamps[entity] = event.timestamp;
    this.#lastPositions[entity] = event.position;
  }
  /** How many events of an entity were counted. */
  eventCount(tenant, entity) {
    const bytes = Buffer.from(entity);
    const range = { start: 0, end: bytes.length };
    const hash2 = entityHash(tenantSeed(tenant), bytes, range);
    const number = this.#names.find({ ...range, bytes, hash: hash2, owner: 0 });
    return number === -1 ? 0 : this.#counts[number];
  }
  /** Entities by the time of their last event, of equal times by their id, which always ascends. */
  page(order, bounds, typeName2) {
    const sign = order === 'asc' ? 1 : -1;
    const times = this.#lastTimestamps;
    const names2 = this.#names;
    const compare = (a, b) =>
      sign * (times[a] - times[b]) || (a === b ? 0 : compareTexts(names2.name(a), names2.name(b)));
    const numbers = sortedWindow(this.size, compare, bounds);
    return Array.from(numbers, (number) => this.#entry(number, typeName2));
  }
  /** All entities, in the order in which they first came. */
  *entries(typeName2) {
    for (let number = 0; number < this.size; number++) yield this.#entry(number, typeName2);
  }
  #entry(number, typeName2) {
    return {
      entity: this.#names.name(number),
      eventCount: this.#counts[number],
      lastType: typeName2(this.#lastTypes[number]),
      lastTimestamp: micros(this.#lastTimestamps[number]),
      lastPosition: position(this.#lastPositions[number]),
    };
  }
};
function compareTexts(a, b) {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

// services/query/src/history/dictionary.ts
var Dictionary = class {
  names = [];
  #numbers = /* @__PURE__ */ new Map();
  /** The number of a text, a new one if it has none. */
  numberOf(name) {
    const known = this.#numbers.get(name);
    if (known !== void 0) return known;
    this.#numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }
  /** The number of a text; -1 when it has none. */
  find(name) {
    return this.#numbers.get(name) ?? -1;
  }
  name(number) {
    return must(this.names[number], 'a number of the dictionary');
  }
};

// services/query/src/catalog/type-tally.ts
var TypeTally = class {
  #types = new Dictionary();
  #counts = [];
  #lastTimestamps = [];
  get size() {
    return this.#types.names.length;
  }
  /** The number of a type, a new one if it has none. */
  numberOf(type) {
    const number = this.#types.numberOf(type);
    this.#counts[number] ??= 0;
    this.#lastTimestamps[number] ??= Number.NEGATIVE_INFINITY;
    return number;
  }
  name(type) {
    return this.#types.name(type);
  }
  /** Counts an event of a type number. */
  count(type, timestamp) {
    this.#counts[type]++;
    if (timestamp > this.#lastTimestamps[type]) this.#lastTimestamps[type] = timestamp;
  }
  /** Types by their number of events, the most used first, of equal ones by name. */
  page(bounds) {
    const counts = this.#counts;
    const { names: names2 } = this.#types;
    const compare = (a, b) => counts[b] - counts[a] || compareTexts(names2[a], names2[b]);
    return Array.from(sortedWindow(this.size, compare, bounds), (number) => ({
      type: this.name(number),
      eventCount: counts[number],
      lastTimestamp: micros(this.#lastTimestamps[number]),
    }));
  }
};

// services/query/src/catalog/tenant-catalog.ts
function countedColumns(source) {
  const { entities, types, timestamps, positions } = source;
  return { entities, types, timestamps, positions };
}
var TenantCatalog = class {
  #tenant;
  #entities = new EntityTally();
  #types = new TypeTally();
  #eventCount = 0;
  constructor(tenant) {
    this.#tenant = tenant;
  }
  get eventCount() {
    return this.#eventCount;
  }
  get entityCount() {
    return this.#entities.size;
  }
  get typeCount() {
    return this.#types.size;
  }
  /** How many events an entity has, which is its version. */
  entityEventCount(entity) {
    return this.#entities.eventCount(this.#tenant, entity);
  }
  /** Entities by the time of their last event; of equal times, by their id ascending. */
  entities(order, bounds) {
    const rows = this.#entities.page(order, bounds, (type) => this.#types.name(type));
    return { rows, total: this.#entities.size };
  }
  /** All entities, in the order of their first event. */
  everyEntity() {
    return this.#entities.entries((type) => this.#types.name(type));
  }
  /** Types, the most used first; of equal ones, by name. */
  types(bounds) {
    return { rows: this.#types.page(bounds), total: this.#types.size };
  }
  /** Begins to count rows of a source. */
  counter(source) {
    const numbers = [];
    const typeNumbers = [];
    return (row2, { entities, types, timestamps, positions }) => {
      const entity = entities[row2];
      const type = types[row2];
      const entityNumber = (numbers[entity] ??= this.#entities.numberOf(source, entity));
      const typeNumber = (typeNumbers[type] ??= this.#types.numberOf(typeName(source, type)));
      const timestamp = timestamps[row2];
      const position2 = source.firstPosition + positions[row2];
      this.#entities.count(entityNumber, { type: typeNumber, timestamp, position: position2 });
      this.#types.count(typeNumber, timestamp);
      this.#eventCount++;
    };
  }
};
function typeName(source, type) {
  return must(source.typeNames[type], 'a type of the run');
}

// services/query/src/reads/visit-matches.ts
import { setImmediate as nextTurn3 } from 'node:timers/promises';
var ROWS_A_TURN = 262144;
var PAYLOADS_A_TURN = 2048;
async function visitMatches(history, { selection, payloadFilter }, visit) {
  let scanned = 0;
  for (const match of history.matches(selection)) {
    if (payloadFilter === null) visit(match);
    else await visitFiltered(match, payloadFilter, visit);
    scanned += match.run.rowCount;
    if (scanned < ROWS_A_TURN) continue;
    scanned = 0;
    await nextTurn3();
  }
}
async function visitFiltered({ run, rows }, filter, visit) {
  for (let start = 0; start < rows.length; start += PAYLOADS_A_TURN) {
    if (start > 0) await nextTurn3();
    const passed = rows
      .subarray(start, start + PAYLOADS_A_TURN)
      .filter((row2) => filter.matches(run.source.payload(row2)));
    if (passed.length > 0) visit({ run, rows: passed });
  }
}

// services/query/src/reads/read-entities.ts
async function readEntities(store, wanted) {
  const isFiltered = wanted.typePrefix !== null || wanted.payloadFilter !== null;
  const counts = isFiltered
    ? await countEvents(store.history, wanted)
    : store.catalog.tenant(wanted.tenant);
  return counts.entities(wanted.order, wanted.window);
}
async function countEvents(history, { tenant, typePrefix, payloadFilter, untilPosition }) {
  const counts = new TenantCatalog(tenant);
  const selection = { tenant, typePrefix: typePrefix ?? void 0, untilPosition };
  let current = null;
  await visitMatches(history, { selection, payloadFilter }, ({ run, rows }) => {
    if (current?.run !== run) current = { run, count: counts.counter(run.source) };
    const columns = countedColumns(run.source);
    for (const row2 of rows) current.count(row2, columns);
  });
  return counts;
}

// services/query/src/reads/read-duplicates.ts
var PAYLOADS_A_TURN2 = 2048;
var NULL2 = 'null';
async function readDuplicates(history, wanted) {
  const counts = await countEvents(history, wanted);
  const entries = [...counts.everyEntity()].sort((a, b) => a.lastPosition - b.lastPosition);
  const groups = /* @__PURE__ */ new Map();
  for (const [i, entry] of entries.entries()) {
    addToGroup(groups, entry.entity, latestMembers(history, wanted, entry));
    if (i % PAYLOADS_A_TURN2 === PAYLOADS_A_TURN2 - 1) await nextTurn4();
  }
  const found = [...groups.values()].filter((group) => group.entities.length > 1).map(closed);
  const compare = (a, b) => compareGroups(found[a], found[b]);
  const numbers = sortedWindow(found.length, compare, wanted.window);
  return {
    rows: Array.from(numbers, (number) => must(found[number], 'a group')),
    total: found.length,
  };
}
function latestMembers(history, { tenant, groupBy }, entry) {
  const event = must(history.eventAt(tenant, entry.lastPosition), 'the event that was counted');
  const members = rawMembers(event.payload());
  return new Map(groupBy.map((name) => [name, members?.get(name) ?? NULL2]));
}
function addToGroup(groups, entity, key) {
  const id = [...key.values()].map((raw) => canonicalJson(Buffer.from(raw))).join('\n');
  const group = groups.get(id);
  if (group === void 0) {
    groups.set(id, { entities: [entity], firstEntity: entity, key });
    return;
  }
  group.entities.push(entity);
  if (compareTexts(entity, group.firstEntity) > 0) return;
  group.firstEntity = entity;
  group.key = key;
}
function closed({ entities, key }) {
  return { key, entities: entities.sort(compareTexts) };
}
function compareGroups(a, b) {
  const [left, right] = [must(a, 'a group'), must(b, 'a group')];
  return (
    right.entities.length - left.entities.length ||
    compareTexts(left.entities[0], right.entities[0])
  );
}

// services/query/src/reads/read-entity-state.ts
function readEntityState(history, wanted) {
  const { tenant, entity, asOf, untilPosition } = wanted;
  const selection = { tenant, entity, untilPosition, until: asOf ?? void 0 };
  const events = [...history.select(selection)];
  const lastEvent = events.at(-1);
  if (lastEvent === void 0) return null;
  const members = /* @__PURE__ */ new Map();
  for (const event of events) {
    for (const [name, value2] of rawMembers(event.payload()) ?? []) members.set(name, value2);
  }
  return { events, lastEvent, members };
}

// services/query/src/http/entity-routes.ts
function entityRoutes(options) {
  return API_BASES.flatMap((base) => [
    {
      method: 'GET',
      path: `${base}/entities`,
      needs: 'read',
      summary: 'Entities by the time of their last event.',
      handle: (call) => answerEntities(call, options),
    },
    {
      method: 'GET',
      path: `${base}/entities/duplicates`,
      needs: 'read',
      summary: 'Entities whose latest events agree in some payload fields.',
      handle: (call) => answerDuplicates(call, options),
    },
    {
      method: 'GET',
      path: `${base}/entities/:entityId/state`,
      needs: 'read',
      summary: 'The state of an entity, now or as of an instant, with its history.',
      handle: (call) => answerState(call, options),
    },
  ]);
}
async function answerEntities(call, options) {
  const tenant = call.tenant();
  const order = call.query.choice('order', ['asc', 'desc'], orderFault2) ?? 'desc';
  const typePrefix = call.query.text('event_type_prefix');
  const filterText = call.query.text('payload_filter');
  const payloadFilter = filterText === null ? null : new PayloadFilter(filterText);
  const window = windowParameters(call);
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const wanted = { tenant, order, typePrefix, payloadFilter, window, untilPosition };
  const page = await readEntities(options, wanted);
  const hasMore = hasMoreBehind(window, page.rows.length, page.total);
  const list2 = {
    head: '{"entities":[',
    elements: page.rows,
    tail: `],"total":${page.total},"has_more":${hasMore},"position":${untilPosition}}`,
  };
  await writeList(new JsonWriter(call.response), list2, writeEntity);
}
function orderFault2(value2) {
  return `invalid 'order' value ${quoted(value2)}: expected 'asc' or 'desc'`;
}
function writeEntity(writer, entry) {
  writer.text(
    JSON.stringify({
      entity_id: entry.entity,
      event_count: entry.eventCount,
      last_event_type: entry.lastType,
      last_event_at: formatTimestamp(entry.lastTimestamp),
    }),
  );
}
async function answerDuplicates(call, options) {
  const tenant = call.tenant();
  const typePrefix = call.query.requiredText('event_type_prefix');
  const groupBy = fieldNames(call.query.requiredText('group_by'));
  const window = windowParameters(call);
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const wanted = { tenant, typePrefix, payloadFilter: null, groupBy, window, untilPosition };
  const page = await readDuplicates(options.history, wanted);
  const hasMore = hasMoreBehind(window, page.rows.length, page.total);
  const list2 = {
    head: '{"duplicates":[',
    elements: page.rows,
    tail: `],"total":${page.total},"has_more":${hasMore},"position":${untilPosition}}`,
  };
  await writeList(new JsonWriter(call.response), list2, writeGroup);
}
function fieldNames(text) {
  const names2 = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names2.length > 0 && names2.length <= LIMITS.filtersMax) return [...new Set(names2)];
  throw problem(
    'invalid_parameter',
    `'group_by' names ${names2.length} fields; allowed are 1 to ${LIMITS.filtersMax} names of payload fields, joined by commas.`,
    { parameter: 'group_by' },
  );
}
function writeGroup(writer, { key, entities }) {
  const ids = JSON.stringify(entities);
  writer.text(`{"key":${formatRawMembers(key)},"entity_ids":${ids},"count":${entities.length}}`);
}
async function answerState(call, options) {
  const tenant = call.tenant();
  const entity = call.pathParameter('entityId');
  const asOf = call.query.timestamp('as_of');
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const state = readEntityState(options.history, { tenant, entity, asOf, untilPosition });
  if (state === null) {
    const when = asOf === null ? '' : ` at or before ${formatTimestamp(asOf)}`;
    throw problem('entity_not_found', `The entity ${quoted(entity)} has no events${when}.`);
  }
  const asOfText = asOf === null ? null : formatTimestamp(asOf);
  const list2 = {
    head: `{"entity_id":${JSON.stringify(entity)},${stateMembers(state)},"as_of":${JSON.stringify(asOfText)},"current_state":${formatRawMembers(state.members)},"history":[`,
    elements: state.events,
    tail: `],"position":${untilPosition}}`,
  };
  await writeList(new JsonWriter(call.response), list2, writeHistoryEntry);
}
function stateMembers({ events, lastEvent }) {
  const lastUpdated = formatTimestamp(lastEvent.timestamp);
  return `"last_updated":"${lastUpdated}","event_count":${events.length},"version":${lastEvent.version}`;
}
function writeHistoryEntry(writer, event) {
  const timestamp = formatTimestamp(event.timestamp);
  writer.text(
    `{"event_id":"${event.id}","type":"${event.type}","timestamp":"${timestamp}","version":${event.version},"payload":`,
  );
  writer.bytes(event.payload());
  writer.text('}');
}

// services/query/src/http/projection-routes.ts
var BULK_BODY_BYTES_MAX = 4 * 1024 * 1024;
var ONE = '/:name/:entityId/state';
var SAVES = 'Saves the state of an entity.';
var TABLE = [
  {
    method: 'GET',
    path: '',
    needs: 'read',
    summary: 'The projections of the store.',
    handle: list,
  },
  { method: 'GET', path: '/:name', needs: 'read', summary: 'One projection.', handle: describe },
  {
    method: 'GET',
    path: '/:name/state',
    needs: 'read',
    summary: 'The states of a projection by key.',
    handle: listStates,
  },
  {
    method: 'POST',
    path: '/:name/bulk',
    needs: 'read',
    summary: 'The states of some keys.',
    handle: readSome,
  },
  {
    method: 'POST',
    path: '/:name/bulk/save',
    needs: 'write',
    summary: 'Saves states of several entities.',
    handle: save,
  },
  {
    method: 'GET',
    path: ONE,
    needs: 'read',
    summary: 'The state of one entity.',
    handle: readOne2,
  },
  { method: 'PUT', path: ONE, needs: 'write', summary: SAVES, handle: save },
  { method: 'POST', path: ONE, needs: 'write', summary: SAVES, handle: save },
];
function projectionRoutes(options) {
  return API_BASES.map((base) => `${base}/projections`).flatMap((base) =>
    TABLE.map(({ method, path, needs, summary, handle }) => ({
      method,
      path: base + path,
      needs,
      summary,
      handle: (call) => handle(call, options),
    })),
  );
}
function list(call, options) {
  const rows = BUILT_IN_PROJECTIONS.map((projection) => row(projection, options));
  call.json(200, { projections: rows, total: rows.length, data: rows, count: rows.length });
}
function describe(call, options) {
  const name = call.pathParameter('name');
  const projection = builtInProjection(name);
  if (projection === null) {
    throw problem('not_found', `There is no projection '${name}' of the store itself.`);
  }
  const described = row(projection, options);
  call.json(200, { ...described, found: true, data: described });
}
function row(projection, options) {
  const createdAt = formatTimestamp(micros(options.createdMs() * 1e3));
  return {
    id: projection.name,
    name: projection.name,
    title: projection.title,
    type: projection.kind,
    kind: projection.kind,
    status: options.hasCaughtUp() ? 'running' : 'rebuilding',
    version: 1,
    description: projection.description,
    definition: projection.description,
    initial_state: {},
    created_at: createdAt,
    updated_at: createdAt,
    position: options.projections.appliedPosition,
  };
}
async function readOne2(call, options) {
  const projection = builtInProjection(call.pathParameter('name'));
  if (projection === null) return await options.toCore(call);
  await answerOne(call, projection, { ...options, key: call.pathParameter('entityId') });
}
async function answerOne(call, projection, { projections, gate, key }) {
  const tenant = call.tenant();
  await gate.admit(call);
  stampPosition(call, projections.appliedPosition);
  const stored = projections.state(projection, tenant, key);
  const { name, kind: kind2 } = projection;
  call.json(
    200,
    `{"projection":"${name}","entity_id":${JSON.stringify(key)},"kind":"${kind2}","status":"running","state":${stored === null ? 'null' : keptState(stored)},"found":${stored !== null}}`,
  );
}
function keptState(stored) {
  if (stored.state !== null) return stored.state;
  const limit = LIMITS.entitySnapshotBytesMax;
  throw problem(
    'payload_too_large',
    `The state of '${stored.key}' has passed ${limit} bytes and is not kept. Fold its events instead.`,
    { entity_id: stored.key, limit_bytes: limit },
  );
}
async function listStates(call, options) {
  const projection = builtInProjection(call.pathParameter('name'));
  if (projection === null) return await options.toCore(call);
  const key = call.query.text('entity_id');
  if (key !== null) return await answerOne(call, projection, { ...options, key });
  const tenant = call.tenant();
  const limit =
    call.query.integer('limit', { min: 0, max: LIMITS.bulkStatesMax }) ?? LIMITS.pageEventsDefault;
  const offset = call.query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
  const keyPrefix = call.query.text('entity_id_prefix') ?? '';
  await options.gate.admit(call);
  const page = { projection, tenant, keyPrefix, limit, offset };
  const { states, total, position: position2 } = await options.projections.list(page);
  stampPosition(call, position2);
  call.json(
    200,
    `{"projection":"${projection.name}","states":[${states.map(stateJson).join(',')}],"count":${states.length},"total":${total},"has_more":${offset + states.length < total}}`,
  );
}
function stateJson({ key, state }) {
  const tooLarge = state === null ? ',"too_large":true' : '';
  return `{"entity_id":${JSON.stringify(key)},"state":${state ?? 'null'}${tooLarge}}`;
}
async function readSome(call, options) {
  const projection = builtInProjection(call.pathParameter('name'));
  if (projection === null) return await options.toCore(call);
  const tenant = call.tenant();
  const body = await readJsonObject(call.request, BULK_BODY_BYTES_MAX);
  const keys = parseKeys(body['entity_ids']);
  const { gate, projections } = options;
  await gate.admit(call);
  stampPosition(call, projections.appliedPosition);
  const states = keys.map((key) => {
    const stored = projections.state(projection, tenant, key);
    const { state } = stored ?? { state: null };
    return `{"entity_id":${JSON.stringify(key)},"state":${state ?? 'null'},"found":${stored !== null}}`;
  });
  call.json(
    200,
    `{"projection":"${projection.name}","states":[${states.join(',')}],"total":${states.length}}`,
  );
}
function parseKeys(value2) {
  const limit = LIMITS.bulkStatesMax;
  if (Array.isArray(value2) && value2.length <= limit) {
    const keys = value2.filter((key) => typeof key === 'string');
    if (keys.length === value2.length) return keys;
  }
  throw problem('invalid_body', `'entity_ids' must be a list of at most ${limit} texts.`, {
    pointer: '/entity_ids',
    limit,
  });
}
async function save(call, options) {
  const projection = builtInProjection(call.pathParameter('name'));
  if (projection === null) return await options.toCore(call);
  throw problem(
    'invalid_parameter',
    `'${projection.name}' is a projection of the store itself and cannot be written to. Choose another name.`,
    { parameter: 'name' },
  );
}

// services/query/src/http/entity-snapshot-routes.ts
function entitySnapshotRoutes(options) {
  return API_BASES.map((base) => ({
    method: 'GET',
    path: `${base}/entities/:entityId/snapshot`,
    needs: 'read',
    summary: 'The current state of an entity.',
    handle: (call) => answer(call, options),
  }));
}
async function answer(call, { projections, gate }) {
  const tenant = call.tenant();
  const entity = call.pathParameter('entityId');
  await gate.admit(call);
  stampPosition(call, projections.appliedPosition);
  const stored = projections.state(entitySnapshots, tenant, entity);
  if (stored === null) {
    throw problem('entity_not_found', `The entity ${quoted(entity)} has no events.`);
  }
  call.json(
    200,
    `{"entity_id":${JSON.stringify(entity)},"snapshot":${keptState(stored)},"from_projection":"entity_snapshots"}`,
  );
}

// services/query/src/reads/answer-order.ts
function windowNumbers(found, order, bounds) {
  if (!found.isTimeOrdered) return sortedNumbers(found, order, bounds);
  const end = bounds.limit === null ? found.count : bounds.offset + bounds.limit;
  const from = Math.min(bounds.offset, found.count);
  const to = Math.min(end, found.count);
  if (order === 'asc') return ascendingNumbers(found, from, to);
  return descendingNumbers(found, found.count - to, found.count - from);
}
function sortedNumbers(found, order, bounds) {
  const sign = order === 'asc' ? 1 : -1;
  const { timestamps, versions } = found.sortKeys();
  const compare = (a, b) =>
    sign * (timestamps[a] - timestamps[b] || versions[a] - versions[b] || a - b);
  return sortedWindow(found.count, compare, bounds);
}
function* ascendingNumbers(found, from, to) {
  let next = from;
  while (next < to) {
    const group = groupAround(found, next);
    const numbers = sortedGroup(found, group);
    const last = Math.min(to, group.end);
    for (; next < last; next++) yield numbers[next - group.start];
  }
}
function* descendingNumbers(found, from, to) {
  let next = to - 1;
  while (next >= from) {
    const group = groupAround(found, next);
    const numbers = sortedGroup(found, group);
    const last = Math.max(from, group.start);
    for (; next >= last; next--) yield numbers[next - group.start];
  }
}
function groupAround(found, number) {
  const timestamp = found.timestamp(number);
  let start = number;
  while (start > 0 && found.timestamp(start - 1) === timestamp) start--;
  let end = number + 1;
  while (end < found.count && found.timestamp(end) === timestamp) end++;
  return { start, end };
}
function sortedGroup(found, { start, end }) {
  const numbers = new Uint32Array(end - start);
  for (let i = 0; i < numbers.length; i++) numbers[i] = start + i;
  if (numbers.length === 1) return numbers;
  return numbers.sort((a, b) => found.version(a) - found.version(b) || a - b);
}

// services/query/src/reads/found-events.ts
var FoundEvents = class {
  #matches = [];
  /** The number of the first event of each match. */
  #starts = [];
  #count = 0;
  #isTimeOrdered = true;
  #lastTimestamp = Number.NEGATIVE_INFINITY;
  /** The match looked at last: numbers are mostly asked for one after the other. */
  #current = 0;
  get count() {
    return this.#count;
  }
  /** True when no event has an earlier timestamp than the one before it, as without imports of the past. */
  get isTimeOrdered() {
    return this.#isTimeOrdered;
  }
  /** Adds the next rows in position order. */
  add(match) {
    if (match.rows.length === 0) return;
    this.#matches.push(match);
    this.#starts.push(this.#count);
    this.#count += match.rows.length;
    if (this.#isTimeOrdered) this.#checkOrder(match);
  }
  #checkOrder({ run, rows }) {
    const { timestamps } = run.source;
    const first = timestamps[rows[0]];
    this.#isTimeOrdered =
      first >= this.#lastTimestamp && (run.isTimeOrdered || areAscending(timestamps, rows));
    this.#lastTimestamp = timestamps[rows.at(-1)];
  }
  timestamp(number) {
    const { run, rows } = this.#matchOf(number);
    return run.source.timestamps[this.#rowOf(rows, number)];
  }
  version(number) {
    const { run, rows } = this.#matchOf(number);
    return run.source.versions[this.#rowOf(rows, number)];
  }
  event(number) {
    const { run, rows } = this.#matchOf(number);
    return run.event(this.#rowOf(rows, number));
  }
  /** All timestamps and versions by number, for sorting. */
  sortKeys() {
    const timestamps = new Float64Array(this.#count);
    const versions = new Float64Array(this.#count);
    let number = 0;
    for (const { run, rows } of this.#matches) {
      const { source } = run;
      const times = source.timestamps;
      const streamVersions = source.versions;
      for (const row2 of rows) {
        timestamps[number] = times[row2];
        versions[number++] = streamVersions[row2];
      }
    }
    return { timestamps, versions };
  }
  #matchOf(number) {
    const starts = this.#starts;
    const current = this.#current;
    const isCurrent =
      number >= (starts[current] ?? 0) && number < (starts[current + 1] ?? this.#count);
    if (!isCurrent) this.#current = lastAtMost(starts, number);
    return must(this.#matches[this.#current], 'the number of a found event');
  }
  #rowOf(rows, number) {
    return rows[number - this.#starts[this.#current]];
  }
};
function areAscending(timestamps, rows) {
  let last = Number.NEGATIVE_INFINITY;
  for (const row2 of rows) {
    const timestamp = timestamps[row2];
    if (timestamp < last) return false;
    last = timestamp;
  }
  return true;
}
function lastAtMost(sorted, wanted) {
  let low = 0;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] <= wanted) low = middle;
    else high = middle;
  }
  return low;
}

// services/query/src/reads/read-events.ts
async function readEvents(history, wanted) {
  const { query } = wanted;
  const found = await findEvents(history, wanted);
  const rest = Math.max(0, found.count - query.offset);
  const count = query.limit === null ? rest : Math.min(rest, query.limit);
  return {
    count,
    totalCount: found.count,
    hasMore: query.offset + count < found.count,
    events: eventsOf(found, windowNumbers(found, query.order, query)),
  };
}
async function findEvents(history, wanted) {
  const found = new FoundEvents();
  await visitMatches(history, searchOf(wanted), (match) => found.add(match));
  return found;
}
function searchOf({ tenant, query, untilPosition }) {
  const selection = {
    tenant,
    entity: query.entity ?? void 0,
    type: query.type ?? void 0,
    typePrefix: query.typePrefix ?? void 0,
    excludedTypePrefixes: query.excludedTypePrefixes,
    since: query.since ?? void 0,
    until: query.until ?? void 0,
    untilPosition,
  };
  return { selection, payloadFilter: query.payloadFilter };
}
function* eventsOf(found, numbers) {
  for (const number of numbers) yield found.event(number);
}

// services/query/src/http/event-routes.ts
var RECENT_DEFAULT = 20;
var PARAMETER_ALIASES = [
  ['stream_id', 'entity_id'],
  ['start', 'since'],
  ['end', 'until'],
];
function eventRoutes(options) {
  return [
    ...route('/query', 'Events by entity, type, time and payload.', (call) =>
      answerQuery(call, options),
    ),
    ...route('/recent', 'The newest events, newest first.', (call) =>
      answerList(call, options, {
        query: (parameters) => ({
          ...parseEventQuery(parameters, RECENT_DEFAULT),
          order: parameters.text('order') === null ? 'desc' : parseEventQuery(parameters).order,
        }),
      }),
    ),
    ...route('/entity/:entityId', 'The events of an entity.', (call) => {
      const entity = call.pathParameter('entityId');
      return answerList(call, options, {
        query: (parameters) => ({ ...parseEventQuery(parameters), entity }),
        extra: `,"entity_id":${JSON.stringify(entity)}`,
      });
    }),
    ...route('/type/:eventType', 'The events of a type.', (call) => {
      const type = call.pathParameter('eventType');
      return answerList(call, options, {
        query: (parameters) => ({ ...parseEventQuery(parameters), type }),
        extra: `,"event_type":${JSON.stringify(type)}`,
      });
    }),
    ...route('', 'Events as a list in a data member.', (call) =>
      answerList(call, options, {
        query: (parameters) => parseEventQuery(parameters, LIMITS.pageEventsDefault),
      }),
    ),
    ...route('/:eventId', 'One event.', (call) => answerEvent(call, options)),
  ];
}
function route(path, summary, handle) {
  return API_BASES.map((base) => ({
    method: 'GET',
    path: `${base}/events${path}`,
    needs: 'read',
    summary,
    handle,
  }));
}
async function answerQuery(call, options) {
  const tenant = call.tenant();
  const query = parseEventQuery(call.query);
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const entityVersion =
    query.entity === null
      ? ''
      : `,"entity_version":${options.catalog.tenant(tenant).entityEventCount(query.entity)}`;
  const page = await readEvents(options.history, { tenant, query, untilPosition });
  await answerPage2(call, page, {
    head: '{"events":[',
    tail: `]${countMembers(page)}${entityVersion},"position":${untilPosition}}`,
  });
}
async function answerList(call, options, form) {
  const tenant = call.tenant();
  const query = form.query(aliasedParameters(call));
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const page = await readEvents(options.history, { tenant, query, untilPosition });
  const links = `,"_links":{"self":{"href":${JSON.stringify(call.request.originalUrl)}}}`;
  await answerPage2(call, page, {
    head: '{"data":[',
    tail: `]${countMembers(page)}${form.extra ?? ''},"position":${untilPosition}${links}}`,
  });
}
function aliasedParameters(call) {
  const { originalUrl } = call.request;
  const start = originalUrl.indexOf('?');
  const values = new URLSearchParams(start === -1 ? '' : originalUrl.slice(start + 1));
  for (const [alias, name] of PARAMETER_ALIASES) {
    const value2 = values.get(alias);
    if (value2 !== null && !values.has(name)) values.set(name, value2);
  }
  return new Parameters(values);
}
function countMembers({ count, totalCount, hasMore }) {
  return `,"count":${count},"total_count":${totalCount},"has_more":${hasMore}`;
}
async function answerPage2(call, page, around) {
  const writer = new JsonWriter(call.response);
  await writeList(writer, { ...around, elements: page.events }, writeEvent);
}
async function answerEvent(call, options) {
  const tenant = call.tenant();
  const id = call.pathParameter('eventId');
  if (!isUuid(id)) {
    throw problem('invalid_parameter', `Event id ${quoted(id)} is not a UUID.`, {
      parameter: 'event_id',
    });
  }
  await options.gate.admit(call);
  stampPosition(call, options.history.appliedPosition);
  const event = eventOf(options.history, tenant, id);
  if (event === null) throw problem('event_not_found', `Event ${quoted(id)} not found`);
  const writer = new JsonWriter(call.response);
  writer.text('{"event":');
  writeEvent(writer, event);
  writer.text(',"found":true,"data":');
  writeEvent(writer, event);
  writer.text('}');
  writer.end();
}
function eventOf(history, tenant, id) {
  const position2 = positionOfEventId(id);
  const event = position2 === null ? null : history.eventAt(tenant, position2);
  return event?.id === id.toLowerCase() ? event : null;
}

// services/query/src/http/stats-routes.ts
var METRICS_PATHS = ['/metrics', '/api/metrics', '/api/metrics/prometheus'];
function statsRoutes(options) {
  const stats = API_BASES.map((base) => ({
    method: 'GET',
    path: `${base}/stats`,
    needs: 'read',
    summary: 'Counts of the tenant.',
    handle: (call) => answerStats(call, options),
  }));
  const metrics = METRICS_PATHS.map((path) => ({
    method: 'GET',
    path,
    needs: 'public',
    summary: 'Metrics in the Prometheus text format.',
    handle: async (call) => {
      call.response.setHeader('content-type', options.registry.contentType);
      call.response.end(await options.registry.metrics());
    },
  }));
  return [...stats, ...metrics];
}
async function answerStats(call, options) {
  const { catalog, projections, clock } = options;
  const tenant = call.tenant();
  await options.gate.admit(call);
  const position2 = stampPosition(call, options.history.appliedPosition);
  const { eventCount, entityCount, typeCount } = catalog.tenant(tenant);
  const nowMs = clock.nowMicros() / 1e3;
  call.json(200, {
    total_events: eventCount,
    total_entities: entityCount,
    total_event_types: typeCount,
    total_ingested: eventCount,
    total_projections: BUILT_IN_PROJECTIONS.length,
    total_schemas: 0,
    uptime_seconds: Math.floor(process.uptime()),
    memory_used_bytes: process.memoryUsage.rss(),
    storage_used_bytes: projections.textBytes(tenant),
    ingest_rate_per_sec: options.ingestRates.perSecond(tenant, nowMs),
    query_rate_per_sec: options.queryRates.perSecond(tenant, nowMs),
    position: position2,
  });
}

// services/query/src/query-routes.ts
var HEALTH_ALIASES = {
  '/livez': ['/api/health/live'],
  '/readyz': ['/api/health/ready'],
  '/health': ['/api/health', '/api/v1/health'],
};
function queryRoutes(options) {
  const { stores, historyGate, projectionGate, clock, forwarder, core } = options;
  const { history, catalog, projections, projectionFollower } = stores;
  const queryRates = new TenantRates();
  const ofHistory = { history, catalog, gate: historyGate };
  const ofProjections = { projections, gate: projectionGate };
  const reads = [
    ...eventRoutes(ofHistory),
    ...entityRoutes(ofHistory),
    ...catalogRoutes(ofHistory),
    ...analyticsRoutes({ ...ofHistory, clock }),
    ...entitySnapshotRoutes(ofProjections),
    ...statsRoutes({ ...options, ...ofHistory, projections, queryRates }),
    ...projectionRoutes({
      ...ofProjections,
      createdMs: () => stores.projectionsCreatedMs,
      hasCaughtUp: () => projectionFollower.status.hasCaughtUp,
      toCore: (call) => forwardVersioned(forwarder, call, { upstream: core }),
    }),
  ];
  return [
    ...withAliases(healthRoutes(options.health)),
    ...forwardedRoutes(options),
    ...countedReads(reads, { metrics: options.metrics, rates: queryRates, clock }),
    ...unavailableRoutes(),
  ];
}
function withAliases(routes) {
  return routes.flatMap((route2) => {
    const aliases = HEALTH_ALIASES[route2.path] ?? [];
    return [route2, ...aliases.map((path) => ({ ...route2, path }))];
  });
}

// services/query/src/read-stores.ts
import { join as join7 } from 'node:path';

// packages/service-kit/src/feed/core-endpoint.ts
import { Agent as HttpAgent2, request as httpRequest2 } from 'node:http';
import { Agent as HttpsAgent2, request as httpsRequest2 } from 'node:https';

// packages/service-kit/src/feed/follower-limits.ts
var MIB3 = 1024 * 1024;
var FOLLOWER_LIMITS = {
  /** Frames handed to the sink in one call, in bytes and in number. One frame may be larger than the bytes. */
  applyBytesMax: 8 * MIB3,
  applyFramesMax: 1e3,
  /** Bytes of frames read ahead of the sink before the socket is paused. */
  readAheadBytesMax: 8 * MIB3,
  /** Wait between tries to reach core or to apply, doubled from the first to the second. */
  retryDelayMsMin: 100,
  retryDelayMsMax: 5e3,
  /** A connection without a byte for this many seconds is dead: core sends a head notice each second. */
  silentSecondsMax: 5,
  /** How long core may take to say its head. */
  headTimeoutMs: 5e3,
  /** Bytes of core's answer to a question that is no feed: a head, or a problem. */
  answerBytesMax: 16 * 1024,
  /** How often core is asked for its head while NATS is the source. */
  headCheckMs: 1e3,
  /** How long a frame that is known to exist may take to come by itself, before it is asked for. */
  lateFrameMs: 10,
  /** Frames from NATS that wait for a frame before them, in bytes and in number. Beyond it they are let go and read from core. */
  inboxBytesMax: 32 * MIB3,
  inboxFramesMax: 1e4,
  /** How long one try to reach NATS may take. */
  natsConnectTimeoutMs: 2e3,
  /** How often the NATS server must answer a ping; after two unanswered ones the connection is given up. */
  natsPingMs: 5e3,
};

// packages/service-kit/src/feed/core-endpoint.ts
var CoreEndpoint = class {
  #coreUrl;
  #internalToken;
  #agent;
  #isSecure;
  #isClosed = false;
  constructor({ coreUrl, internalToken }) {
    this.#coreUrl = coreUrl;
    this.#internalToken = internalToken;
    this.#isSecure = new URL(coreUrl).protocol === 'https:';
    this.#agent = this.#isSecure
      ? new HttpsAgent2({ keepAlive: true })
      : new HttpAgent2({ keepAlive: true });
  }
  /** Starts a GET of a path with its query. The caller listens for `response` and `error`. Throws once it is closed. */
  get(path) {
    if (this.#isClosed) throw problem('upstream_unavailable', 'The follower of core is closed.');
    const url = new URL(path, this.#coreUrl);
    const request = this.#isSecure ? httpsRequest2 : httpRequest2;
    const headers = { [INTERNAL_TOKEN_HEADER]: this.#internalToken };
    return request(url, { agent: this.#agent, headers }).end();
  }
  /** Ends all connections, those in use too. */
  close() {
    this.#isClosed = true;
    this.#agent.destroy();
  }
};
function coreUnreachable(path, cause) {
  return problem(
    'upstream_unavailable',
    `Core does not answer GET ${path}: ${cause.message}. Is core running, and is CORE_URL right?`,
    {},
    cause,
  );
}
async function readAnswer(response) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of response) {
    bytes += chunk.length;
    if (bytes > FOLLOWER_LIMITS.answerBytesMax) {
      response.destroy();
      break;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
async function coreRefused(path, response) {
  const text = await readAnswer(response);
  return problem(
    'upstream_unavailable',
    `Core answered GET ${path} with ${response.statusCode}: ${text.slice(0, 300)}`,
  );
}

// packages/service-kit/src/feed/feed-connection.ts
var FeedConnection = class {
  #path;
  #timers;
  #request;
  #decoder = new FeedDecoder();
  #response = null;
  #messages = [];
  #waitingBytes = 0;
  #end = 'open';
  #silentSeconds = 0;
  #cancelTick = () => {};
  #wakeReader = null;
  #isWoken = false;
  constructor(endpoint, range, timers) {
    this.#path = feedPath(range);
    this.#timers = timers;
    this.#request = endpoint.get(this.#path);
    this.#request.on('error', (error) => this.#fail(coreUnreachable(this.#path, error)));
    this.#request.once('response', (response) => void this.#receive(response));
    this.#tick();
  }
  /** Waits for messages, the end or `wake`. Throws why the connection is of no use any more. One call at a time. */
  async next() {
    while (this.#messages.length === 0 && this.#end === 'open' && !this.#isWoken) {
      await new Promise((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    this.#isWoken = false;
    if (this.#messages.length === 0 && this.#end !== 'open') {
      if (this.#end === 'whole') return { kind: 'end' };
      throw this.#end;
    }
    const messages = this.#messages;
    this.#messages = [];
    this.#waitingBytes = 0;
    this.#response?.resume();
    return { kind: 'messages', messages };
  }
  /** Lets `next` return at once, with what there is. */
  wake() {
    this.#isWoken = true;
    this.#notify();
  }
  close() {
    this.#fail(problem('upstream_unavailable', 'The connection to the feed was closed.'));
  }
  async #receive(response) {
    this.#response = response;
    if (response.statusCode !== 200) {
      const refused2 = coreRefused(this.#path, response);
      this.#fail(await refused2.catch((error) => coreUnreachable(this.#path, error)));
      return;
    }
    response.on('data', (chunk) => this.#take(chunk));
    response.on('error', (error) => this.#fail(coreUnreachable(this.#path, error)));
    response.once('close', () => {
      if (response.complete) this.#finish('whole');
      else this.#fail(problem('upstream_unavailable', 'Core closed the feed.'));
    });
  }
  #take(chunk) {
    this.#silentSeconds = 0;
    if (this.#end !== 'open') return;
    try {
      for (const message of this.#decoder.push(chunk)) {
        this.#messages.push(message);
        if (message.kind === 'frame') this.#waitingBytes += message.frame.bytes.length;
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new TypeError(String(error)));
      return;
    }
    if (this.#waitingBytes >= FOLLOWER_LIMITS.readAheadBytesMax) this.#response?.pause();
    if (this.#messages.length > 0) this.#notify();
  }
  #tick() {
    this.#cancelTick = this.#timers.after(1e3, () => {
      this.#silentSeconds = this.#response?.isPaused() === true ? 0 : this.#silentSeconds + 1;
      if (this.#silentSeconds < FOLLOWER_LIMITS.silentSecondsMax) return this.#tick();
      this.#fail(
        problem('upstream_unavailable', `Core's feed was silent for ${this.#silentSeconds} s.`),
      );
    });
  }
  #fail(error) {
    this.#finish(error);
    this.#request.destroy();
  }
  #finish(end) {
    if (this.#end === 'open') this.#end = end;
    this.#cancelTick();
    this.#notify();
  }
  #notify() {
    this.#wakeReader?.();
    this.#wakeReader = null;
  }
};
function feedPath({ from, to, only }) {
  const query = new URLSearchParams({ from: String(from) });
  if (to !== void 0) query.set('to', String(to));
  if (only !== void 0) query.set('only', only);
  return `${FEED_PATH}?${query.toString()}`;
}

// packages/service-kit/src/feed/core-reader.ts
var CoreReader = class {
  #options;
  #connections = /* @__PURE__ */ new Set();
  #wanted = 0;
  #cancelNudge = () => {};
  constructor(options) {
    this.#options = options;
  }
  /** Follows the open feed from where the sink stands. Never resolves; throws when the feed breaks. */
  async follow() {
    const { writer, only } = this.#options;
    writer.resume();
    await this.agree();
    const connection = this.#open({ from: writer.readFrom, only });
    try {
      for (;;) {
        const delivery = await connection.next();
        if (delivery.kind === 'end') throw problem('upstream_unavailable', 'Core ended the feed.');
        await this.#take(delivery.messages);
        if (only !== void 0 && this.#isNudgeDue()) await this.readTo((await this.agree()).head);
      }
    } finally {
      this.#close(connection);
    }
  }
  /** Asks core for its log and head, and empties the sink when it holds something else. */
  async agree() {
    const core = await this.#options.heads.ask();
    const reason = disagreement(core, this.#options.writer);
    if (reason !== null) await this.#reset(reason);
    this.#options.onHead(core.head);
    return core;
  }
  /** Reads everything up to `head`, which core has named as its head. */
  async readTo(head) {
    const { writer, only } = this.#options;
    if (writer.readFrom > head) return;
    const connection = this.#open({ from: writer.readFrom, to: head, only });
    try {
      for (;;) {
        const delivery = await connection.next();
        if (delivery.kind === 'end') break;
        await this.#take(delivery.messages);
      }
    } finally {
      this.#close(connection);
    }
    const { logId } = writer;
    if (only !== void 0 && logId !== null) await writer.advance(head, logId);
    if (only === void 0 && writer.appliedPosition < head) {
      throw problem(
        'upstream_unavailable',
        `Core's feed up to ${head} ended at ${writer.appliedPosition}.`,
      );
    }
  }
  nudge(target) {
    this.#wanted = Math.max(this.#wanted, target);
    this.#cancelNudge();
    this.#cancelNudge = this.#options.timers.after(FOLLOWER_LIMITS.lateFrameMs, () => {
      for (const connection of this.#connections) connection.wake();
    });
  }
  recheck() {
    for (const connection of this.#connections) connection.close();
  }
  close() {
    this.#cancelNudge();
    this.recheck();
    return Promise.resolve();
  }
  #open(range) {
    const connection = new FeedConnection(this.#options.endpoint, range, this.#options.timers);
    this.#connections.add(connection);
    return connection;
  }
  #close(connection) {
    this.#connections.delete(connection);
    connection.close();
  }
  #isNudgeDue() {
    const isDue = this.#wanted > this.#options.writer.appliedPosition;
    if (!isDue) this.#wanted = 0;
    return isDue;
  }
  async #take(messages) {
    const { writer, onNotice } = this.#options;
    for (const message of messages) {
      if (message.kind !== 'head') continue;
      const logId = message.logId.toString('hex');
      if (writer.logId !== null && writer.logId !== logId)
        throw problem('upstream_unavailable', `Core's feed changed to log ${logId}.`);
      onNotice(message.head);
    }
    await this.#settle(await writer.take(messages));
  }
  async #settle(outcome) {
    const { writer } = this.#options;
    switch (outcome.kind) {
      case 'taken':
        return;
      case 'gap':
        throw problem(
          'upstream_unavailable',
          `Core's feed went on at ${outcome.position} where ${writer.readFrom} was next.`,
        );
      case 'foreign':
        await this.#reset(outcome.reason);
        throw problem(
          'upstream_unavailable',
          `Core's log does not join on to the read store: ${outcome.reason}.`,
        );
    }
  }
  async #reset(reason) {
    const { writer, logger } = this.#options;
    logger.warn(
      { reason, appliedPosition: writer.appliedPosition },
      'the read store holds another log than core: it is emptied and filled again',
    );
    await writer.reset();
  }
};
function disagreement(core, writer) {
  if (writer.logId !== null && writer.logId !== core.logId)
    return `core's log is ${core.logId}, the read store was filled from ${writer.logId}`;
  if (core.head < core.appliedWhenAsked)
    return `core's head is ${core.head}, the read store has applied ${core.appliedWhenAsked}`;
  return null;
}

// packages/service-kit/src/feed/follower-timers.ts
var systemTimers = {
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
var RetryDelay = class {
  #timers;
  #limits;
  #delayMs;
  constructor(timers, limits) {
    this.#timers = timers;
    this.#limits = limits;
    this.#delayMs = limits.delayMsMin;
  }
  /** The next delay in milliseconds, between half and all of the doubled one. */
  next() {
    const delayMs = this.#delayMs;
    this.#delayMs = Math.min(delayMs * 2, this.#limits.delayMsMax);
    return delayMs * (0.5 + this.#timers.random() / 2);
  }
  /** Something went well: begin again with the shortest delay. */
  reset() {
    this.#delayMs = this.#limits.delayMsMin;
  }
};

// packages/service-kit/src/feed/alarm.ts
var Alarm = class {
  #timers;
  #onDue;
  #cancel = null;
  #isDue = false;
  constructor(timers, onDue) {
    this.#timers = timers;
    this.#onDue = onDue;
  }
  get isDue() {
    return this.#isDue;
  }
  /** Makes it due after `delayMs`. One that is armed already keeps its time. */
  arm(delayMs) {
    this.#cancel ??= this.#timers.after(delayMs, () => {
      this.#isDue = true;
      this.#onDue();
    });
  }
  disarm() {
    this.#cancel?.();
    this.#cancel = null;
    this.#isDue = false;
  }
};

// packages/service-kit/src/feed/frame-inbox.ts
var FrameInbox = class {
  #arrivals = /* @__PURE__ */ new Map();
  #bytes = 0;
  #arrivalCount = 0;
  get isEmpty() {
    return this.#arrivals.size === 0;
  }
  /** A mark in time, for `dropBeyond`. */
  get arrivalCount() {
    return this.#arrivalCount;
  }
  /** Keeps a frame; the first of a position counts. Returns false when the inbox was full and has let go of everything. */
  put(frame) {
    if (this.#arrivals.has(frame.position)) return true;
    const { inboxBytesMax, inboxFramesMax } = FOLLOWER_LIMITS;
    const isFull = this.#arrivals.size >= inboxFramesMax || this.#bytes >= inboxBytesMax;
    if (isFull) this.clear();
    this.#arrivalCount++;
    this.#arrivals.set(frame.position, { frame, number: this.#arrivalCount });
    this.#bytes += frame.bytes.length;
    return !isFull;
  }
  /** Takes out the frames that follow `applied` without a gap. */
  takeAfter(applied) {
    const run = [];
    let next = applied + 1;
    for (;;) {
      const frame = this.#arrivals.get(next)?.frame;
      if (frame === void 0) return run;
      this.#delete(frame);
      run.push({ kind: 'frame', frame });
      next = frame.lastPosition + 1;
    }
  }
  /** Lets go of what has been applied. */
  dropThrough(applied) {
    for (const { frame } of this.#arrivals.values())
      if (frame.position <= applied) this.#delete(frame);
  }
  /** Lets go of frames beyond `head` that came before the mark: core named that head after it, so there are no such frames. */
  dropBeyond(head, arrivalCount) {
    for (const { frame, number } of this.#arrivals.values())
      if (frame.lastPosition > head && number <= arrivalCount) this.#delete(frame);
  }
  clear() {
    this.#arrivals.clear();
    this.#bytes = 0;
  }
  #delete(frame) {
    this.#arrivals.delete(frame.position);
    this.#bytes -= frame.bytes.length;
  }
};

// packages/service-kit/src/feed/nats-link.ts
import { connect as connect2, wsconnect } from '@nats-io/transport-node';

// packages/service-kit/src/feed/wake-up.ts
var WakeUp = class {
  #timers;
  #isRung = false;
  #wake = null;
  constructor(timers) {
    this.#timers = timers;
  }
  /** Ends the sleep that goes on, or the next one. */
  notify() {
    this.#isRung = true;
    this.#wake?.();
  }
  /** Sleeps until `notify`, at most `delayMs`. */
  async wait(delayMs) {
    if (!this.#isRung) {
      await new Promise((resolve) => {
        const cancel = this.#timers.after(delayMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#wake = null;
    this.#isRung = false;
  }
};

// packages/service-kit/src/feed/nats-link.ts
var NatsLink = class {
  #options;
  #retry;
  #wakeUp;
  #connection = null;
  #running = null;
  #fault = 'NATS has not been reached yet.';
  #isClosed = false;
  constructor(options) {
    this.#options = options;
    const timers = options.timers ?? systemTimers;
    this.#wakeUp = new WakeUp(timers);
    this.#retry = new RetryDelay(timers, {
      delayMsMin: FOLLOWER_LIMITS.retryDelayMsMin,
      delayMsMax: FOLLOWER_LIMITS.retryDelayMsMax,
    });
  }
  /** Why there is no connection at this moment, or null. */
  get fault() {
    return this.#fault;
  }
  start() {
    if (!this.#isClosed) this.#running ??= this.#run();
  }
  async close() {
    this.#isClosed = true;
    this.#wakeUp.notify();
    await this.#connection?.close();
    await this.#running;
  }
  async #run() {
    while (!this.#isClosed) {
      const reason = await this.#connectOnce();
      if (this.#isClosed) return;
      if (this.#fault !== reason)
        this.#options.logger.warn({ reason }, 'NATS is not connected; frames go by the feed alone');
      this.#fault = reason;
      await this.#wakeUp.wait(this.#retry.next());
    }
  }
  /** Connects and stays until the connection ends; returns why it did, or why there was none. */
  async #connectOnce() {
    try {
      const connection = await this.#connect();
      if (!this.#isClosed) this.#begin(connection);
      else await connection.close();
      const error = await connection.closed();
      return error instanceof Error ? error.message : 'the connection ended';
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      if (this.#connection !== null) this.#options.onDisconnected?.();
      this.#connection = null;
    }
  }
  #begin(connection) {
    this.#connection = connection;
    this.#fault = null;
    this.#retry.reset();
    this.#options.logger.info({ server: connection.getServer() }, 'NATS is connected');
    this.#options.onConnected(connection);
  }
  #connect() {
    const { natsUrl, name } = this.#options;
    const { protocol } = new URL(natsUrl);
    const settings = {
      ...natsAddress(natsUrl),
      name,
      reconnect: false,
      timeout: FOLLOWER_LIMITS.natsConnectTimeoutMs,
      pingInterval: FOLLOWER_LIMITS.natsPingMs,
      ...(protocol === 'tls:' ? { tls: {} } : {}),
    };
    return protocol.startsWith('ws') ? wsconnect(settings) : connect2(settings);
  }
};

// packages/service-kit/src/feed/nats-reader.ts
var NatsReader = class {
  #options;
  #link;
  #inbox = new FrameInbox();
  #wakeUp;
  /** Something that is known to exist has not come. */
  #late;
  /** Core has not been asked for a while. */
  #check;
  #isRung = false;
  #wanted = 0;
  #isClosed = false;
  constructor(options) {
    const { timers, natsUrl, logger } = options;
    this.#options = options;
    this.#wakeUp = new WakeUp(timers);
    this.#late = new Alarm(timers, () => this.#wakeUp.notify());
    this.#check = new Alarm(timers, () => this.#wakeUp.notify());
    this.#link = new NatsLink({
      natsUrl,
      name: 'allsource follower',
      logger,
      timers,
      onConnected: (connection) => this.#subscribe(connection),
    });
  }
  /** Follows NATS and core until `close`. Throws when core or the sink fails. */
  async follow() {
    this.#link.start();
    this.#options.writer.resume();
    await this.#readFromCore();
    while (!this.#isClosed) {
      if (await this.#takeFromInbox()) this.#late.disarm();
      if (this.#isSomethingMissing()) this.#late.arm(FOLLOWER_LIMITS.lateFrameMs);
      else this.#late.disarm();
      if (this.#late.isDue || this.#check.isDue) await this.#readFromCore();
      else await this.#wakeUp.wait(FOLLOWER_LIMITS.headCheckMs);
    }
  }
  nudge(target) {
    this.#wanted = Math.max(this.#wanted, target);
    this.#wakeUp.notify();
  }
  recheck() {
    this.#ring();
    this.#options.core.recheck();
  }
  async close() {
    this.#isClosed = true;
    this.#wakeUp.notify();
    this.#late.disarm();
    this.#check.disarm();
    await this.#options.core.close();
    await this.#link.close();
  }
  #subscribe(connection) {
    connection.subscribe(COMMITS_SUBJECT, {
      callback: (error, message) => {
        if (error === null) return this.#receive(message);
        this.#options.logger.warn({ err: error }, 'NATS ends the subscription to the frames');
        this.#ring();
      },
    });
    connection.flush().then(
      () => this.#ring(),
      () => this.#ring(),
    );
  }
  /** Runs inside of the NATS client, which must not see an exception. */
  #receive(message) {
    const { writer, logger } = this.#options;
    const received = decode(message.data);
    if (received === null) {
      logger.debug({ bytes: message.data.length }, 'passed over a NATS message that is no frame');
      return;
    }
    if (received.kind === 'head') {
      if (received.head > writer.appliedPosition) this.#ring();
      return;
    }
    const { frame } = received;
    const isOurs = writer.logId === null || writer.logId === frame.logId.toString('hex');
    if (isOurs && frame.position <= writer.appliedPosition) return;
    if (isOurs && this.#inbox.put(frame)) this.#wakeUp.notify();
    else this.#ring();
  }
  #ring() {
    this.#isRung = true;
    this.#wakeUp.notify();
  }
  #isSomethingMissing() {
    return (
      this.#isRung || this.#wanted > this.#options.writer.appliedPosition || !this.#inbox.isEmpty
    );
  }
  /** Applies what joins on. Returns whether there was anything. */
  async #takeFromInbox() {
    const { writer } = this.#options;
    if (!writer.isSeamKnown) return false;
    const run = this.#inbox.takeAfter(writer.appliedPosition);
    if (run.length === 0) return false;
    const outcome = await writer.take(run);
    if (outcome.kind === 'taken') return true;
    this.#inbox.clear();
    this.#isRung = true;
    return false;
  }
  async #readFromCore() {
    const { core, writer } = this.#options;
    this.#late.disarm();
    this.#check.disarm();
    this.#isRung = false;
    const mark = this.#inbox.arrivalCount;
    const { head } = await core.agree();
    this.#wanted = 0;
    this.#inbox.dropBeyond(head, mark);
    await core.readTo(head);
    this.#inbox.dropThrough(writer.appliedPosition);
    if (!this.#isClosed) this.#check.arm(FOLLOWER_LIMITS.headCheckMs);
  }
};
function decode(bytes) {
  try {
    return decodeSingleFeedMessage(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (error) {
    if (error instanceof FeedDamagedError) return null;
    throw error;
  }
}

// packages/service-kit/src/feed/position-waiters.ts
var PositionWaiters = class {
  #timers;
  #waiting = /* @__PURE__ */ new Map();
  constructor(timers) {
    this.#timers = timers;
  }
  /** Resolves true when `reached` is called with `target` or beyond, false after `timeoutMs`. */
  wait(target, timeoutMs) {
    return new Promise((resolve) => {
      const cancel = this.#timers.after(timeoutMs, () => {
        this.#forget(target, settle);
        resolve(false);
      });
      const settle = (hasApplied) => {
        cancel();
        resolve(hasApplied);
      };
      const others = this.#waiting.get(target);
      if (others === void 0) this.#waiting.set(target, /* @__PURE__ */ new Set([settle]));
      else others.add(settle);
    });
  }
  /** Wakes everybody who waits for `applied` or less. */
  reached(applied) {
    for (const [target, waiters] of this.#waiting) {
      if (target > applied) continue;
      this.#waiting.delete(target);
      for (const settle of waiters) settle(true);
    }
  }
  /** Nothing more will be applied: everybody gets false. */
  close() {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiters of all) for (const settle of waiters) settle(false);
  }
  #forget(target, settle) {
    const waiters = this.#waiting.get(target);
    waiters?.delete(settle);
    if (waiters?.size === 0) this.#waiting.delete(target);
  }
};

// packages/service-kit/src/feed/shared-head.ts
import { STATUS_CODES as STATUS_CODES2 } from 'node:http';
var SharedHead = class {
  #options;
  #running = null;
  #next = null;
  constructor(options) {
    this.#options = options;
  }
  /** Core's head at a moment after this call. Throws `upstream_unavailable`. */
  ask() {
    if (this.#running === null) return this.#start();
    this.#next ??= this.#afterRunning(this.#running);
    return this.#next;
  }
  async #afterRunning(running) {
    await Promise.allSettled([running]);
    this.#next = null;
    return this.#start();
  }
  #start() {
    const running = this.#request().finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }
  async #request() {
    const appliedWhenAsked = this.#options.appliedPosition();
    const text = await this.#exchange(true);
    return { ...parseHead(text), appliedWhenAsked };
  }
  async #exchange(mayRepeat) {
    const { endpoint, timers } = this.#options;
    const request = endpoint.get(HEAD_PATH);
    const cancel = timers.after(FOLLOWER_LIMITS.headTimeoutMs, () =>
      request.destroy(
        problem('upstream_unavailable', `no answer within ${FOLLOWER_LIMITS.headTimeoutMs} ms`),
      ),
    );
    try {
      const response = await new Promise((resolve, reject) => {
        request.once('response', resolve).on('error', reject);
      });
      const text = await readAnswer(response);
      if (response.statusCode === 200) return text;
      throw problem(
        'upstream_unavailable',
        `${response.statusCode} ${STATUS_CODES2[response.statusCode ?? 0] ?? ''}: ${text.slice(0, 300)}`,
      );
    } catch (error) {
      if (mayRepeat && request.reusedSocket && isConnectionReset(error))
        return await this.#exchange(false);
      throw coreUnreachable(HEAD_PATH, asError(error));
    } finally {
      cancel();
    }
  }
};
function isConnectionReset(error) {
  return error instanceof Error && 'code' in error && error.code === 'ECONNRESET';
}
function asError(error) {
  return error instanceof Error ? error : new TypeError(String(error));
}
function parseHead(text) {
  const answer2 = parseObject(text);
  const { head, log_id: logId } = answer2;
  if (
    typeof head !== 'number' ||
    !Number.isSafeInteger(head) ||
    head < 0 ||
    typeof logId !== 'string'
  ) {
    throw problem(
      'upstream_unavailable',
      `Core's answer to GET ${HEAD_PATH} is no head: ${text.slice(0, 100)}. Do the services have the same version?`,
    );
  }
  return { head: position(head), logId };
}
function parseObject(text) {
  try {
    const value2 = JSON.parse(text);
    return typeof value2 === 'object' && value2 !== null ? { ...value2 } : {};
  } catch {
    return {};
  }
}

// packages/service-kit/src/feed/sink-writer.ts
var SinkWriter = class {
  #options;
  #seam;
  #logId;
  #run = [];
  #runBytes = 0;
  constructor(options) {
    this.#options = options;
    this.#seam = seamOf(options.sink);
    this.#logId = options.sink.logId;
  }
  get appliedPosition() {
    return this.#options.sink.appliedPosition;
  }
  /** The log the sink was filled from, as hex; null while it is empty. */
  get logId() {
    return this.#logId;
  }
  /** False until the frame that the sink ends with has been seen, so that the next one can be checked against it. */
  get isSeamKnown() {
    return this.#seam.checksum !== null;
  }
  /**
   * Where to read from next. While the checksum of the last applied frame is not known, that frame is asked for again: it is passed over, but
   * it proves that core's log and the sink have the same frame boundary, and gives the checksum that the next frame must name.
   */
  get readFrom() {
    const isJoined = this.isSeamKnown || this.#options.isFiltered;
    return position(isJoined ? this.#seam.position + 1 : this.#seam.position);
  }
  /** Begins where the sink stands, which it may have learned since: for the first time, or after a failure. */
  resume() {
    const { sink } = this.#options;
    if (this.#seam.position !== sink.appliedPosition || this.#logId !== sink.logId)
      this.#forgetRun();
  }
  /** Takes messages in order until one does not fit. Throws what the sink throws. One call at a time. */
  async take(messages) {
    try {
      for (const message of messages) {
        if (message.kind === 'frame') {
          const verdict = this.#join(message.frame);
          if (verdict.kind === 'gap' || verdict.kind === 'foreign') {
            await this.#applyRun();
            return verdict;
          }
          if (this.#isRunFull()) await this.#applyRun();
        } else if (this.#options.isFiltered) {
          await this.#applyRun();
          await this.advance(message.head, message.logId.toString('hex'));
        }
      }
      await this.#applyRun();
      return { kind: 'taken' };
    } catch (error) {
      this.#forgetRun();
      throw error;
    }
  }
  /** Says that nothing lies between the sink and `head` that it has to see. For filtered feeds. */
  async advance(head, logId) {
    if (head <= this.appliedPosition || (this.#logId !== null && this.#logId !== logId)) return;
    await this.#options.sink.advance(head, logId);
    assert(this.appliedPosition === head, 'a sink stands where it was advanced to');
    this.#logId = logId;
    this.#seam = { position: head, checksum: null };
    this.#options.onApplied(head);
  }
  /** Empties the sink, to be filled from the log's first frame. */
  async reset() {
    this.#forgetRun();
    await this.#options.sink.reset();
    assert(this.appliedPosition === 0, 'an emptied sink stands at position 0');
    this.#forgetRun();
    this.#logId = null;
  }
  #join(frame) {
    const verdict = this.#judge(frame);
    if (verdict.kind === 'taken') {
      this.#run.push(frame);
      this.#runBytes += frame.bytes.length;
      this.#logId ??= frame.logId.toString('hex');
      this.#seam = { position: frame.lastPosition, checksum: frame.checksum };
    } else if (verdict.kind === 'passed' && frame.lastPosition === this.#seam.position) {
      this.#seam = { position: this.#seam.position, checksum: frame.checksum };
    }
    return verdict;
  }
  #judge(frame) {
    const { position: at2, checksum } = this.#seam;
    const logId = frame.logId.toString('hex');
    if (this.#logId !== null && logId !== this.#logId)
      return foreign(`frame ${frame.position} is of log ${logId}, not ${this.#logId}`);
    if (frame.lastPosition === at2 && checksum !== null && checksum !== frame.checksum)
      return foreign(`frame ${frame.position} is another one than was applied`);
    if (frame.lastPosition <= at2) return { kind: 'passed' };
    if (frame.position <= at2)
      return foreign(`frame ${frame.position}..${frame.lastPosition} holds position ${at2} inside`);
    if (this.#options.isFiltered) return { kind: 'taken' };
    if (frame.position > at2 + 1) return { kind: 'gap', position: frame.position };
    if (checksum !== null && frame.previousChecksum !== checksum)
      return foreign(`frame ${frame.position} does not follow the frame that ends at ${at2}`);
    return { kind: 'taken' };
  }
  #isRunFull() {
    return (
      this.#runBytes >= FOLLOWER_LIMITS.applyBytesMax ||
      this.#run.length >= FOLLOWER_LIMITS.applyFramesMax
    );
  }
  async #applyRun() {
    const frames = this.#run;
    const last = frames.at(-1);
    if (last === void 0 || this.#logId === null) return;
    this.#run = [];
    this.#runBytes = 0;
    await this.#options.sink.apply(frames, this.#logId);
    assert(this.appliedPosition === last.lastPosition, 'a sink stands where its last frame ends');
    this.#options.onApplied(last.lastPosition);
  }
  #forgetRun() {
    this.#run = [];
    this.#runBytes = 0;
    this.#seam = seamOf(this.#options.sink);
    this.#logId = this.#options.sink.logId;
  }
};
function foreign(reason) {
  return { kind: 'foreign', reason };
}
function seamOf(sink) {
  return { position: sink.appliedPosition, checksum: sink.appliedPosition === 0 ? 0 : null };
}

// packages/service-kit/src/feed/create-log-follower.ts
function createLogFollower(options) {
  return new Follower(options);
}
var Follower = class {
  #sink;
  #logger;
  #endpoint;
  #heads;
  #writer;
  #reader;
  #waiters;
  #retry;
  #wakeUp;
  #running = null;
  #isClosed = false;
  #knownHead = null;
  #hasCaughtUp = false;
  #fault = null;
  constructor(options) {
    const { sink, logger, only, timers = systemTimers } = options;
    this.#sink = sink;
    this.#logger = logger;
    this.#endpoint = new CoreEndpoint(options);
    const appliedPosition = () => sink.appliedPosition;
    this.#heads = new SharedHead({ endpoint: this.#endpoint, timers, appliedPosition });
    this.#waiters = new PositionWaiters(timers);
    this.#wakeUp = new WakeUp(timers);
    this.#retry = new RetryDelay(timers, {
      delayMsMin: FOLLOWER_LIMITS.retryDelayMsMin,
      delayMsMax: FOLLOWER_LIMITS.retryDelayMsMax,
    });
    this.#writer = new SinkWriter({
      sink,
      isFiltered: only !== void 0,
      onApplied: (applied) => this.#noteApplied(applied),
    });
    this.#reader = this.#createReader(options, timers);
  }
  start() {
    if (!this.#isClosed) this.#running ??= this.#run();
  }
  get status() {
    const appliedPosition = this.#sink.appliedPosition;
    const knownHead = this.#knownHead ?? POSITION_ZERO;
    return {
      hasCaughtUp: this.#hasCaughtUp,
      appliedPosition,
      knownHead: position(Math.max(knownHead, appliedPosition)),
      fault: this.#fault,
    };
  }
  async coreHead() {
    const core = await this.#heads.ask();
    const reason = disagreement(core, this.#writer);
    if (reason !== null) {
      this.#reader.recheck();
      throw problem(
        'upstream_unavailable',
        `The read store must be filled again: ${reason}. Try again shortly.`,
      );
    }
    this.#noteHead(core.head);
    if (core.head > this.#sink.appliedPosition) this.#reader.nudge(core.head);
    return core.head;
  }
  waitFor(target, timeoutMs) {
    if (this.#sink.appliedPosition >= target) return Promise.resolve(true);
    if (this.#isClosed) return Promise.resolve(false);
    return this.#waiters.wait(target, timeoutMs);
  }
  async close() {
    this.#isClosed = true;
    this.#wakeUp.notify();
    this.#endpoint.close();
    this.#waiters.close();
    await this.#reader.close();
    await this.#running;
  }
  async #run() {
    while (!this.#isClosed) {
      try {
        await this.#reader.follow();
      } catch (error) {
        if (this.#isClosed) return;
        this.#noteFault(error);
        await this.#wakeUp.wait(this.#retry.next());
      }
    }
  }
  #createReader(options, timers) {
    const { natsUrl = null, only, logger } = options;
    const writer = this.#writer;
    const core = new CoreReader({
      endpoint: this.#endpoint,
      heads: this.#heads,
      writer,
      only,
      timers,
      logger,
      onHead: (head) => this.#noteHead(head),
      onNotice: (head) => this.#noteHead(position(Math.max(head, this.#knownHead ?? 0))),
    });
    if (natsUrl === null || only !== void 0) return core;
    return new NatsReader({ natsUrl, core, writer, timers, logger });
  }
  #noteApplied(applied) {
    this.#waiters.reached(applied);
    this.#noteProgress();
  }
  #noteHead(head) {
    this.#knownHead = head;
    if (this.#sink.appliedPosition >= head) this.#noteProgress();
  }
  #noteProgress() {
    this.#retry.reset();
    if (this.#fault !== null) this.#logger.info('the log is followed again');
    this.#fault = null;
    if (this.#knownHead !== null && this.#sink.appliedPosition >= this.#knownHead)
      this.#hasCaughtUp = true;
  }
  #noteFault(error) {
    const fault2 = error instanceof Error ? error.message : String(error);
    if (fault2 !== this.#fault) this.#logger.warn({ err: error }, 'the log is not followed');
    this.#fault = fault2;
  }
};

// services/query/src/catalog/catalog.ts
var Catalog = class {
  #tenants = /* @__PURE__ */ new Map();
  /** The source that rows came from last, and how its rows are counted: by its tenant numbers. */
  #source = null;
  #counters = [];
  /** The catalog of a tenant; an empty one when it has no events. */
  tenant(tenant) {
    return this.#tenants.get(tenant) ?? new TenantCatalog(tenant);
  }
  /** The tenants that have events. */
  tenants() {
    return [...this.#tenants.keys()];
  }
  rowsAdded(run, fromRow) {
    if (this.#source !== run.source) {
      this.#source = run.source;
      this.#counters = [];
    }
    const columns = countedColumns(run.source);
    const { entityTenants } = run.source;
    for (let row2 = fromRow; row2 < run.rowCount; row2++) {
      const tenant = entityTenants[columns.entities[row2]];
      const count = (this.#counters[tenant] ??= this.#counterOf(tenant, run.source));
      count(row2, columns);
    }
  }
  #counterOf(tenant, source) {
    const name = must(source.tenantNames[tenant], 'a tenant of the run');
    const catalog = this.tenant(name);
    this.#tenants.set(name, catalog);
    return catalog.counter(source);
  }
  emptied() {
    this.#tenants.clear();
    this.#source = null;
    this.#counters = [];
  }
};

// services/query/src/feed/pending-follower.ts
var PendingFollower = class {
  #sink;
  #missing;
  #follower = null;
  #isClosed = false;
  constructor(options) {
    this.#sink = options.sink;
    this.#missing = options.missing;
  }
  /** Gives it the follower to be, and starts that. */
  follow(follower) {
    if (this.#isClosed) return;
    this.#follower = follower;
    follower.start();
  }
  start() {
    this.#follower?.start();
  }
  get status() {
    if (this.#follower !== null) return this.#follower.status;
    const { appliedPosition } = this.#sink;
    return {
      hasCaughtUp: false,
      appliedPosition,
      knownHead: appliedPosition,
      fault: this.#missing,
    };
  }
  async coreHead() {
    if (this.#follower !== null) return await this.#follower.coreHead();
    throw problem('starting', this.#missing);
  }
  waitFor(position2, timeoutMs) {
    if (this.#follower !== null) return this.#follower.waitFor(position2, timeoutMs);
    return Promise.resolve(this.#sink.appliedPosition >= position2);
  }
  async close() {
    this.#isClosed = true;
    await this.#follower?.close();
  }
};

// services/query/src/history/block-history.ts
import { rmSync as rmSync3 } from 'node:fs';
import { basename as basename2 } from 'node:path';

// services/query/src/history/block/block-cache.ts
var BlockCache = class {
  #limits;
  /** Bytes of decoded columns of each holder, the least recently used first. */
  #columns = /* @__PURE__ */ new Map();
  #columnBytes = 0;
  /** Decoded chunks by key, the least recently used first. */
  #chunks = /* @__PURE__ */ new Map();
  #textBytes = 0;
  #newestKey = -1;
  #newestChunk = Buffer.alloc(0);
  #keysGiven = 0;
  constructor(limits) {
    this.#limits = limits;
  }
  /** Bytes held at the moment. */
  get bytes() {
    return this.#columnBytes + this.#textBytes;
  }
  /** Says that a holder was used and has decoded `bytesMore`. Others are evicted when it becomes too much; the holder itself stays. */
  touch(holder, bytesMore) {
    const bytes = (this.#columns.get(holder) ?? 0) + bytesMore;
    this.#columns.delete(holder);
    this.#columns.set(holder, bytes);
    this.#columnBytes += bytesMore;
    for (const other of this.#columns.keys()) {
      if (this.#columnBytes <= this.#limits.columnBytesMax || other === holder) return;
      this.forget(other);
    }
  }
  /** Drops the columns of a holder. */
  forget(holder) {
    this.#columnBytes -= this.#columns.get(holder) ?? 0;
    this.#columns.delete(holder);
    holder.evict();
  }
  /** Reserves `count` keys for chunks and returns the first of them. */
  chunkKeys(count) {
    const first = this.#keysGiven;
    this.#keysGiven += count;
    return first;
  }
  /** The chunk under a key; `read` supplies it when it is not there. */
  chunk(key, read) {
    if (key === this.#newestKey) return this.#newestChunk;
    const text = this.#chunks.get(key) ?? this.#added(read());
    this.#chunks.delete(key);
    this.#chunks.set(key, text);
    this.#newestKey = key;
    this.#newestChunk = text;
    this.#evictChunks();
    return text;
  }
  #added(text) {
    this.#textBytes += text.length;
    return text;
  }
  #evictChunks() {
    for (const [key, text] of this.#chunks) {
      if (this.#textBytes <= this.#limits.textBytesMax || key === this.#newestKey) return;
      this.#chunks.delete(key);
      this.#textBytes -= text.length;
    }
  }
};

// services/query/src/history/block-folder.ts
import { mkdir, readdir, rm as rm2 } from 'node:fs/promises';
import { join as join6 } from 'node:path';
import { isNativeError as isNativeError2 } from 'node:util/types';

// services/query/src/history/block/block-writer.ts
import { open, rename, rm } from 'node:fs/promises';
import { join as join5 } from 'node:path';
import { crc32 as crc324 } from 'node:zlib';

// services/query/src/history/block/block-format.ts
import { endianness } from 'node:os';
import { promisify } from 'node:util';
import { constants, crc32 as crc323, zstdCompress, zstdDecompressSync } from 'node:zlib';
assert(endianness() === 'LE', 'columns are written as the arrays of a little-endian machine');
var MAGIC = 826430273;
var HEADER_BYTES = 88;
var TABLE_ENTRY_BYTES = 24;
var CHECKSUM_FROM2 = 12;
var compress = promisify(zstdCompress);
var ZSTD = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
var PLAIN = 0;
var COMPRESSED = 1;
var DIFFERENCES = 2;
var SECTIONS = {
  /** JSON array of texts. */
  tenantNames: { kind: 1, coding: COMPRESSED },
  /** JSON array of texts. */
  typeNames: { kind: 2, coding: COMPRESSED },
  /** Entity number to hash (see entity-hash.ts), ascending: entities are numbered in the order of their hashes. */
  entityHashes: { kind: 3, coding: DIFFERENCES },
  entityTenants: { kind: 4, coding: COMPRESSED },
  entityPartitions: { kind: 5, coding: COMPRESSED },
  /** Entity number to the end of its id in entityNames. */
  entityNameEnds: { kind: 6, coding: DIFFERENCES },
  /** Entity ids in UTF-8, end to end. */
  entityNames: { kind: 7, coding: COMPRESSED },
  /** Row to position, counted from the first position covered. */
  positions: { kind: 8, coding: DIFFERENCES },
  /** Row to entity number. */
  entities: { kind: 9, coding: COMPRESSED },
  /** Row to type number. */
  types: { kind: 10, coding: COMPRESSED },
  /** Doubles. */
  versions: { kind: 11, coding: COMPRESSED },
  /** Doubles, microseconds. */
  timestamps: { kind: 12, coding: COMPRESSED },
  /** Doubles, microseconds. */
  recordedAts: { kind: 13, coding: COMPRESSED },
  /** The random 22 bits of each event id; the rest of an id is its position and recorded_at. Left out when `eventIds` is there. */
  eventIdRandoms: { kind: 14, coding: COMPRESSED },
  /** All 16 bytes of each event id, when an id of the block is made in another way. */
  eventIds: { kind: 15, coding: COMPRESSED },
  /** Row to where its text begins in the uncompressed text of the block, and one more: where the text ends. */
  textOffsets: { kind: 16, coding: DIFFERENCES },
  payloadBytes: { kind: 17, coding: COMPRESSED },
  /** For each chunk of text four integers: first row, stored bytes, bytes when decoded, CRC-32 of the stored bytes. */
  chunks: { kind: 18, coding: PLAIN },
};
var NAMES_BY_KIND = new Map(
  Object.entries(SECTIONS).map(([name, { kind: kind2 }]) => [kind2, name]),
);
var CHUNK_ENTRY_INTEGERS = 4;
async function encodeSection(name, values) {
  const { coding } = SECTIONS[name];
  const source = coding === DIFFERENCES ? differences(values) : values;
  const plain = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const bytes = coding === PLAIN ? plain : await compress(plain, ZSTD);
  return { name, bytes, decodedBytes: values.byteLength };
}
function decodeSection(place, stored) {
  const plain = aligned2(place.coding === PLAIN ? stored : zstdDecompressSync(stored));
  assert(plain.length === place.decodedBytes, 'a section has the length its table says');
  if (place.coding === DIFFERENCES) sumUp(uint32s(plain));
  return plain;
}
function differences(values) {
  assert(values instanceof Uint32Array, 'differences are taken of 32-bit integers');
  const result = new Uint32Array(values.length);
  let previous = 0;
  for (let i = 0; i < values.length; i++) {
    const value2 = values[i];
    result[i] = value2 - previous;
    previous = value2;
  }
  return result;
}
function sumUp(values) {
  for (let i = 1; i < values.length; i++) values[i] = values[i] + values[i - 1];
}
function aligned2(bytes) {
  if (bytes.byteOffset % 8 === 0) return bytes;
  return Buffer.from(new Uint8Array(bytes).buffer);
}
function uint32s(bytes) {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
function float64s(bytes) {
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
}
function encodeChunk(text) {
  return compress(text, ZSTD);
}
function decodeChunk(stored) {
  return zstdDecompressSync(stored);
}
function encodeHeader(extent, sections, textBytes) {
  const bytes = Buffer.alloc(HEADER_BYTES + sections.length * TABLE_ENTRY_BYTES);
  let offset = bytes.length;
  for (const [i, section] of sections.entries()) {
    const entry = HEADER_BYTES + i * TABLE_ENTRY_BYTES;
    bytes.writeUInt16LE(SECTIONS[section.name].kind, entry);
    bytes.writeUInt16LE(SECTIONS[section.name].coding, entry + 2);
    bytes.writeUInt32LE(crc323(section.bytes), entry + 4);
    writeInteger(bytes, offset, entry + 8);
    bytes.writeUInt32LE(section.bytes.length, entry + 16);
    bytes.writeUInt32LE(section.decodedBytes, entry + 20);
    offset += section.bytes.length;
  }
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(sections.length, 12);
  bytes.set(extent.logId, 16);
  writeInteger(bytes, extent.firstPosition, 24);
  writeInteger(bytes, extent.lastPosition, 32);
  bytes.writeUInt32LE(extent.rowCount, 40);
  bytes.writeUInt32LE(extent.entityCount, 44);
  bytes.writeDoubleLE(extent.timestampMin, 48);
  bytes.writeDoubleLE(extent.timestampMax, 56);
  writeInteger(bytes, offset, 64);
  writeInteger(bytes, offset + textBytes, 72);
  bytes.writeUInt32LE(crc323(bytes.subarray(CHECKSUM_FROM2)), 8);
  return bytes;
}
function decodeHeader(bytes) {
  if (bytes.length < HEADER_BYTES) return 'it ends inside its header';
  const magic = bytes.readUInt32LE(0);
  if (magic !== MAGIC) return `it is not a block of this format (found 0x${magic.toString(16)})`;
  const headerBytes = bytes.readUInt32LE(4);
  if (headerBytes < HEADER_BYTES || headerBytes > bytes.length) return 'it ends inside its header';
  const header = bytes.subarray(0, headerBytes);
  if (crc323(header.subarray(CHECKSUM_FROM2)) !== header.readUInt32LE(8))
    return 'the checksum of its header does not fit';
  const sections = /* @__PURE__ */ new Map();
  for (let i = 0; i < header.readUInt32LE(12); i++) {
    const entry = HEADER_BYTES + i * TABLE_ENTRY_BYTES;
    const kind2 = header.readUInt16LE(entry);
    const name = NAMES_BY_KIND.get(kind2);
    if (name === void 0) return `it has a section ${kind2}, which this build does not know`;
    sections.set(name, {
      coding: header.readUInt16LE(entry + 2),
      checksum: header.readUInt32LE(entry + 4),
      offset: readInteger(header, entry + 8),
      storedBytes: header.readUInt32LE(entry + 16),
      decodedBytes: header.readUInt32LE(entry + 20),
    });
  }
  return {
    logId: Buffer.from(header.subarray(16, 16 + LOG_ID_BYTES)),
    firstPosition: position(readInteger(header, 24)),
    lastPosition: position(readInteger(header, 32)),
    rowCount: header.readUInt32LE(40),
    entityCount: header.readUInt32LE(44),
    timestampMin: micros(header.readDoubleLE(48)),
    timestampMax: micros(header.readDoubleLE(56)),
    textOffset: readInteger(header, 64),
    fileBytes: readInteger(header, 72),
    sections,
  };
}
function writeInteger(target, value2, offset) {
  target.writeBigUInt64LE(BigInt(value2), offset);
}
function readInteger(source, offset) {
  return Number(source.readBigUInt64LE(offset));
}

// services/query/src/history/block/event-ids.ts
var rebuilt = Buffer.alloc(EVENT_ID_BYTES);
function encodeEventIds(tail) {
  const randoms = new Uint32Array(tail.rowCount);
  for (let row2 = 0; row2 < tail.rowCount; row2++) {
    const event = tail.frameEvent(row2);
    const { bytes, recordedAt } = event.frame;
    if (!isRebuildable(bytes, event.idOffset, { position: event.position, recordedAt }))
      return { section: 'eventIds', values: wholeIds(tail) };
    randoms[row2] = randomBits(bytes, event.idOffset);
  }
  return { section: 'eventIdRandoms', values: randoms };
}
function isRebuildable(source, offset, parts) {
  const high = source.readUInt16BE(offset + 8);
  return (
    source.readUIntBE(offset, 6) === Math.floor(parts.recordedAt / 1e3) &&
    source.readUInt16BE(offset + 6) >>> 12 === 7 &&
    high >>> 14 === 2 &&
    (high & 15) * 2 ** 48 + source.readUIntBE(offset + 10, 6) === parts.position
  );
}
function randomBits(source, offset) {
  const low = source.readUInt16BE(offset + 6) & 4095;
  return low | (((source.readUInt16BE(offset + 8) >>> 4) & 1023) << 12);
}
function rebuiltEventId(parts, random) {
  const recordedAtMs = Math.floor(parts.recordedAt / 1e3);
  writeEventId(rebuilt, 0, { recordedAtMs, position: position(parts.position), random });
  return formatEventId(rebuilt, 0);
}
function wholeIds(tail) {
  const ids = Buffer.alloc(tail.rowCount * EVENT_ID_BYTES);
  for (let row2 = 0; row2 < tail.rowCount; row2++)
    ids.set(tail.frameEvent(row2).idBytes, row2 * EVENT_ID_BYTES);
  return ids;
}

// services/query/src/history/block/block-writer.ts
var CHUNK_BYTES = 192 * 1024;
var CHUNKS_AT_ONCE = 4;
var DRAFT_SUFFIX = '.draft';
var POSITION_DIGITS = 16;
function blockFileName(firstPosition) {
  return `${String(firstPosition).padStart(POSITION_DIGITS, '0')}.block`;
}
var isBlockFile = (name) => name.endsWith('.block');
var isDraftFile = (name) => name.endsWith(DRAFT_SUFFIX);
async function writeBlock(folder, tail, logId) {
  const parts = await encodeBlock(tail, logId);
  const path = join5(folder, blockFileName(tail.firstPosition));
  const draft = path + DRAFT_SUFFIX;
  try {
    await writeSynced(draft, parts);
    await rename(draft, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return path;
}
async function writeSynced(path, parts) {
  const file = await open(path, 'w');
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}
async function syncFolder(folder) {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
async function encodeBlock(tail, logId) {
  const run = tail.run();
  const text = await encodeText(tail);
  const sections = [];
  const add = async (name, values) => {
    sections.push(await encodeSection(name, values));
  };
  await add('tenantNames', Buffer.from(JSON.stringify(tail.tenantNames)));
  await add('typeNames', Buffer.from(JSON.stringify(tail.typeNames)));
  const entityNumbers = await encodeEntities(tail, add);
  await add('entities', renumbered(tail.entities.subarray(0, run.rowCount), entityNumbers));
  await add('positions', tail.positions.subarray(0, run.rowCount));
  await add('types', tail.types.subarray(0, run.rowCount));
  await add('versions', tail.versions.subarray(0, run.rowCount));
  await add('timestamps', tail.timestamps.subarray(0, run.rowCount));
  await add('recordedAts', tail.recordedAts.subarray(0, run.rowCount));
  const ids = encodeEventIds(tail);
  await add(ids.section, ids.values);
  await add('textOffsets', text.offsets);
  await add('payloadBytes', text.payloadBytes);
  await add('chunks', Uint32Array.from(text.chunkEntries));
  const extent = {
    logId,
    firstPosition: tail.firstPosition,
    lastPosition: tail.lastPosition,
    rowCount: run.rowCount,
    entityCount: tail.entityCount,
    timestampMin: run.timestampMin,
    timestampMax: run.timestampMax,
  };
  const textBytes = text.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const header = encodeHeader(extent, sections, textBytes);
  return [header, ...sections.map((section) => section.bytes), ...text.chunks];
}
async function encodeEntities(tail, add) {
  const order = sortedOrder(tail.entityHashes.subarray(0, tail.entityCount));
  const numbers = new Uint32Array(order.length);
  for (let number = 0; number < order.length; number++) numbers[order[number]] = number;
  const { nameEnds, names: names2 } = reorderedNames(tail, order);
  await add('entityHashes', renumbered(order, tail.entityHashes));
  await add('entityTenants', renumbered(order, tail.entityTenants));
  await add(
    'entityPartitions',
    order.map((entity) => tail.entityPartition(entity)),
  );
  await add('entityNameEnds', nameEnds);
  await add('entityNames', names2);
  return numbers;
}
function reorderedNames(tail, order) {
  const { entityNameEnds: ends, entityNames } = tail;
  const nameEnds = new Uint32Array(order.length);
  const names2 = Buffer.alloc(ends[order.length - 1] ?? 0);
  let length = 0;
  for (let number = 0; number < order.length; number++) {
    const entity = order[number];
    const start = entity === 0 ? 0 : ends[entity - 1];
    length += entityNames.copy(names2, length, start, ends[entity]);
    nameEnds[number] = length;
  }
  return { nameEnds, names: names2 };
}
function renumbered(values, table) {
  const result = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = table[values[i]];
  return result;
}
async function encodeText(tail) {
  const offsets = new Uint32Array(tail.rowCount + 1);
  const payloadBytes = new Uint32Array(tail.rowCount);
  const result = { offsets, payloadBytes, chunks: [], chunkEntries: [] };
  let waiting = [];
  for (const chunk of plainChunks(tail, offsets, payloadBytes)) {
    waiting.push(chunk);
    if (waiting.length < CHUNKS_AT_ONCE) continue;
    await addChunks(result, waiting);
    waiting = [];
  }
  await addChunks(result, waiting);
  return result;
}
async function addChunks(text, plain) {
  const stored = await Promise.all(plain.map((chunk) => encodeChunk(chunk.text)));
  for (const [i, bytes] of stored.entries()) {
    const { firstRow, text: decoded } = plain[i];
    text.chunkEntries.push(firstRow, bytes.length, decoded.length, crc324(bytes));
    text.chunks.push(bytes);
  }
}
function* plainChunks(tail, offsets, payloadBytes) {
  measureText(tail, offsets, payloadBytes);
  let firstRow = 0;
  while (firstRow < tail.rowCount) {
    const start = offsets[firstRow];
    let end = firstRow + 1;
    while (end < tail.rowCount && offsets[end] - start < CHUNK_BYTES) end++;
    const text = Buffer.allocUnsafeSlow(offsets[end] - start);
    let length = 0;
    for (let row2 = firstRow; row2 < end; row2++)
      length += tail.frameEvent(row2).copyPayloadAndMetadata(text, length);
    yield { firstRow, text };
    firstRow = end;
  }
}
function measureText(tail, offsets, payloadBytes) {
  let end = 0;
  for (let row2 = 0; row2 < tail.rowCount; row2++) {
    const { payloadLength, metadataLength } = tail.frameEvent(row2);
    payloadBytes[row2] = payloadLength;
    end += payloadLength + metadataLength;
    offsets[row2 + 1] = end;
  }
}

// services/query/src/history/block/open-block.ts
import { open as open2 } from 'node:fs/promises';
import { crc32 as crc326 } from 'node:zlib';

// services/query/src/history/event-run.ts
var EventRun = class {
  source;
  rowCount;
  lastPosition;
  timestampMin;
  timestampMax;
  #isTimeOrdered;
  constructor(source, extent) {
    this.source = source;
    this.rowCount = extent.rowCount;
    this.lastPosition = extent.lastPosition;
    this.timestampMin = extent.timestampMin;
    this.timestampMax = extent.timestampMax;
    this.#isTimeOrdered = extent.isTimeOrdered;
  }
  get firstPosition() {
    return this.source.firstPosition;
  }
  /** True when no row has an earlier timestamp than the one before it, as without imports of the past. */
  get isTimeOrdered() {
    this.#isTimeOrdered ??= isAscending(this.source.timestamps, this.rowCount);
    return this.#isTimeOrdered;
  }
  /** The event of a row. Nothing is read until a member of it is. */
  event(row2) {
    return new RunEvent(this.source, row2);
  }
  positionAt(row2) {
    return position(this.firstPosition + at(this.source.positions, row2));
  }
  /** The row of the event at a position; -1 when it holds none, as for a system event. */
  rowAt(wanted) {
    const row2 = this.rowsUntil(wanted) - 1;
    return row2 >= 0 && this.positionAt(row2) === wanted ? row2 : -1;
  }
  /** How many rows lie at or below a position. */
  rowsUntil(last) {
    if (last >= this.lastPosition) return this.rowCount;
    const { positions } = this.source;
    const wanted = last - this.firstPosition;
    let low = 0;
    let high = this.rowCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (positions[middle] <= wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
};
var RunEvent = class {
  #source;
  #row;
  constructor(source, row2) {
    this.#source = source;
    this.#row = row2;
  }
  get position() {
    return position(this.#source.firstPosition + at(this.#source.positions, this.#row));
  }
  get id() {
    return this.#source.eventId(this.#row);
  }
  get tenant() {
    const tenant = at(this.#source.entityTenants, this.#entity);
    return must(this.#source.tenantNames[tenant], 'a tenant of the run');
  }
  get type() {
    return must(this.#source.typeNames[at(this.#source.types, this.#row)], 'a type of the run');
  }
  get entity() {
    return this.#source.entityName(this.#entity);
  }
  get version() {
    return version(at(this.#source.versions, this.#row));
  }
  get partition() {
    return this.#source.entityPartition(this.#entity);
  }
  get timestamp() {
    return micros(at(this.#source.timestamps, this.#row));
  }
  get recordedAt() {
    return micros(at(this.#source.recordedAts, this.#row));
  }
  payload() {
    return this.#source.payload(this.#row);
  }
  metadata() {
    return this.#source.metadata(this.#row);
  }
  get #entity() {
    return at(this.#source.entities, this.#row);
  }
};
function isAscending(values, count) {
  for (let i = 1; i < count; i++) if (values[i] < values[i - 1]) return false;
  return true;
}
function at(column, index) {
  return must(column[index], 'a row of the run');
}

// services/query/src/history/block/block-reader.ts
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { isNativeError } from 'node:util/types';
import { crc32 as crc325 } from 'node:zlib';
var BlockReader = class {
  #options;
  constructor(options) {
    this.#options = options;
  }
  /** A section, decoded. */
  section(name) {
    const place = must(this.#options.header.sections.get(name), `a block has the section ${name}`);
    const stored = this.#read(place.offset, place.storedBytes);
    if (crc325(stored) !== place.checksum) this.#fail(`its section ${name} is damaged`);
    return decodeSection(place, stored);
  }
  /** The text of a chunk. */
  chunk({ offset, storedBytes, checksum }) {
    const stored = this.#read(offset, storedBytes);
    if (crc325(stored) !== checksum) this.#fail(`its text is damaged at byte ${offset}`);
    return decodeChunk(stored);
  }
  #read(offset, bytes) {
    const stored = Buffer.allocUnsafe(bytes);
    const file = this.#open();
    try {
      const read = readSync(file, stored, 0, bytes, offset);
      if (read !== bytes) this.#fail(`it ends at byte ${offset + read}`);
    } finally {
      closeSync(file);
    }
    return stored;
  }
  #open() {
    try {
      return openSync(this.#options.path, 'r');
    } catch (error) {
      assert(isNativeError(error), 'the file system throws errors');
      if (!('code' in error && error.code === 'ENOENT')) throw error;
      return this.#fail('its file is gone');
    }
  }
  #fail(reason) {
    this.#options.onDamage(reason);
    throw problem(
      'read_store_damaged',
      `The read store's block ${basename(this.#options.path)} is damaged. It is built again from the log at the next start.`,
    );
  }
};

// services/query/src/history/block/block-file.ts
var BlockFile = class {
  path;
  header;
  run;
  tenantNames;
  typeNames;
  entityHashes;
  #cache;
  #reader;
  #columns = /* @__PURE__ */ new Map();
  #firstChunkKey;
  #entityRows = null;
  /** Opens a block whose checksums were checked; see open-block.ts. */
  constructor(options) {
    this.path = options.path;
    this.header = options.header;
    this.#cache = options.cache;
    const onDamage = (reason) => options.onDamage(this, reason);
    this.#reader = new BlockReader({ path: this.path, header: this.header, onDamage });
    this.tenantNames = this.#names('tenantNames');
    this.typeNames = this.#names('typeNames');
    this.entityHashes = uint32s(this.#reader.section('entityHashes'));
    this.#firstChunkKey = this.#cache.chunkKeys(this.#chunkCount());
    this.run = new EventRun(this, { ...options.header, isTimeOrdered: null });
  }
  get firstPosition() {
    return this.header.firstPosition;
  }
  get entityCount() {
    return this.header.entityCount;
  }
  get entityTenants() {
    return this.#integers('entityTenants');
  }
  get positions() {
    return this.#integers('positions');
  }
  get entities() {
    return this.#integers('entities');
  }
  get types() {
    return this.#integers('types');
  }
  get versions() {
    return this.#doubles('versions');
  }
  get timestamps() {
    return this.#doubles('timestamps');
  }
  get recordedAts() {
    return this.#doubles('recordedAts');
  }
  get entityNameEnds() {
    return this.#integers('entityNameEnds');
  }
  get entityNames() {
    return this.#bytes('entityNames');
  }
  entityName(entity) {
    const ends = this.entityNameEnds;
    const start = entity === 0 ? 0 : ends[entity - 1];
    return this.entityNames.toString('utf8', start, ends[entity]);
  }
  entityPartition(entity) {
    return must(this.#integers('entityPartitions')[entity], 'an entity of the block');
  }
  findEntity(tenant, entity) {
    const bytes = Buffer.from(entity);
    const hash2 = entityHash(tenantSeed(tenant), bytes, { start: 0, end: bytes.length });
    let number = firstAtLeast(this.entityHashes, hash2);
    for (; this.entityHashes[number] === hash2; number++) {
      if (this.entityName(number) !== entity) continue;
      if (this.tenantNames[this.entityTenants[number]] === tenant) return number;
    }
    return -1;
  }
  rowsOfEntity(entity) {
    const { starts, rows } = this.#rowsByEntity();
    return rows.subarray(starts[entity], starts[entity + 1]);
  }
  eventId(row2) {
    if (this.header.sections.has('eventIds'))
      return formatEventId(this.#bytes('eventIds'), row2 * EVENT_ID_BYTES);
    const parts = {
      position: this.run.positionAt(row2),
      recordedAt: this.recordedAts[row2],
    };
    return rebuiltEventId(parts, this.#integers('eventIdRandoms')[row2]);
  }
  payload(row2) {
    const { text, start } = this.#textOf(row2);
    return text.subarray(start, start + this.#integers('payloadBytes')[row2]);
  }
  metadata(row2) {
    const { text, start, end } = this.#textOf(row2);
    const from = start + this.#integers('payloadBytes')[row2];
    return from === end ? null : text.subarray(from, end);
  }
  /** Drops what can be read again. */
  evict() {
    this.#columns.clear();
    this.#entityRows = null;
  }
  /** The chunk with the text of a row, and where in it the text lies. */
  #textOf(row2) {
    const offsets = this.#integers('textOffsets');
    const chunks = this.#integers('chunks');
    const chunk = chunkOfRow(chunks, row2);
    const chunkStart = offsets[chunks[chunk * CHUNK_ENTRY_INTEGERS]];
    const key = this.#firstChunkKey + chunk;
    const text = this.#cache.chunk(key, () => this.#readChunk(chunks, chunk));
    const start = offsets[row2] - chunkStart;
    return { text, start, end: offsets[row2 + 1] - chunkStart };
  }
  #readChunk(chunks, chunk) {
    let offset = this.header.textOffset;
    for (let i = 0; i < chunk; i++) offset += chunks[i * CHUNK_ENTRY_INTEGERS + 1];
    const entry = chunk * CHUNK_ENTRY_INTEGERS;
    const storedBytes = chunks[entry + 1];
    return this.#reader.chunk({ offset, storedBytes, checksum: chunks[entry + 3] });
  }
  #chunkCount() {
    const place = must(this.header.sections.get('chunks'), 'a block has a table of chunks');
    return place.decodedBytes / (4 * CHUNK_ENTRY_INTEGERS);
  }
  #rowsByEntity() {
    if (this.#entityRows !== null) return this.#entityRows;
    const index = groupRows(this.entities, this.entityCount);
    this.#cache.touch(this, index.rows.byteLength + index.starts.byteLength);
    this.#entityRows = index;
    return index;
  }
  #names(section) {
    return JSON.parse(this.#reader.section(section).toString('utf8'));
  }
  #integers(section) {
    const known = this.#columns.get(section);
    return known instanceof Uint32Array ? known : this.#load(section, uint32s);
  }
  #doubles(section) {
    const known = this.#columns.get(section);
    return known instanceof Float64Array ? known : this.#load(section, float64s);
  }
  #bytes(section) {
    const known = this.#columns.get(section);
    return known instanceof Buffer ? known : this.#load(section, (bytes) => bytes);
  }
  #load(section, toColumn) {
    const column = toColumn(this.#reader.section(section));
    this.#cache.touch(this, column.byteLength);
    this.#columns.set(section, column);
    return column;
  }
};
function firstAtLeast(sorted, wanted) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
function chunkOfRow(chunks, row2) {
  let low = 0;
  let high = chunks.length / CHUNK_ENTRY_INTEGERS;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (chunks[middle * CHUNK_ENTRY_INTEGERS] <= row2) low = middle;
    else high = middle;
  }
  return low;
}
function groupRows(entities, entityCount) {
  const starts = new Uint32Array(entityCount + 1);
  for (const entity of entities) starts[entity + 1]++;
  for (let i = 1; i <= entityCount; i++) starts[i] += starts[i - 1];
  const next = starts.slice();
  const rows = new Uint32Array(entities.length);
  for (const [row2, entity] of entities.entries()) {
    rows[next[entity]] = row2;
    next[entity]++;
  }
  return { starts, rows };
}

// services/query/src/history/block/open-block.ts
var HEADER_READ_BYTES = 4096;
async function openBlock(path, options) {
  const file = await open2(path, 'r');
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(HEADER_READ_BYTES, size));
    await file.read(head, 0, head.length, 0);
    const header = decodeHeader(head);
    if (typeof header === 'string') return { kind: 'damaged', reason: header };
    if (header.fileBytes !== size)
      return { kind: 'damaged', reason: `it has ${size} bytes instead of ${header.fileBytes}` };
    const columns = Buffer.alloc(header.textOffset);
    await file.read(columns, 0, columns.length, 0);
    const reason = columnFault(header, columns);
    if (reason !== null) return { kind: 'damaged', reason };
    return { kind: 'block', block: new BlockFile({ path, header, ...options }) };
  } finally {
    await file.close();
  }
}
function columnFault(header, bytes) {
  for (const [name, { offset, storedBytes, checksum }] of header.sections) {
    if (crc326(bytes.subarray(offset, offset + storedBytes)) !== checksum)
      return `the checksum of its section ${name} does not fit`;
  }
  return null;
}

// services/query/src/history/block-folder.ts
var BlockFolder = class {
  #options;
  constructor(options) {
    this.#options = options;
  }
  /** Opens the blocks. Each is handed on as it is opened, in position order. */
  async open(onBlock) {
    const { folder, warn } = this.#options;
    await mkdir(folder, { recursive: true });
    const names2 = (await readdir(folder)).sort();
    for (const name of names2.filter(isDraftFile)) await rm2(join6(folder, name));
    const files = names2.filter(isBlockFile);
    let previous = null;
    for (const [i, name] of files.entries()) {
      const next = await this.#openNext(name, previous);
      if (typeof next === 'string') {
        const dropped = files.slice(i);
        warn(
          { block: name, reason: next, dropped: dropped.length },
          'read store: a block cannot be used; it and all later ones are built again from the log',
        );
        await this.#remove(dropped);
        return;
      }
      onBlock(next);
      previous = next;
    }
  }
  async #openNext(name, previous) {
    const opened = await openBlock(join6(this.#options.folder, name), this.#options);
    if (opened.kind === 'damaged') return opened.reason;
    const { header } = opened.block;
    const expected = (previous?.header.lastPosition ?? 0) + 1;
    if (header.firstPosition !== expected)
      return `it begins at position ${header.firstPosition} where ${expected} is due`;
    if (previous !== null && !header.logId.equals(previous.header.logId))
      return 'it is of another log than the block before it';
    return opened.block;
  }
  /** Writes a tail as a block and opens it. Throws `storage_full` with the reason when the disk refuses. */
  async write(tail, logId) {
    try {
      const path = await writeBlock(this.#options.folder, tail, logId);
      const opened = await openBlock(path, this.#options);
      if (opened.kind === 'block') return opened.block;
      throw problem(
        'read_store_damaged',
        `A block was damaged while it was written: ${opened.reason}.`,
      );
    } catch (error) {
      throw toStorageProblem(error, this.#options.folder);
    }
  }
  /** Removes all blocks, the newest first, so that what a crash leaves is a sequence without a gap. */
  async clear() {
    const names2 = await readdir(this.#options.folder);
    await this.#remove(names2.filter((name) => isBlockFile(name) || isDraftFile(name)).sort());
  }
  async #remove(names2) {
    for (const name of names2.toReversed())
      await rm2(join6(this.#options.folder, name), { force: true });
  }
};
function toStorageProblem(error, folder) {
  if (!isNativeError2(error) || !('syscall' in error)) return error;
  return problem(
    'storage_full',
    `The read store cannot write to ${folder}: ${error.message}. Free space or repair the disk; writing is tried again.`,
    {},
    error,
  );
}

// services/query/src/history/match-rows.ts
var NONE = new Uint32Array(0);
var scratch = new Uint32Array(0);
var allRows = new Uint32Array(0);
function matchRows(run, selection) {
  const { source } = run;
  const tenant = source.tenantNames.indexOf(selection.tenant);
  if (tenant === -1 || run.rowCount === 0 || isOutsideOfTime(run, selection)) return NONE;
  const types = allowedTypes(source.typeNames, selection);
  if (types === 'none') return NONE;
  const rowCount =
    selection.untilPosition === void 0 ? run.rowCount : run.rowsUntil(selection.untilPosition);
  if (selection.entity !== void 0)
    return entityRows(run, { entity: selection.entity, rowCount, types, selection });
  return scan2(run, {
    rowCount,
    tenant: source.tenantNames.length === 1 ? -1 : tenant,
    types: types === 'all' ? null : types,
    ...timeBounds(run, selection),
  });
}
function isOutsideOfTime(run, { since, until }) {
  return (
    (since !== void 0 && run.timestampMax < since) || (until !== void 0 && run.timestampMin > until)
  );
}
function allowedTypes(typeNames, selection) {
  const { type, typePrefix, excludedTypePrefixes: excluded = [] } = selection;
  if (type === void 0 && typePrefix === void 0 && excluded.length === 0) return 'all';
  const allowed = new Uint8Array(typeNames.length);
  let count = 0;
  for (const [number, name] of typeNames.entries()) {
    if (type !== void 0 && name !== type) continue;
    if (typePrefix !== void 0 && !name.startsWith(typePrefix)) continue;
    if (excluded.some((prefix) => name.startsWith(prefix))) continue;
    allowed[number] = 1;
    count++;
  }
  if (count === 0) return 'none';
  return count === typeNames.length ? 'all' : allowed;
}
function timeBounds(run, { since, until }) {
  const from = since ?? Number.NEGATIVE_INFINITY;
  const to = until ?? Number.POSITIVE_INFINITY;
  return { from, to, isTimed: from > run.timestampMin || to < run.timestampMax };
}
function entityRows(run, search) {
  const { source } = run;
  const entity = source.findEntity(search.selection.tenant, search.entity);
  if (entity === -1) return NONE;
  const rows = source.rowsOfEntity(entity);
  const types = search.types === 'all' ? null : search.types;
  const { from, to, isTimed } = timeBounds(run, search.selection);
  const typeColumn = types === null ? null : source.types;
  const timestamps = isTimed ? source.timestamps : null;
  return rows.filter((row2) => {
    if (row2 >= search.rowCount) return false;
    if (types !== null && types[typeColumn?.[row2]] === 0) return false;
    const time = timestamps?.[row2];
    return time === void 0 || (time >= from && time <= to);
  });
}
function scan2(run, { rowCount, tenant, types, from, to, isTimed }) {
  const { source } = run;
  if (types === null && tenant === -1 && !isTimed) return firstRows(rowCount);
  if (scratch.length < rowCount) scratch = new Uint32Array(rowCount);
  const rows = scratch;
  let count = rowCount;
  if (types === null) for (let row2 = 0; row2 < rowCount; row2++) rows[row2] = row2;
  else count = keepTypes(rows, { rowCount, typeColumn: source.types, allowed: types });
  if (tenant !== -1) {
    const { entities, entityTenants } = source;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row2 = rows[i];
      rows[kept] = row2;
      kept += entityTenants[entities[row2]] === tenant ? 1 : 0;
    }
    count = kept;
  }
  if (isTimed) {
    const { timestamps } = source;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const row2 = rows[i];
      const time = timestamps[row2];
      rows[kept] = row2;
      kept += time >= from && time <= to ? 1 : 0;
    }
    count = kept;
  }
  return rows.slice(0, count);
}
function firstRows(count) {
  if (allRows.length < count) {
    allRows = new Uint32Array(count * 2);
    for (let row2 = 0; row2 < allRows.length; row2++) allRows[row2] = row2;
  }
  return allRows.subarray(0, count);
}
function keepTypes(rows, { rowCount, typeColumn, allowed }) {
  let kept = 0;
  for (let row2 = 0; row2 < rowCount; row2++) {
    rows[kept] = row2;
    kept += allowed[typeColumn[row2]];
  }
  return kept;
}

// services/query/src/history/sealer.ts
import { isNativeError as isNativeError3 } from 'node:util/types';
var WAITING_MAX = 2;
var Sealer = class {
  #options;
  #waiting = [];
  #isRunning = false;
  #running = Promise.resolve();
  #failure = null;
  constructor(options) {
    this.#options = options;
  }
  /** The tails that are not durable blocks yet, oldest first. */
  get waiting() {
    return this.#waiting;
  }
  /** Why the last write failed; null when it did not. */
  get failure() {
    return this.#failure;
  }
  /** Takes a tail that gets no more rows. */
  add(tail) {
    this.#waiting.push(tail);
    void this.#start();
  }
  /** Resolves when another tail may be filled. Throws what the disk says when it cannot be. */
  async ready() {
    while (this.#waiting.length > WAITING_MAX) {
      await this.#start();
      if (this.#failure !== null) throw this.#failure;
    }
  }
  /** Resolves when nothing is being written. Tails whose write failed are still waiting. */
  async idle() {
    await this.#running;
  }
  /** Forgets all tails, after the one being written. */
  async clear() {
    this.#waiting.splice(1);
    await this.#running;
    this.#waiting.length = 0;
    this.#failure = null;
  }
  #start() {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#running = this.#run();
    }
    return this.#running;
  }
  async #run() {
    for (let tail = this.#waiting[0]; tail !== void 0; tail = this.#waiting[0]) {
      try {
        const block = await this.#options.write(tail);
        this.#failure = null;
        this.#waiting.shift();
        this.#options.onSealed(tail, block);
      } catch (error) {
        assert(isNativeError3(error), 'the disk throws errors');
        this.#failure = error;
        this.#options.onFailed(error);
        break;
      }
    }
    this.#isRunning = false;
  }
};

// services/query/src/history/tail/tail-entities.ts
var ROWS_FIRST = 1024;
var NO_ROW = -1;
var TailEntities = class {
  /** The owner of a name is its tenant number. */
  names = new NameTable();
  #partitions = new Uint32Array(ROWS_FIRST);
  #lastRows = new Int32Array(ROWS_FIRST);
  #rowCounts = new Uint32Array(ROWS_FIRST);
  #previousRows = new Int32Array(ROWS_FIRST);
  /** Makes room for `rows` rows. There are never more entities than rows. */
  reserveRows(rows) {
    this.#previousRows = grown2(this.#previousRows, new Int32Array(rows));
    this.#partitions = grown2(this.#partitions, new Uint32Array(rows));
    this.#lastRows = grown2(this.#lastRows, new Int32Array(rows));
    this.#rowCounts = grown2(this.#rowCounts, new Uint32Array(rows));
  }
  /** Adds the next row to an entity. `partition` counts when the entity is new. Returns the entity's number. */
  addRow(name, row2, partition) {
    const known = this.names.count;
    const entity = this.names.numberOf(name);
    if (entity === known) {
      this.#partitions[entity] = partition;
      this.#lastRows[entity] = NO_ROW;
    }
    this.#previousRows[row2] = this.#lastRows[entity];
    this.#lastRows[entity] = row2;
    this.#rowCounts[entity] = this.#rowCounts[entity] + 1;
    return entity;
  }
  partition(entity) {
    return must(this.#partitions[entity], 'an entity of the tail');
  }
  /** The number of an entity; -1 when there is none. */
  find(tenant, entity) {
    const bytes = Buffer.from(entity);
    const range = { start: 0, end: bytes.length };
    const hash2 = entityHash(tenantSeed(tenant.name), bytes, range);
    return this.names.find({ ...range, bytes, hash: hash2, owner: tenant.number });
  }
  /** The rows of an entity, ascending. */
  rows(entity) {
    const rows = new Uint32Array(this.#rowCounts[entity]);
    let row2 = this.#lastRows[entity];
    for (let i = rows.length - 1; i >= 0; i--) {
      rows[i] = row2;
      row2 = this.#previousRows[row2];
    }
    return rows;
  }
};
function grown2(from, to) {
  to.set(from);
  return to;
}

// services/query/src/history/tail/tail.ts
var ROWS_FIRST2 = 1024;
var POSITIONS_MAX = 2 ** 31;
var Tail = class {
  firstPosition;
  #limits;
  #tenants = new Dictionary();
  #tenant = 0;
  #tenantSeed = 0;
  #types = new NameTable();
  typeNames = [];
  #entities = new TailEntities();
  #frames = [];
  #frameBytes = 0;
  #rowCount = 0;
  #lastPosition;
  #timestampMin = Number.POSITIVE_INFINITY;
  #timestampMax = Number.NEGATIVE_INFINITY;
  #isTimeOrdered = true;
  positions = new Uint32Array(ROWS_FIRST2);
  entities = new Uint32Array(ROWS_FIRST2);
  types = new Uint32Array(ROWS_FIRST2);
  versions = new Float64Array(ROWS_FIRST2);
  timestamps = new Float64Array(ROWS_FIRST2);
  recordedAts = new Float64Array(ROWS_FIRST2);
  /** Row to the number of its frame, and to its place in that frame. */
  #frameNumbers = new Uint32Array(ROWS_FIRST2);
  #frameIndexes = new Uint32Array(ROWS_FIRST2);
  /** A tail that goes on after `after`. */
  constructor(after, limits) {
    this.firstPosition = positionAfter(after, 1);
    this.#lastPosition = after;
    this.#limits = limits;
  }
  get rowCount() {
    return this.#rowCount;
  }
  /** The last position covered; the one before `firstPosition` when nothing is. */
  get lastPosition() {
    return this.#lastPosition;
  }
  /** True when it is time to seal. */
  get isFull() {
    return (
      this.#rowCount >= this.#limits.rows ||
      this.#frameBytes >= this.#limits.frameBytes ||
      this.#lastPosition - this.firstPosition >= POSITIONS_MAX
    );
  }
  /** Says that no event of a client lies up to `last`. */
  cover(last) {
    assert(last >= this.#lastPosition, 'a tail only grows');
    this.#lastPosition = last;
  }
  /** Takes a frame, which must begin right after the last position. */
  append(frame) {
    assert(frame.position === this.#lastPosition + 1, 'frames come without a gap');
    const { eventCount, recordedAt } = frame;
    const frameNumber = this.#frames.push(frame) - 1;
    this.#frameBytes += frame.bytes.length;
    this.#beginTenant(frame.tenant);
    this.#reserve(eventCount);
    this.recordedAts.fill(recordedAt, this.#rowCount, this.#rowCount + eventCount);
    for (let i = 0; i < eventCount; i++) {
      this.#frameNumbers[this.#rowCount] = frameNumber;
      this.#frameIndexes[this.#rowCount] = i;
      this.#appendRow(frame.event(i));
    }
    this.#lastPosition = frame.lastPosition;
  }
  #beginTenant(name) {
    if (this.#tenants.names[this.#tenant] === name) return;
    this.#tenant = this.#tenants.numberOf(name);
    this.#tenantSeed = tenantSeed(name);
  }
  #appendRow(event) {
    const row2 = this.#rowCount++;
    const { timestamp } = event;
    this.positions[row2] = event.position - this.firstPosition;
    this.types[row2] = this.#typeOf(event);
    this.versions[row2] = event.version;
    this.timestamps[row2] = timestamp;
    this.entities[row2] = this.#entities.addRow(this.#entityOf(event), row2, event.partition);
    if (timestamp < this.#timestampMin) this.#timestampMin = timestamp;
    if (timestamp >= this.#timestampMax) this.#timestampMax = timestamp;
    else this.#isTimeOrdered = false;
  }
  #entityOf(event) {
    const { bytes } = event.frame;
    const { entityStart: start, entityEnd: end } = event;
    const hash2 = entityHash(this.#tenantSeed, bytes, { start, end });
    return { bytes, start, end, hash: hash2, owner: this.#tenant };
  }
  #typeOf(event) {
    const { bytes } = event.frame;
    const { typeStart: start, entityStart: end } = event;
    const hash2 = entityHash(0, bytes, { start, end });
    const type = this.#types.numberOf({ bytes, start, end, hash: hash2, owner: 0 });
    if (type === this.typeNames.length) this.typeNames.push(event.type);
    return type;
  }
  #reserve(rows) {
    const wanted = this.#rowCount + rows;
    if (wanted <= this.positions.length) return;
    const capacity = Math.max(wanted, Math.min(this.#limits.rows, this.positions.length * 2));
    this.positions = grown3(this.positions, new Uint32Array(capacity));
    this.entities = grown3(this.entities, new Uint32Array(capacity));
    this.types = grown3(this.types, new Uint32Array(capacity));
    this.versions = grown3(this.versions, new Float64Array(capacity));
    this.timestamps = grown3(this.timestamps, new Float64Array(capacity));
    this.recordedAts = grown3(this.recordedAts, new Float64Array(capacity));
    this.#frameNumbers = grown3(this.#frameNumbers, new Uint32Array(capacity));
    this.#frameIndexes = grown3(this.#frameIndexes, new Uint32Array(capacity));
    this.#entities.reserveRows(capacity);
  }
  /** The rows there are now, as a run. */
  run() {
    return new EventRun(this, {
      rowCount: this.#rowCount,
      lastPosition: this.#lastPosition,
      timestampMin: micros(this.#rowCount === 0 ? 0 : this.#timestampMin),
      timestampMax: micros(this.#rowCount === 0 ? 0 : this.#timestampMax),
      isTimeOrdered: this.#isTimeOrdered,
    });
  }
  get tenantNames() {
    return this.#tenants.names;
  }
  get entityCount() {
    return this.#entities.names.count;
  }
  get entityTenants() {
    return this.#entities.names.owners;
  }
  get entityHashes() {
    return this.#entities.names.hashes;
  }
  get entityNameEnds() {
    return this.#entities.names.ends;
  }
  get entityNames() {
    return this.#entities.names.bytes;
  }
  entityName(entity) {
    return this.#entities.names.name(entity);
  }
  entityPartition(entity) {
    return this.#entities.partition(entity);
  }
  findEntity(tenant, entity) {
    return this.#entities.find({ number: this.#tenants.find(tenant), name: tenant }, entity);
  }
  rowsOfEntity(entity) {
    return this.#entities.rows(entity);
  }
  eventId(row2) {
    return this.frameEvent(row2).id;
  }
  payload(row2) {
    return this.frameEvent(row2).payload;
  }
  metadata(row2) {
    return this.frameEvent(row2).metadata;
  }
  /** The event of a row as its frame holds it. */
  frameEvent(row2) {
    const frame = must(this.#frames[this.#frameNumbers[row2] ?? -1], 'a row of the tail');
    return frame.event(this.#frameIndexes[row2]);
  }
};
function grown3(from, to) {
  to.set(from);
  return to;
}

// services/query/src/history/block-history.ts
var MIB4 = 1024 * 1024;
var TAIL_BYTES = 64 * MIB4;
var CACHE_LIMITS = { columnBytesMax: 512 * MIB4, textBytesMax: 128 * MIB4 };
var BlockHistory = class _BlockHistory {
  #options;
  #folder;
  #sealer;
  #blocks = [];
  #tail;
  /** The rows of the tail that the listeners know. */
  #announcedRows = 0;
  #logId = null;
  #damage = null;
  constructor(options) {
    this.#options = options;
    this.#folder = new BlockFolder({
      folder: options.folder,
      cache: new BlockCache(options.cacheLimits ?? CACHE_LIMITS),
      warn: (facts, message) => options.logger.warn(facts, message),
      onDamage: (block, reason) => this.#onDamage(block, reason),
    });
    this.#sealer = new Sealer({
      write: (tail) => this.#folder.write(tail, Buffer.from(must(this.#logId, 'a log'), 'hex')),
      onSealed: (_tail, block) => this.#blocks.push(block),
      onFailed: (error) =>
        options.logger.error({ err: error }, 'read store: writing a block failed'),
    });
    this.#tail = this.#newTail(POSITION_ZERO);
  }
  /** Opens the history in a folder, which is made if needed. Blocks that cannot be used are removed with a warning. */
  static async open(options) {
    const history = new _BlockHistory(options);
    await history.#folder.open((block) => history.#addOpened(block));
    return history;
  }
  #addOpened(block) {
    this.#blocks.push(block);
    this.#logId = block.header.logId.toString('hex');
    this.#tail = this.#newTail(block.header.lastPosition);
    for (const listener of this.#options.listeners) listener.rowsAdded(block.run, 0);
  }
  get appliedPosition() {
    return this.#tail.lastPosition;
  }
  /** Up to here the history survives a crash. */
  get durablePosition() {
    return this.#blocks.at(-1)?.header.lastPosition ?? POSITION_ZERO;
  }
  get logId() {
    return this.#logId;
  }
  /** What is wrong with the store, in a sentence; null when all is well. For readiness. */
  get fault() {
    return this.#damage ?? this.#sealer.failure?.message ?? null;
  }
  /** Applies frames after `appliedPosition`; what was applied already is passed over. Throws `storage_full` before it takes any. */
  async apply(frames, logId) {
    this.#requireLog(logId);
    await this.#sealer.ready();
    for (const frame of frames) this.#take(frame);
    this.#announce();
  }
  /** Says that the log holds no more events up to `position`. */
  advance(position2, logId) {
    this.#requireLog(logId);
    if (position2 <= this.appliedPosition) return;
    this.#tail.cover(position2);
    this.#sealIfFull();
  }
  #requireLog(logId) {
    assert(this.#logId === null || this.#logId === logId, 'one history holds one log');
    this.#logId = logId;
  }
  #take(frame) {
    const { appliedPosition } = this;
    if (frame.lastPosition <= appliedPosition) return;
    assert(frame.position <= appliedPosition + 1, `a frame is missing after ${appliedPosition}`);
    assert(frame.position > appliedPosition, `a frame holds position ${appliedPosition} inside`);
    if (frame.isSystem) this.#tail.cover(frame.lastPosition);
    else this.#tail.append(frame);
    this.#sealIfFull();
  }
  #sealIfFull() {
    if (!this.#tail.isFull) return;
    this.#announce();
    const full = this.#tail;
    this.#tail = this.#newTail(full.lastPosition);
    this.#sealer.add(full);
  }
  #announce() {
    const from = this.#announcedRows;
    if (this.#tail.rowCount === from) return;
    this.#announcedRows = this.#tail.rowCount;
    const run = this.#tail.run();
    for (const listener of this.#options.listeners) listener.rowsAdded(run, from);
  }
  #newTail(after) {
    this.#announcedRows = 0;
    return new Tail(after, { rows: this.#options.blockEvents, frameBytes: TAIL_BYTES });
  }
  *select(selection) {
    for (const { run, rows } of this.matches(selection))
      for (const row2 of rows) yield run.event(row2);
  }
  *matches(selection) {
    for (const run of this.#runs()) {
      const rows = matchRows(run, selection);
      if (rows.length > 0) yield { run, rows };
    }
  }
  eventAt(tenant, position2) {
    const run = this.#runOf(position2);
    const row2 = run.rowAt(position2);
    if (row2 === -1) return null;
    const event = run.event(row2);
    return event.tenant === tenant ? event : null;
  }
  /** The run that covers a position; the tail for one that nothing covers yet. */
  #runOf(position2) {
    if (position2 > this.durablePosition) {
      const waiting = this.#sealer.waiting.find((tail) => tail.lastPosition >= position2);
      return (waiting ?? this.#tail).run();
    }
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (must(this.#blocks[middle], 'a block').header.lastPosition < position2) low = middle + 1;
      else high = middle;
    }
    return must(this.#blocks[low], 'a block').run;
  }
  /** All runs of this moment, in position order. */
  #runs() {
    return [
      ...this.#blocks.map((block) => block.run),
      ...this.#sealer.waiting.map((tail) => tail.run()),
      this.#tail.run(),
    ];
  }
  /** Empties the history, on disk and in memory. */
  async reset() {
    await this.#sealer.clear();
    await this.#folder.clear();
    this.#blocks.length = 0;
    this.#tail = this.#newTail(POSITION_ZERO);
    this.#logId = null;
    this.#damage = null;
    for (const listener of this.#options.listeners) listener.emptied();
  }
  /** Waits for the block being written. The tail is not written: a short block at every stop would only be one more to search. */
  async close() {
    await this.#sealer.idle();
  }
  #onDamage(block, reason) {
    if (!this.#blocks.includes(block)) return;
    const name = basename2(block.path);
    this.#options.logger.error({ block: name, reason }, 'read store: a block is damaged');
    rmSync3(block.path, { force: true });
    this.#damage = `Block ${name} of the read store is damaged: ${reason}. Start the service again; it then builds the block again from the log.`;
  }
};

// services/query/src/projections/projection-folds.ts
import { setImmediate as nextTurn5 } from 'node:timers/promises';
var EVENTS_A_TURN = 512;
var KEYS_MAX = 65536;
var BYTES_MAX = 32 * 1024 * 1024;
var SAVE_AFTER_MS = 500;
var ProjectionFolds = class {
  #options;
  /** What has been folded since the last save, by tenant. */
  #folds = /* @__PURE__ */ new Map();
  #textBytes = /* @__PURE__ */ new Map();
  #keyCount = 0;
  #bytes = 0;
  #position;
  #logId;
  /** The end of what is being done; the next begins after it. */
  #busy = Promise.resolve();
  #timer = null;
  #isClosed = false;
  constructor(options) {
    this.#options = options;
    this.#position = options.store.position;
    this.#logId = options.store.logId;
    options.store.onReplaced = () => this.#forget();
  }
  get appliedPosition() {
    return this.#position;
  }
  get logId() {
    return this.#logId;
  }
  apply(frames, logId) {
    return this.#alone(async () => {
      this.#requireNext(frames);
      for (const stretch of stretchesOf(frames)) {
        if (this.#isFull) await this.#save();
        this.#foldAll(stretch, logId);
        await nextTurn5();
      }
      this.#saveLater();
    });
  }
  advance(position2, logId) {
    return this.#alone(() => {
      this.#position = position2;
      this.#logId = logId;
      this.#saveLater();
    });
  }
  reset() {
    return this.#alone(() => this.#options.store.reset());
  }
  /** The state of a key, or null when there is none. */
  state(projection, tenant, key) {
    const folds = this.#folds.get(tenant)?.find((one) => one.projection === projection);
    const fold = folds?.byKey.get(key);
    return fold === void 0
      ? this.#options.store.state(projection, tenant, key)
      : { key, state: fold.print() };
  }
  /** States in the order of their keys. */
  list(page) {
    return this.#alone(async () => {
      await this.#save();
      const { store } = this.#options;
      const total = store.count(page.projection, page.tenant, page.keyPrefix);
      return { states: store.page(page), total, position: store.position };
    });
  }
  /** Bytes of names, payloads and metadata of a tenant's events. */
  textBytes(tenant) {
    return this.#options.store.textBytes(tenant) + (this.#textBytes.get(tenant) ?? 0);
  }
  /** Saves what is in memory; what cannot be saved the log gives again. The store is closed by who opened it. */
  async close() {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#alone(() => this.#save()).catch(this.#options.onSaveFailed);
  }
  #alone(work) {
    const done = this.#busy.then(work);
    this.#busy = done.catch(() => {});
    return done;
  }
  // A read can find the file damaged and replace it by an empty one; frames that were on their way then must not be taken.
  #requireNext([first]) {
    if (first === void 0 || first.position === this.#position + 1) return;
    throw problem(
      'read_behind',
      `The projections stand at position ${this.#position}, and the next frame begins at ${first.position}.`,
    );
  }
  #foldAll(frames, logId) {
    const startedAt = performance.now();
    let eventCount = 0;
    try {
      for (const frame of frames) {
        if (!frame.isSystem) {
          this.#foldFrame(frame);
          eventCount += frame.eventCount;
        }
        this.#position = frame.lastPosition;
      }
    } catch (error) {
      this.#forget();
      throw error;
    }
    this.#logId = logId;
    this.#options.onFolded({ frames, eventCount, durationMs: performance.now() - startedAt });
  }
  #foldFrame(frame) {
    const { tenant } = frame;
    const folds = this.#foldsOf(tenant);
    let textBytes = this.#textBytes.get(tenant) ?? 0;
    for (const event of frame.events()) {
      for (const fold of folds) this.#keyFold(fold, event).add(event);
      textBytes += textBytesOf(event);
    }
    this.#textBytes.set(tenant, textBytes);
    this.#bytes += frame.bytes.length;
  }
  #foldsOf(tenant) {
    const known = this.#folds.get(tenant);
    if (known !== void 0) return known;
    const folds = this.#options.projections.map((projection) => ({
      tenant,
      projection,
      byKey: /* @__PURE__ */ new Map(),
    }));
    this.#folds.set(tenant, folds);
    return folds;
  }
  #keyFold({ tenant, projection, byKey }, event) {
    const key = projection.keyOf(event);
    const known = byKey.get(key);
    if (known !== void 0) return known;
    const stored = projection.isFirstOfKey(event)
      ? null
      : this.#options.store.state(projection, tenant, key);
    const fold = projection.open(stored);
    byKey.set(key, fold);
    this.#keyCount += 1;
    this.#bytes += stored?.state?.length ?? 0;
    return fold;
  }
  get #isFull() {
    return this.#keyCount >= KEYS_MAX || this.#bytes >= BYTES_MAX;
  }
  #saveLater() {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#alone(() => this.#save()).catch((error) => {
        this.#options.onSaveFailed(error);
        this.#saveLater();
      });
    }, SAVE_AFTER_MS);
  }
  async #save() {
    const { store } = this.#options;
    if (this.#logId === null || this.#position === store.position) return;
    await store.save({
      position: this.#position,
      logId: this.#logId,
      states: this.#statesByKey(),
      textBytes: this.#textBytes,
    });
    this.#forget();
  }
  // Keys in their order meet each page of the file once.
  *#statesByKey() {
    for (const tenant of [...this.#folds.keys()].toSorted()) {
      for (const { projection, byKey } of this.#folds.get(tenant) ?? []) {
        for (const key of [...byKey.keys()].toSorted())
          yield { tenant, projection, key, state: byKey.get(key)?.print() ?? null };
      }
    }
  }
  /** Lets go of what is in memory; the store alone counts. */
  #forget() {
    const { store } = this.#options;
    this.#folds = /* @__PURE__ */ new Map();
    this.#textBytes = /* @__PURE__ */ new Map();
    this.#keyCount = 0;
    this.#bytes = 0;
    this.#position = store.position;
    this.#logId = store.logId;
  }
};
function* stretchesOf(frames) {
  let stretch = [];
  let events = 0;
  for (const frame of frames) {
    stretch.push(frame);
    events += frame.eventCount;
    if (events < EVENTS_A_TURN) continue;
    yield stretch;
    stretch = [];
    events = 0;
  }
  if (stretch.length > 0) yield stretch;
}
function textBytesOf(event) {
  const { typeBytes, entityBytes, payload, metadata } = event;
  return typeBytes.length + entityBytes.length + payload.length + (metadata?.length ?? 0);
}

// services/query/src/projections/projection-store.ts
import { setImmediate as nextTurn6 } from 'node:timers/promises';

// services/query/src/projections/projection-database.ts
import {
  existsSync as existsSync3,
  mkdirSync as mkdirSync3,
  renameSync,
  rmSync as rmSync4,
} from 'node:fs';
import { dirname as dirname2 } from 'node:path';
import Database from 'better-sqlite3';
var FORMAT = 1;
var CACHE_KIB = 64 * 1024;
var TABLES = `
  CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log_id TEXT,
    position INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
  );
  CREATE TABLE states (
    projection INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT,
    PRIMARY KEY (projection, tenant, key)
  ) WITHOUT ROWID;
  CREATE TABLE usage (
    tenant TEXT PRIMARY KEY,
    text_bytes INTEGER NOT NULL
  ) WITHOUT ROWID;
`;
function openProjectionDatabase(file, nowMs) {
  mkdirSync3(dirname2(file), { recursive: true });
  const fault2 = existsSync3(file) ? fileFault(file) : null;
  if (fault2 !== null) setAsideDatabase(file);
  const database = new Database(file);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma(`cache_size = -${CACHE_KIB}`);
  if (database.pragma('user_version', { simple: true }) !== FORMAT) makeTables(database, nowMs);
  return { database, setAside: fault2 };
}
function makeTables(database, nowMs) {
  const make = database.transaction(() => {
    database.exec(TABLES);
    database.prepare('INSERT INTO progress VALUES (1, NULL, 0, ?)').run(nowMs);
    database.pragma(`user_version = ${FORMAT}`);
  });
  make();
}
function fileFault(file) {
  let database = null;
  try {
    database = new Database(file);
    const format = database.pragma('user_version', { simple: true });
    if (format !== FORMAT) return `its format is ${String(format)}, this program writes ${FORMAT}`;
    const progress = database.prepare('SELECT position FROM progress').get();
    return progress === void 0 ? 'it does not say its position' : null;
  } catch (error) {
    if (sqliteCode(error) !== null) return String(error);
    throw error;
  } finally {
    database?.close();
  }
}
function setAsideDatabase(file) {
  renameSync(file, `${file}.set-aside`);
  for (const suffix of ['-wal', '-shm']) rmSync4(file + suffix, { force: true });
}
function isDamage(error) {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode(error) ?? '');
}
function sqliteCode(error) {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : null;
}

// services/query/src/projections/projection-store.ts
var BEHIND_ALL = '\u{10FFFF}'.repeat(33);
var ROWS_A_TURN2 = 500;
var ProjectionStore = class {
  /** Called when the file was replaced by an empty one. */
  onReplaced = () => {};
  #options;
  #database;
  #statements;
  #position;
  #logId;
  #createdMs;
  constructor(options) {
    this.#options = options;
    const opened = openProjectionDatabase(options.file, options.nowMs());
    if (opened.setAside !== null) options.onSetAside(opened.setAside);
    this.#database = opened.database;
    this.#statements = prepareStatements(opened.database);
    const progress = readProgress(opened.database);
    this.#position = position(progress.position);
    this.#logId = progress.logId;
    this.#createdMs = progress.createdMs;
  }
  get position() {
    return this.#position;
  }
  /** The log the states come from, as hex; null while there are none. */
  get logId() {
    return this.#logId;
  }
  /** When the file was made, in milliseconds since the epoch. */
  get createdMs() {
    return this.#createdMs;
  }
  /**
   * Applies a change whole or not at all; one call at a time. The event loop turns while it writes, and what is read meanwhile may be older or newer,
   * so the caller answers from memory for the keys it saves. Throws what SQLite says.
   */
  async save(change) {
    const { saveState, addTextBytes, saveProgress } = this.#statements;
    const database = this.#database;
    await this.#guardedAsync(async () => {
      database.exec('BEGIN IMMEDIATE');
      try {
        let rows = 0;
        for (const { projection, tenant, key, state } of change.states) {
          saveState.run(projection.number, tenant, key, state);
          if (++rows % ROWS_A_TURN2 === 0) await nextTurn6();
        }
        for (const [tenant, bytes] of change.textBytes) addTextBytes.run(tenant, bytes);
        saveProgress.run(change.logId, change.position);
        database.exec('COMMIT');
      } catch (error) {
        if (database.open && database.inTransaction) database.exec('ROLLBACK');
        throw error;
      }
    });
    this.#position = change.position;
    this.#logId = change.logId;
  }
  /** The state of a key, or null when there is none. */
  state(projection, tenant, key) {
    return this.#guarded(() => this.#statements.state.get(projection.number, tenant, key) ?? null);
  }
  /** States in the order of their keys. */
  page({ projection, tenant, keyPrefix, limit, offset }) {
    const { page } = this.#statements;
    const end = keyPrefix + BEHIND_ALL;
    return this.#guarded(() => page.all(projection.number, tenant, keyPrefix, end, limit, offset));
  }
  /** The number of keys that begin with a prefix. */
  count(projection, tenant, keyPrefix) {
    const { count } = this.#statements;
    const end = keyPrefix + BEHIND_ALL;
    return this.#guarded(() => count.get(projection.number, tenant, keyPrefix, end)?.count ?? 0);
  }
  /** Bytes of names, payloads and metadata of a tenant's events. */
  textBytes(tenant) {
    return this.#guarded(() => this.#statements.textBytes.get(tenant)?.textBytes ?? 0);
  }
  /** Empties the store. */
  reset() {
    this.#replaceFile();
  }
  close() {
    this.#database.close();
  }
  #guarded(work) {
    try {
      return work();
    } catch (error) {
      this.#replaceIfDamaged(error);
      throw error;
    }
  }
  async #guardedAsync(work) {
    try {
      await work();
    } catch (error) {
      this.#replaceIfDamaged(error);
      throw error;
    }
  }
  #replaceIfDamaged(error) {
    if (!isDamage(error)) return;
    this.#options.onSetAside(String(error));
    this.#replaceFile();
  }
  #replaceFile() {
    this.#database.close();
    setAsideDatabase(this.#options.file);
    const nowMs = this.#options.nowMs();
    this.#database = openProjectionDatabase(this.#options.file, nowMs).database;
    this.#statements = prepareStatements(this.#database);
    this.#position = position(0);
    this.#logId = null;
    this.#createdMs = nowMs;
    this.onReplaced();
  }
};
function prepareStatements(database) {
  return {
    state: database.prepare(
      'SELECT key, state FROM states WHERE projection = ? AND tenant = ? AND key = ?',
    ),
    page: database.prepare(
      `SELECT key, state FROM states WHERE projection = ? AND tenant = ? AND key >= ? AND key <= ?
       ORDER BY key LIMIT ? OFFSET ?`,
    ),
    count: database.prepare(
      `SELECT count(*) AS count FROM states WHERE projection = ? AND tenant = ? AND key >= ? AND key <= ?`,
    ),
    textBytes: database.prepare('SELECT text_bytes AS textBytes FROM usage WHERE tenant = ?'),
    saveState: database.prepare(
      `INSERT INTO states (projection, tenant, key, state) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state`,
    ),
    addTextBytes: database.prepare(
      `INSERT INTO usage (tenant, text_bytes) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET text_bytes = text_bytes + excluded.text_bytes`,
    ),
    saveProgress: database.prepare('UPDATE progress SET log_id = ?, position = ?'),
  };
}
function readProgress(database) {
  const read = database.prepare(
    'SELECT log_id AS logId, position, created_ms AS createdMs FROM progress',
  );
  return must(read.get(), 'a database that was opened has its progress');
}

// services/query/src/read-stores.ts
var TOKEN_MISSING = 'The internal token is not there yet: core makes it at its first start.';
var TOKEN_WAIT_MS = 500;
var ReadStores = class _ReadStores {
  access = new AccessSink();
  catalog;
  history;
  projections;
  accessFollower;
  historyFollower;
  projectionFollower;
  #options;
  #projectionStore;
  #followed;
  #starting = null;
  #isClosed = false;
  constructor(options, opened) {
    this.#options = options;
    this.history = opened.history;
    this.catalog = opened.catalog;
    this.#projectionStore = openProjections(options);
    this.projections = new ProjectionFolds({
      store: this.#projectionStore,
      projections: BUILT_IN_PROJECTIONS,
      onFolded: options.onFolded,
      onSaveFailed: (error) => {
        options.logger.error({ err: error }, 'the projections could not be saved');
      },
    });
    this.accessFollower = pending(this.access);
    this.historyFollower = pending(this.history);
    this.projectionFollower = pending(this.projections);
    this.#followed = [
      { name: 'access', sink: this.access, follower: this.accessFollower, only: 'system' },
      { name: 'history', sink: this.history, follower: this.historyFollower },
      { name: 'projections', sink: this.projections, follower: this.projectionFollower },
    ];
  }
  /** Opens the stores in the folder of the service. */
  static async open(options) {
    const { config, logger } = options;
    const catalog = new Catalog();
    const history = await BlockHistory.open({
      folder: join7(config.folder, 'history'),
      blockEvents: config.blockEvents,
      logger,
      listeners: [catalog],
    });
    return new _ReadStores(options, { history, catalog });
  }
  /** Begins to follow core, now or as soon as that is possible. */
  start() {
    this.#starting ??= this.#startFollowing();
  }
  /** When the projections were begun, in milliseconds since the epoch. */
  get projectionsCreatedMs() {
    return this.#projectionStore.createdMs;
  }
  /** For the metrics. */
  get followed() {
    return this.#followed.map(({ name, follower }) => ({ name, status: () => follower.status }));
  }
  readinessChecks() {
    const followed = this.#followed.map(({ name, follower }) => ({
      name,
      fault: () => followFault(follower),
    }));
    return [...followed, { name: 'history files', fault: () => this.history.fault }];
  }
  /** Stops following, then closes the stores. */
  async close() {
    this.#isClosed = true;
    await this.#starting;
    await Promise.all(this.#followed.map(({ follower }) => follower.close()));
    await this.history.close();
    await this.projections.close();
    this.#projectionStore.close();
  }
  async #startFollowing() {
    const internalToken = await this.#internalToken();
    if (internalToken === null) return;
    const { config, logger } = this.#options;
    const { coreUrl, natsUrl } = config;
    for (const { sink, follower, only } of this.#followed) {
      const options = { coreUrl, natsUrl, internalToken, sink, logger, only };
      follower.follow(createLogFollower(options));
    }
  }
  /** Waits for the token as long as the service runs; null when it stops first. */
  async #internalToken() {
    const { config, logger } = this.#options;
    for (let looks = 0; !this.#isClosed; looks++) {
      try {
        return await awaitInternalToken(config, TOKEN_WAIT_MS);
      } catch (error) {
        if (!(error instanceof Problem) || error.code !== 'starting') throw error;
        if (looks === 0) logger.warn({ reason: error.message }, 'waiting for core');
      }
    }
    return null;
  }
};
function openProjections({ config, logger }) {
  return new ProjectionStore({
    file: join7(config.folder, 'projections.sqlite'),
    nowMs: () => systemClock.nowMicros() / 1e3,
    onSetAside: (reason) => {
      logger.warn({ reason }, 'the projections are set aside and computed again');
    },
  });
}
function pending(sink) {
  return new PendingFollower({ sink, missing: TOKEN_MISSING });
}
function followFault({ status }) {
  if (status.fault !== null) return status.fault;
  if (status.hasCaughtUp) return null;
  return `at position ${status.appliedPosition} of ${status.knownHead}`;
}

// services/query/src/create-service.ts
var VERSION = '0.1.0';
async function createQueryService(config) {
  const lock = await lockFolder(config.folder, 'query');
  try {
    const logger = createLogger('query', config.logLevel);
    const httpMetrics = new HttpMetrics('allsource_query');
    const metrics = new QueryMetrics(httpMetrics.registry);
    const ingestRates = new TenantRates();
    const stores = await ReadStores.open({
      config,
      logger,
      onFolded: ({ frames, eventCount, durationMs }) => {
        metrics.countFolded(eventCount, durationMs);
        for (const { tenant, eventCount: count, recordedAt, isSystem } of frames)
          if (!isSystem) ingestRates.add(tenant, count, recordedAt / 1e3);
      },
    });
    const releaseLock = () => lock.release();
    const parts = { config, logger, httpMetrics, metrics, ingestRates, stores, releaseLock };
    return await new Query(parts).start();
  } catch (error) {
    await lock.release();
    throw error;
  }
}
var Query = class {
  #options;
  #authenticator;
  #live = new LiveConnections();
  #core;
  #controlPlane;
  /** Set when the service begins to stop; readiness fails first. */
  #isClosing = false;
  constructor(options) {
    const { config, stores, metrics } = options;
    this.#options = options;
    this.#core = new Upstream('core', config.coreUrl);
    this.#controlPlane =
      config.controlPlaneUrl === null
        ? null
        : new Upstream('control-plane', config.controlPlaneUrl);
    this.#authenticator = new Authenticator({
      directory: stores.access.directory,
      jwtSecret: config.jwtSecret,
      devTenant: config.devMode ? config.bootstrapTenant : null,
      nowMs: () => systemClock.nowMicros() / 1e3,
    });
    metrics.watch({
      stores: stores.followed,
      liveConnections: () => this.#live.count,
      projectionCount: BUILT_IN_PROJECTIONS.length,
    });
  }
  async start() {
    const { config, logger, stores, httpMetrics } = this.#options;
    const { directory } = stores.access;
    const routes = this.#routes();
    const app = createApp({
      edge: 'gateway',
      routes,
      guard: createGuard({ authenticator: this.#authenticator, internalToken: null }),
      resolveTenant: (principal, requested) => resolveTenant(principal, requested, directory),
      logger,
      metrics: httpMetrics,
    });
    const server = this.#server(app, routes);
    const portSetting2 = 'QUERY_PORT';
    const port = await listen(server, {
      host: config.host,
      port: config.queryPort,
      portSetting: portSetting2,
    });
    stores.start();
    const url = `http://${config.host}:${port}`;
    return { url, port, app, routes, close: () => this.#close(server) };
  }
  #routes() {
    const { stores, config, logger, httpMetrics, metrics, ingestRates } = this.#options;
    const waitMs = config.readWaitMs;
    const { history, historyFollower, projections, projectionFollower } = stores;
    return queryRoutes({
      health: { service: 'allsource-query', version: VERSION, checks: this.#readinessChecks() },
      stores,
      historyGate: new ReadGate({ follower: historyFollower, store: history, waitMs }),
      projectionGate: new ReadGate({
        follower: projectionFollower,
        store: projections,
        waitMs,
      }),
      clock: systemClock,
      metrics,
      registry: httpMetrics.registry,
      ingestRates,
      forwarder: new Forwarder({
        name: 'gateway',
        translateError: gatewayErrorBody,
        bodyBytesMax: config.bodyBytesMax,
        live: this.#live,
        logger,
        onOutcome: (upstream, outcome) => metrics.countForwarded(upstream, outcome),
      }),
      core: this.#core,
      controlPlane: this.#controlPlane,
    });
  }
  #server(app, routes) {
    const { stores, logger } = this.#options;
    const access = new FreshAccess({
      authenticator: this.#authenticator,
      directory: stores.access.directory,
      follower: stores.accessFollower,
    });
    const publicPaths = new Set(
      routes.filter(({ needs }) => needs === 'public').map(({ path }) => path),
    );
    const server = createServer2({ maxHeaderSize: LIMITS.headerBytesMax }, (request, response) => {
      if (publicPaths.has(pathOf(request)) || access.isDecidable(request)) app(request, response);
      else void serveRefreshed({ access, request, response, app });
    });
    const upgrades = new UpgradeProxy({ core: this.#core, live: this.#live, logger });
    allowLongRequests(server);
    server.on('upgrade', (request, socket, head) => upgrades.handle(request, socket, head));
    return server;
  }
  #readinessChecks() {
    const stopping = () => (this.#isClosing ? 'the service is shutting down' : null);
    return [{ name: 'accepting', fault: stopping }, ...this.#options.stores.readinessChecks()];
  }
  async #close(server) {
    const { config, stores, releaseLock } = this.#options;
    this.#isClosing = true;
    this.#live.close();
    await closeServer(server, config.shutdownGraceMs);
    await stores.close();
    this.#core.close();
    this.#controlPlane?.close();
    await releaseLock();
  }
};
async function serveRefreshed({ access, request, response, app }) {
  try {
    await access.refresh();
  } catch (error) {
    const context = { instance: pathOf(request) };
    sendProblem(response, toProblem(error), { edge: 'gateway', context });
    return;
  }
  app(request, response);
}
function pathOf(request) {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

// services/query/src/main.ts
await runService('query', () => createQueryService(readQueryConfig(process.env)));
//# sourceMappingURL=main.js.map
