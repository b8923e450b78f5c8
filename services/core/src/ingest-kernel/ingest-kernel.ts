/**
 * The ingest kernel: from a request body to a placed frame and its answer without an object, a string or a promise for each event. The work is
 * done in WebAssembly (kernel/assembly); this class brings bytes in and out.
 *
 * Order of calls for a commit: `scan...` or `load` fills the event table, then `commit` places its events, draws the frame and writes the
 * answer. Both happen in one turn of the event loop: the tables hold one request at a time, and a `ScannedRequest` whose place was taken by
 * another is refused as a programming error. `lookUp` may be called at any time.
 *
 * The entity table holds what was placed, durable or not; `undo` takes back a frame that will not be durable, newest first, and `fold`
 * takes in a frame that was placed by another process or before a restart.
 */
import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { assert } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { type Micros, type Position, type Version, version } from '@allsource/shared/model';
import { Frame, type IdempotencyMark } from '@allsource/shared/protocol';
import {
  type AnswerBytes,
  countTypes,
  type LineGroup,
  type PlacementEvent,
  type RequestShape,
  type ScannedRequest,
} from '../append/commit-builder.ts';
import type { EventColumns } from '../append/event-columns.ts';
import type { EventTexts } from '../append/event-texts.ts';
import { AnswerBuffers } from './answer-buffers.ts';
import { enterColumns } from './enter-columns.ts';
import { EntityTableSection } from './entity-table-section.ts';
import { type EventSpans, readEventRecord, type Span, writeEventRecord } from './event-record.ts';
import {
  CONTEXT_DIGEST,
  CONTEXT_KEY,
  CONTEXT_LOG_ID,
  CONTEXT_TENANT,
  EVENT_BYTES,
  INPUT,
  KernelMemory,
  type KernelMemoryOptions,
} from './kernel-memory.ts';
import { ScannedTexts } from './scanned-texts.ts';

/** What a scan must know besides the body. */
export interface ScanRules {
  readonly payloadBytesMax: number;
  readonly batchEventsMax: number;
  readonly now: Micros;
}

/** Whose entities: the tenant, and whether they are clients' or the store's own. */
export interface EntityScope {
  readonly tenant: string;
  readonly isSystem: boolean;
}

/** What a frame holds beyond its events. */
export interface CommitContext extends EntityScope {
  readonly logId: Buffer;
  readonly position: Position;
  readonly recordedAt: Micros;
  readonly durablePosition: Position;
  readonly previousChecksum: number;
  readonly partitionCount: number;
  readonly idempotency: IdempotencyMark | null;
}

export type KernelCommit =
  | { readonly kind: 'committed'; readonly frame: Frame }
  | { readonly kind: 'conflict'; readonly index: number; readonly current: Version }
  /** The entity table has used up its memory. Nothing was placed. */
  | { readonly kind: 'table_full' };

/** What the counters of a fold need to know of a frame. */
export interface FrameSummary {
  readonly newEntities: number;
  readonly types: ReadonlyMap<string, number>;
}

const PLACED = -1;
const TABLE_FULL = -2;
const CHECKSUM_AT = 8;
const CHECKSUM_FROM = 12;

export class IngestKernel {
  /** The entity table as a checkpoint keeps it. */
  readonly entityTable: EntityTableSection;
  readonly #memory: KernelMemory;
  readonly #answers = new AnswerBuffers();
  readonly #inputBytesMax: number;
  readonly #eventsMax: number;
  /** Bytes of the input that was scanned last. */
  #inputBytes = 0;
  /** Goes up whenever the event table is written, so that a stale request is noticed. */
  #generation = 0;

