/**
 * The frame: one commit in bytes. The same bytes are a record of a segment file, a message of the feed from core to its readers
 * and the body of a NATS message, so there is one codec. All integers are little-endian; a frame's length is a multiple of 8.
 *
 *     offset  size  header, 80 bytes
 *     0       4     magic "ASF1"; the last byte is the format's version
 *     4       4     frame bytes: the whole frame, padding included
 *     8       4     checksum: CRC-32 of bytes 12 .. frame bytes
 *     12      4     checksum of the frame before (0 before the first): a stale, swapped or missing frame breaks the chain
 *     16      8     position of the first event
 *     24      8     recorded_at, microseconds
 *     32      8     durable position: the watermark when this frame was made. A damaged frame at or below the durable
 *                   position of a later one was acknowledged, so it is corruption and no torn tail
 *     40      4     number of events, at least 1
 *     44      4     text offset from the start of the frame
 *     48      4     text bytes
 *     52      2     flags: 1 = system frame
 *     54      1     tenant bytes
 *     55      1     idempotency key bytes, 0 = none
 *     56      16    digest of what was sent with the idempotency key, zero without one
 *     72      8     log id: a frame of another log is refused
 *     80            tenant, then idempotency key, zero-padded to a multiple of 8
 *
 *     then for each event one span, 64 bytes
 *     0       16    event id
 *     16      8     timestamp, microseconds
 *     24      8     version
 *     32      8     previous position: where this entity's event before this one lies, 0 = none
 *     40      4     offset into the text
 *     44      4     payload bytes
 *     48      4     metadata bytes, 0 = none
 *     52      2     event type bytes
 *     54      2     entity id bytes
 *     56      2     partition
 *     58      6     zero
 *
 *     then the text: for each event its type, entity id, payload and metadata, end to end, payload and metadata exactly
 *     as the client sent them; zero-padded to a multiple of 8
 *
 * Integers of 8 bytes are signed and hold safe integers only. A reader checks `decodeFrame` before it trusts a byte of a frame.
 */
import { crc32 } from 'node:zlib';
import { assert } from '../lang/assert.ts';
import { LIMITS } from '../limits/limits.ts';
import { EVENT_ID_BYTES, formatEventId } from '../model/event-id.ts';
import { type Position, position } from '../model/position.ts';
import { type Micros, micros } from '../model/timestamp.ts';
import { type Version, version } from '../model/version.ts';

export const FRAME_MAGIC = 0x31465341; // "ASF1"
export const FRAME_HEADER_BYTES = 80;
export const FRAME_ALIGNMENT = 8;
export const LOG_ID_BYTES = 8;
export const BODY_DIGEST_BYTES = 16;
export const SPAN_BYTES = 64;
const CHECKSUM_FROM = 12;
const FLAG_SYSTEM = 1;
const NO_DIGEST = Buffer.alloc(BODY_DIGEST_BYTES);

/** One event on its way into a frame. Payload and metadata are JSON text as the client sent it. */
export interface FrameEventInput {
  readonly id: Uint8Array;
  readonly timestamp: Micros;
  readonly version: Version;
  readonly previousPosition: Position;
  readonly partition: number;
  readonly type: Uint8Array;
  readonly entity: Uint8Array;
  readonly payload: Uint8Array;
  readonly metadata: Uint8Array | null;
}

/** The caller's name for an append and a digest of what it sent with it. */
export interface IdempotencyMark {
  readonly key: Uint8Array;
  readonly bodyDigest: Uint8Array;
}

/** One commit on its way into a frame. */
export interface FrameInput {
  readonly logId: Uint8Array;
  readonly position: Position;
  readonly recordedAt: Micros;
  readonly durablePosition: Position;
  readonly previousChecksum: number;
  readonly tenant: Uint8Array;
  readonly isSystem: boolean;
  readonly idempotency: IdempotencyMark | null;
  readonly events: readonly FrameEventInput[];
}

/** What the bytes at a place are: a whole frame, the beginning of one, nothing (zeros), or damage. */
export type FrameDecode =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'incomplete'; readonly bytesNeeded: number }
  | { readonly kind: 'empty' }
  | { readonly kind: 'damaged'; readonly reason: string };

function aligned(bytes: number): number {
  return Math.ceil(bytes / FRAME_ALIGNMENT) * FRAME_ALIGNMENT;
}

// Two's complement, so that instants before 1970 fit; positions and versions are never negative.
export function writeSafeInteger(target: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / 2 ** 32);
  target.writeUInt32LE(value - high * 2 ** 32, offset);
  target.writeInt32LE(high, offset + 4);
}

function readSafeInteger(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readInt32LE(offset + 4) * 2 ** 32;
}

/** Encodes a commit as a frame, checksum included. */
export function encodeFrame(input: FrameInput): Frame {
  assert(input.events.length > 0, 'a commit has at least one event');
  const keyBytes = input.idempotency?.key.length ?? 0;
  const spansOffset = aligned(FRAME_HEADER_BYTES + input.tenant.length + keyBytes);
  const textOffset = spansOffset + input.events.length * SPAN_BYTES;
  let textBytes = 0;
  for (const event of input.events) textBytes += eventTextBytes(event);
  const bytes = Buffer.alloc(aligned(textOffset + textBytes));
  assert(bytes.length <= LIMITS.frameBytesMax, 'a frame is within its limit');
  writeHeader(bytes, input, { textOffset, textBytes });
  writeEvents(bytes, input.events, { spansOffset, textOffset });
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 8);
  return new Frame(bytes);
}

