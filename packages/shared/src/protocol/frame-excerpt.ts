/**
 * An excerpt of a frame: the frame's header and names with one of its events, made without reading the rest. It is for those who read events: id, times,
 * version, tenant, type, entity, payload and metadata are the event's own. It is no frame of the log: its checksums are zero, so `decodeFrame` refuses
 * it, and it is never stored or sent.
 */
import {
  Frame,
  FRAME_ALIGNMENT,
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  SPAN_BYTES,
  writeSafeInteger,
} from './frame.ts';

/** How far a frame reaches. */
export interface FrameExtent {
  readonly bytes: number;
  readonly position: number;
  readonly eventCount: number;
}

/** Reads how far a frame reaches from its header's bytes; null when they are none of a frame. */
export function frameExtent(header: Buffer): FrameExtent | null {
  if (header.length < FRAME_HEADER_BYTES || header.readUInt32LE(0) !== FRAME_MAGIC) return null;
  return {
    bytes: header.readUInt32LE(4),
    position: Number(header.readBigInt64LE(16)),
    eventCount: header.readUInt32LE(40),
  };
}

/**
 * Makes the excerpt with the event at `index`. `read` gives verified bytes of the frame by offset and length. Null when the frame's lengths do not fit
 * together.
 */
export function readExcerpt(
  read: (offset: number, length: number) => Buffer,
  index: number,
): Frame | null {
  const header = read(0, FRAME_HEADER_BYTES);
  const extent = frameExtent(header);
  if (extent === null || index >= extent.eventCount) return null;
  const textOffset = header.readUInt32LE(44);
  const spansOffset = textOffset - extent.eventCount * SPAN_BYTES;
  if (spansOffset < FRAME_HEADER_BYTES || textOffset > extent.bytes) return null;
  const span = read(spansOffset + index * SPAN_BYTES, SPAN_BYTES);
  const textStart = textOffset + span.readUInt32LE(40);
  const textBytes = eventTextBytes(span);
  if (textStart + textBytes > extent.bytes) return null;
  const excerptTextOffset = spansOffset + SPAN_BYTES;
  const bytes = Buffer.alloc(
    Math.ceil((excerptTextOffset + textBytes) / FRAME_ALIGNMENT) * FRAME_ALIGNMENT,
  );
  read(0, spansOffset).copy(bytes);
  span.copy(bytes, spansOffset);
  read(textStart, textBytes).copy(bytes, excerptTextOffset);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.fill(0, 8, 16);
  writeSafeInteger(bytes, extent.position + index, 16);
  bytes.writeUInt32LE(1, 40);
  bytes.writeUInt32LE(excerptTextOffset, 44);
  bytes.writeUInt32LE(textBytes, 48);
  bytes.writeUInt32LE(0, spansOffset + 40);
  return new Frame(bytes);
}

function eventTextBytes(span: Buffer): number {
  return (
    span.readUInt32LE(44) + span.readUInt32LE(48) + span.readUInt16LE(52) + span.readUInt16LE(54)
  );
}