  constructor(options: KernelMemoryOptions) {
    this.#memory = new KernelMemory(options);
    this.entityTable = new EntityTableSection(this.#memory, options.hashKey);
    this.#inputBytesMax = options.inputBytesMax;
    this.#eventsMax = options.eventsMax;
  }

  /** Entities that the table knows, of all tenants and both spaces. */
  get entityCount(): number {
    return this.#memory.exports.entityCount() >>> 0;
  }

  /** Bytes that the entity table takes. */
  get tableBytes(): number {
    return this.#memory.exports.tableBytes();
  }

  /** Scans the body of a batch append. Null means: take the other path, be it good or bad. */
  scanBatch(body: readonly Buffer[], rules: ScanRules): ScannedRequest | null {
    const eventsMax = Math.min(rules.batchEventsMax, this.#eventsMax);
    const length = this.#enterBody(body, rules);
    if (length === 0) return null;
    return this.#scanned(this.#memory.exports.scanBatch(length, eventsMax), 'batch');
  }

  /** Scans the body of a single append. Null means: take the other path, be it good or bad. */
  scanSingle(body: readonly Buffer[], rules: ScanRules): ScannedRequest | null {
    const length = this.#enterBody(body, rules);
    if (length === 0) return null;
    return this.#scanned(this.#memory.exports.scanSingle(length), 'single');
  }

  /** Scans a group of lines. Null means: take the other path, be it good or bad. */
  scanLines({ parts, lineFeeds }: LineGroup, rules: ScanRules): ScannedRequest | null {
    const length = this.#enterBody(parts, rules);
    if (length === 0) return null;
    return this.#scanned(this.#memory.exports.scanLines(length, this.#eventsMax, lineFeeds), null);
  }

  /** Checks events that came as columns. Null means: take the other path, be they good or bad. */
  scanColumns(columns: EventColumns, rules: ScanRules): ScannedRequest | null {
    const { rows } = columns;
    if (rows === 0 || rows > this.#eventsMax) return null;
    this.#generation++;
    const { bytes, eventTable, exports } = this.#memory;
    const length = enterColumns(columns, {
      memory: bytes,
      eventTable,
      inputBytesMax: this.#inputBytesMax,
      latest: latestTimestamp(rules),
    });
    if (length === null) return null;
    this.#inputBytes = length;
    const isGood = exports.checkColumns(
      length,
      rows,
      rules.payloadBytesMax,
      LIMITS.metadataBytesMax,
    );
    if (isGood === 0) return null;
    return { tenant: null, eventCount: rows, shape: null, generation: this.#generation };
  }

  /** Brings a body and the rules in; returns its length, 0 when there is nothing to scan. */
  #enterBody(body: readonly Buffer[], rules: ScanRules): number {
    this.#generation++;
    const { bytes, exports } = this.#memory;
    let length = 0;
    for (const part of body) {
      if (length + part.length > this.#inputBytesMax) return 0;
      bytes.set(part, INPUT + length);
      length += part.length;
    }
    if (!isUtf8(bytes.subarray(INPUT, INPUT + length))) return 0;
    this.#inputBytes = length;
    exports.setRules(rules.payloadBytesMax, LIMITS.metadataBytesMax, latestTimestamp(rules));
    return length;
  }

  #scanned(eventCount: number, shape: RequestShape | null): ScannedRequest | null {
    if (eventCount < 0) return null;
    const { bytes, exports } = this.#memory;
    const start = INPUT + exports.tenantOffset();
    const length = exports.tenantLength();
    const tenant = length === 0 ? null : bytes.toString('latin1', start, start + length);
    return { tenant, eventCount, shape, generation: this.#generation };
  }

  /** Where the parts of a scanned request's event lie in its body. */
  spansOf(request: ScannedRequest, index: number): EventSpans {
    this.#requireCurrent(request);
    assert(index >= 0 && index < request.eventCount, 'an event of the request');
    return readEventRecord(this.#memory.bytes, this.#memory.eventTable + index * EVENT_BYTES);
  }

  /** The types and payloads of a scanned request. */
  textsOf(request: ScannedRequest): EventTexts {
    this.#requireCurrent(request);
    const { bytes, eventTable } = this.#memory;
    return new ScannedTexts({ bytes, eventTable, request, inputBytes: this.#inputBytes });
  }

  /** A copy of the text of a span. */
  textOf({ start, bytes }: Span): Buffer {
    return this.#memory.copy(INPUT + start, bytes);
  }

  #requireCurrent({ generation }: ScannedRequest): void {
    assert(generation === this.#generation, 'a scanned request is used before the next one');
  }

  /** Fills the event table with events that have been read in another way. */
  load(events: readonly PlacementEvent[]): ScannedRequest {
    assert(events.length > 0 && events.length <= this.#eventsMax, 'events within the limit');
    this.#generation++;
    const { bytes, eventTable } = this.#memory;
    let end = 0;
    const put = (part: Uint8Array) => {
      assert(end + part.length <= this.#inputBytesMax, 'text within the limit');
      bytes.set(part, INPUT + end);
      end += part.length;
      return { start: end - part.length, bytes: part.length };
    };
    for (const [index, event] of events.entries()) {
      writeEventRecord(bytes, eventTable + index * EVENT_BYTES, {
        type: put(Buffer.from(event.type, 'latin1')),
        entity: put(Buffer.from(event.entity, 'utf8')),
        payload: put(event.payload),
        metadata: event.metadata === null ? null : put(event.metadata),
        timestamp: event.timestamp,
        expectedVersion: event.expectedVersion,
      });
    }
    return {
      tenant: null,
      eventCount: events.length,
      shape: null,
      generation: this.#generation,
    };
  }

  /** Places the request's events and draws their frame, or places none of them. */
  commit(request: ScannedRequest, context: CommitContext): KernelCommit {
    this.#requireCurrent(request);
    this.#select(context);
    const { exports } = this.#memory;
    const placed = exports.placeEvents(request.eventCount, context.position);
    if (placed === TABLE_FULL) return { kind: 'table_full' };
    if (placed !== PLACED)
      return { kind: 'conflict', index: placed, current: version(exports.currentVersion()) };
    return { kind: 'committed', frame: this.#frame(request.eventCount, context) };
  }

  #select({ tenant, isSystem }: EntityScope): void {
    const { bytes, exports } = this.#memory;
    const tenantBytes = bytes.write(tenant, CONTEXT_TENANT + 2, 248, 'utf8');
    const end = Math.ceil((tenantBytes + 2) / 8) * 8;
    bytes[CONTEXT_TENANT] = isSystem ? 1 : 0;
    bytes[CONTEXT_TENANT + 1] = tenantBytes;
    bytes.fill(0, CONTEXT_TENANT + 2 + tenantBytes, CONTEXT_TENANT + end);
    exports.selectTenant(end);
  }

  #frame(eventCount: number, context: CommitContext): Frame {
    const { exports, frameAt } = this.#memory;
    const { bytes } = this.#memory;
    const { idempotency } = context;
    bytes.set(context.logId, CONTEXT_LOG_ID);
    if (idempotency !== null) {
      bytes.set(idempotency.key, CONTEXT_KEY);
      bytes.set(idempotency.bodyDigest, CONTEXT_DIGEST);
    }
    const length = exports.buildFrame(
      eventCount,
      context.position,
      context.recordedAt,
      context.durablePosition,
      context.previousChecksum,
      context.partitionCount,
      idempotency?.key.length ?? 0,
    );
    if (length > LIMITS.frameBytesMax) exports.undoEvents(eventCount);
    assert(length <= LIMITS.frameBytesMax, 'a frame is within its limit');
    const drawn = this.#memory.copy(frameAt, length);
    drawn.writeUInt32LE(crc32(drawn.subarray(CHECKSUM_FROM)), CHECKSUM_AT);
    return new Frame(drawn);
  }

  /** The answer to the frame that was committed last: the bytes of `singleAnswer` or `batchAnswer`. */
  answer(shape: RequestShape): AnswerBytes {
    const { exports, answerAt } = this.#memory;
    const length = shape === 'single' ? exports.writeSingleAnswer() : exports.writeBatchAnswer();
    return this.#answers.copyOf(this.#memory.bytes.subarray(answerAt, answerAt + length));
  }

  /** Counts types and fresh entities of the frame that was committed last. */
  summary(frame: Frame): FrameSummary {
    const { exports } = this.#memory;
    const count = exports.countTypes();
    if (count < 0) return { newEntities: exports.newEntities(), types: countTypes(frame) };
    const types = new Map<string, number>();
    const { bytes } = this.#memory;
    const table = exports.typeCountsAt();
    for (let at = table; at < table + count * 8; at += 8) {
      types.set(frame.event(bytes.readUInt32LE(at)).type, bytes.readUInt32LE(at + 4));
    }
    return { newEntities: exports.newEntities(), types };
  }

  /** Takes the entities of a frame in whose commit another process or run has placed. Throws when the entity table has used up its memory. */
  fold(frame: Frame): FrameSummary {
    this.#enter(frame);
    assert(this.#memory.exports.applyFrame() !== 0, 'the entity table has memory left');
    return this.summary(frame);
  }

  /** Takes back what a frame did to the entity table. Frames are undone newest first. */
  undo(frame: Frame): void {
    this.#enter(frame);
    this.#memory.exports.undoFrame();
  }

  #enter(frame: Frame): void {
    const { bytes, frameAt } = this.#memory;
    assert(frameAt + frame.bytes.length <= this.#memory.answerAt, 'a frame within the limits');
    bytes.set(frame.bytes, frameAt);
    this.#select({ tenant: frame.tenant, isSystem: frame.isSystem });
  }

  /** An entity's version and newest position as placed; version 0 and position 0 when it is unknown. */
  lookUp(scope: EntityScope, entity: string): { version: number; lastPosition: number } {
    this.#select(scope);
    const { bytes, exports, answerAt } = this.#memory;
    const length = bytes.write(entity, answerAt, 'utf8');
    const current = exports.lookUp(length);
    return { version: current, lastPosition: exports.lookedUpPosition() };
  }
}

/** The newest instant that is not in the future. */
function latestTimestamp({ now }: ScanRules): number {
  return now + LIMITS.clockSkewMs * 1000;
}