function eventTextBytes(event: FrameEventInput): number {
  return (
    event.type.length + event.entity.length + event.payload.length + (event.metadata?.length ?? 0)
  );
}

function writeHeader(
  bytes: Buffer,
  input: FrameInput,
  text: { readonly textOffset: number; readonly textBytes: number },
): void {
  const { tenant, idempotency } = input;
  bytes.writeUInt32LE(FRAME_MAGIC, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(input.previousChecksum, 12);
  writeSafeInteger(bytes, input.position, 16);
  writeSafeInteger(bytes, input.recordedAt, 24);
  writeSafeInteger(bytes, input.durablePosition, 32);
  bytes.writeUInt32LE(input.events.length, 40);
  bytes.writeUInt32LE(text.textOffset, 44);
  bytes.writeUInt32LE(text.textBytes, 48);
  bytes.writeUInt16LE(input.isSystem ? FLAG_SYSTEM : 0, 52);
  bytes.writeUInt8(tenant.length, 54);
  bytes.writeUInt8(idempotency?.key.length ?? 0, 55);
  bytes.set(idempotency?.bodyDigest ?? NO_DIGEST, 56);
  bytes.set(input.logId, 72);
  bytes.set(tenant, FRAME_HEADER_BYTES);
  if (idempotency !== null) bytes.set(idempotency.key, FRAME_HEADER_BYTES + tenant.length);
}

function writeEvents(
  bytes: Buffer,
  events: readonly FrameEventInput[],
  at: { readonly spansOffset: number; readonly textOffset: number },
): void {
  let span = at.spansOffset;
  let text = at.textOffset;
  for (const event of events) {
    bytes.set(event.id, span);
    writeSafeInteger(bytes, event.timestamp, span + 16);
    writeSafeInteger(bytes, event.version, span + 24);
    writeSafeInteger(bytes, event.previousPosition, span + 32);
    bytes.writeUInt32LE(text - at.textOffset, span + 40);
    bytes.writeUInt32LE(event.payload.length, span + 44);
    bytes.writeUInt32LE(event.metadata?.length ?? 0, span + 48);
    bytes.writeUInt16LE(event.type.length, span + 52);
    bytes.writeUInt16LE(event.entity.length, span + 54);
    bytes.writeUInt16LE(event.partition, span + 56);
    bytes.set(event.type, text);
    bytes.set(event.entity, text + event.type.length);
    bytes.set(event.payload, text + event.type.length + event.entity.length);
    if (event.metadata !== null)
      bytes.set(event.metadata, text + eventTextBytes(event) - event.metadata.length);
    text += eventTextBytes(event);
    span += SPAN_BYTES;
  }
}

/**
 * Looks at the bytes at `offset`. `incomplete` says how many bytes from `offset` the frame needs; `empty` means zeros where the
 * magic would be. A `frame` has passed its checksum and every length in it stays inside it; the chain is the caller's to check.
 */
export function decodeFrame(source: Buffer, offset = 0): FrameDecode {
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
  const fault = frame.shapeFault();
  return fault === null ? { kind: 'frame', frame } : { kind: 'damaged', reason: fault };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** A read view of a frame. It copies nothing: byte views are valid as long as `bytes` is not overwritten. */
export class Frame {
  readonly bytes: Buffer;
  readonly position: Position;
  readonly eventCount: number;
  readonly #spansOffset: number;
  readonly #textOffset: number;

  /** Where the spans begin in `bytes`, for readers that go through all of them without an object for each. */
  get spansOffset(): number {
    return this.#spansOffset;
  }

  /** Where the text of all events begins in `bytes`, and how long it is. */
  get textOffset(): number {
    return this.#textOffset;
  }

  get textBytes(): number {
    return this.bytes.readUInt32LE(48);
  }

  /** Wraps bytes that `encodeFrame` made or `decodeFrame` accepted. */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.position = position(readSafeInteger(bytes, 16));
    this.eventCount = bytes.readUInt32LE(40);
    this.#textOffset = bytes.readUInt32LE(44);
    this.#spansOffset = this.#textOffset - this.eventCount * SPAN_BYTES;
  }

  get checksum(): number {
    return this.bytes.readUInt32LE(8);
  }

  get previousChecksum(): number {
    return this.bytes.readUInt32LE(12);
  }

  /** The position of the last event. */
  get lastPosition(): Position {
    return position(this.position + this.eventCount - 1);
  }

  get recordedAt(): Micros {
    return micros(readSafeInteger(this.bytes, 24));
  }

  get durablePosition(): Position {
    return position(readSafeInteger(this.bytes, 32));
  }

  /** True when the events are the store's own configuration, which no tenant's read shows. */
  get isSystem(): boolean {
    return (this.bytes.readUInt16LE(52) & FLAG_SYSTEM) !== 0;
  }

  get tenant(): string {
    return this.tenantBytes.toString('utf8');
  }

  get tenantBytes(): Buffer {
    return this.bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + this.bytes.readUInt8(54));
  }

  get logId(): Buffer {
    return this.bytes.subarray(72, 72 + LOG_ID_BYTES);
  }

  get idempotency(): IdempotencyMark | null {
    const keyBytes = this.bytes.readUInt8(55);
    if (keyBytes === 0) return null;
    const start = FRAME_HEADER_BYTES + this.bytes.readUInt8(54);
    return {
      key: this.bytes.subarray(start, start + keyBytes),
      bodyDigest: this.bytes.subarray(56, 56 + BODY_DIGEST_BYTES),
    };
  }

  /** The event at `index`, 0 .. eventCount-1. */
  event(index: number): FrameEvent {
    assert(index >= 0 && index < this.eventCount, 'an event index inside the frame');
    return new FrameEvent(this, index, this.#spansOffset + index * SPAN_BYTES, this.#textOffset);
  }

  /** All events, in order. */
  *events(): Generator<FrameEvent> {
    for (let i = 0; i < this.eventCount; i++) yield this.event(i);
  }

  /** Why the lengths inside the frame do not fit together, or null. Only a faulty writer gets here past the checksum. */
  shapeFault(): string | null {
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
}

/** A read view of one event of a frame. Byte views are parts of the frame; nothing is copied or parsed until asked for. */
export class FrameEvent {
  readonly frame: Frame;
  readonly index: number;
  readonly #span: number;
  readonly #text: number;

  constructor(frame: Frame, index: number, span: number, textOffset: number) {
    this.frame = frame;
    this.index = index;
    this.#span = span;
    this.#text = textOffset + frame.bytes.readUInt32LE(span + 40);
  }

  get position(): Position {
    return position(this.frame.position + this.index);
  }

  get id(): string {
    return formatEventId(this.frame.bytes, this.#span);
  }

  get idBytes(): Buffer {
    return this.frame.bytes.subarray(this.#span, this.#span + EVENT_ID_BYTES);
  }

  /** Where the id's bytes lie in the frame. */
  get idOffset(): number {
    return this.#span;
  }

  get timestamp(): Micros {
    return micros(readSafeInteger(this.frame.bytes, this.#span + 16));
  }

  get version(): Version {
    return version(readSafeInteger(this.frame.bytes, this.#span + 24));
  }

  /** Where this entity's event before this one lies; 0 when this is its first. */
  get previousPosition(): Position {
    return position(readSafeInteger(this.frame.bytes, this.#span + 32));
  }

  get partition(): number {
    return this.frame.bytes.readUInt16LE(this.#span + 56);
  }

  /** Where the type's bytes lie in the frame; the entity id's follow. */
  get typeStart(): number {
    return this.#text;
  }

  get entityStart(): number {
    return this.#text + this.#typeLength;
  }

  get entityEnd(): number {
    return this.#text + this.#typeLength + this.#entityLength;
  }

  get typeBytes(): Buffer {
    return this.frame.bytes.subarray(this.#text, this.#text + this.#typeLength);
  }

  get type(): string {
    return this.frame.bytes.toString('latin1', this.#text, this.#text + this.#typeLength);
  }

  get entityBytes(): Buffer {
    const start = this.#text + this.#typeLength;
    return this.frame.bytes.subarray(start, start + this.#entityLength);
  }

  get entity(): string {
    const start = this.#text + this.#typeLength;
    return this.frame.bytes.toString('utf8', start, start + this.#entityLength);
  }

  /** The payload's JSON text as the client sent it. */
  get payload(): Buffer {
    const start = this.#text + this.#typeLength + this.#entityLength;
    return this.frame.bytes.subarray(start, start + this.frame.bytes.readUInt32LE(this.#span + 44));
  }

  /** The metadata's JSON text as the client sent it, or null. */
  get metadata(): Buffer | null {
    const length = this.frame.bytes.readUInt32LE(this.#span + 48);
    if (length === 0) return null;
    const start =
      this.#text +
      this.#typeLength +
      this.#entityLength +
      this.frame.bytes.readUInt32LE(this.#span + 44);
    return this.frame.bytes.subarray(start, start + length);
  }

  get payloadLength(): number {
    return this.frame.bytes.readUInt32LE(this.#span + 44);
  }

  get metadataLength(): number {
    return this.frame.bytes.readUInt32LE(this.#span + 48);
  }

  /** Copies payload and metadata, end to end, to a place in `target` that has room for them. Returns how many bytes they are. */
  copyPayloadAndMetadata(target: Buffer, targetStart: number): number {
    const start = this.#text + this.#typeLength + this.#entityLength;
    const end = start + this.payloadLength + this.metadataLength;
    return this.frame.bytes.copy(target, targetStart, start, end);
  }

  get #typeLength(): number {
    return this.frame.bytes.readUInt16LE(this.#span + 52);
  }

  get #entityLength(): number {
    return this.frame.bytes.readUInt16LE(this.#span + 54);
  }
}
