/**
 * A segment file taken to pieces for an inspection: every frame that passes its own checksum, and between them the stretches of bytes in which there
 * is none. Whether the frames belong where they lie is for `verify-log.ts` to judge, so another kind of segment file only needs to
 * yield the same pieces.
 *
 * After bytes that are no frame it goes on at the next whole frame. Frames lie at multiples of 8, and bytes that a client sent cannot pose as one
 * (`log/tail-survey.ts`). Each stretch is scanned once, so the time is that of reading the file, whatever the number of damages.
 */
import { must } from '@allsource/shared/lang';
import { decodeFrame, FRAME_ALIGNMENT, FRAME_MAGIC, type Frame } from '@allsource/shared/protocol';
import type { ByteSource } from '../log/frame-walk.ts';

const WINDOW_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(WINDOW_BYTES);
const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(FRAME_MAGIC);

export type SegmentPiece =
  /** A frame that passes its checksum. Its bytes are valid until the next pieces are asked for. */
  | { readonly kind: 'frame'; readonly frame: Frame; readonly offset: number }
  /** Bytes in which no frame starts; behind them comes a frame, or nothing but zeros. */
  | {
      readonly kind: 'unreadable';
      readonly offset: number;
      readonly endOffset: number;
      readonly reason: string;
    };

interface Stretch {
  readonly source: ByteSource;
  readonly start: number;
  readonly end: number;
}

/** The pieces of a range of a file in order, in groups of about a mebibyte. Zeros up to the end of the range are no piece. */
export async function* segmentPieces(range: Stretch): AsyncGenerator<readonly SegmentPiece[]> {
  const { source } = range;
  let end = alignedDown(range.end);
  let window: Buffer = Buffer.allocUnsafeSlow(windowBytes(range));
  let offset = range.start;
  while (offset < end) {
    const bytes = window.subarray(0, Math.min(window.length, end - offset));
    const filled = bytes.subarray(0, await source.read(bytes, offset));
    // A file that is shorter than it was is read to where it ends.
    if (filled.length < bytes.length) end = alignedDown(offset + filled.length);
    const { frames, stop } = framesIn(filled, offset);
    if (frames.length > 0) yield frames;
    offset += stop.framesBytes;
    if (stop.kind === 'more') {
      const left = end - offset;
      if (stop.bytesNeeded <= left) {
        if (stop.bytesNeeded > window.length) window = Buffer.allocUnsafeSlow(stop.bytesNeeded);
        continue;
      }
      if (left === 0) return;
    }
    const next = await nextFrameOffset({ source, start: offset + FRAME_ALIGNMENT, end });
    // A running writer may have finished here meanwhile, so the place is looked at once more.
    if ((await wholeFrameAt({ source, start: offset, end })) !== null) continue;
    const bad = await unreadableStretch({ source, start: offset, end: next ?? end }, next !== null);
    if (bad !== null) yield [{ kind: 'unreadable', ...bad, reason: reasonOf(stop, end - offset) }];
    if (next === null) return;
    offset = next;
  }
}

/** Bytes read at a time: no more than the range holds, and a multiple of 8, at which frames lie. */
function windowBytes({ start, end }: Pick<Stretch, 'start' | 'end'>): number {
  const rangeBytes = alignedDown(end - start) + FRAME_ALIGNMENT;
  return Math.max(FRAME_ALIGNMENT, Math.min(WINDOW_BYTES, rangeBytes));
}

function alignedDown(offset: number): number {
  return offset - (offset % FRAME_ALIGNMENT);
}

type Stop = { readonly framesBytes: number } & (
  | { readonly kind: 'more'; readonly bytesNeeded: number }
  | { readonly kind: 'bad'; readonly reason: string }
);

function framesIn(
  bytes: Buffer,
  offset: number,
): { readonly frames: SegmentPiece[]; readonly stop: Stop } {
  const frames: SegmentPiece[] = [];
  let at = 0;
  for (;;) {
    const decoded = decodeFrame(bytes, at);
    if (decoded.kind !== 'frame') return { frames, stop: stopAt(decoded, at) };
    frames.push({ kind: 'frame', frame: decoded.frame, offset: offset + at });
    at += decoded.frame.bytes.length;
  }
}

function stopAt(
  decoded: Exclude<ReturnType<typeof decodeFrame>, { kind: 'frame' }>,
  at: number,
): Stop {
  const framesBytes = at;
  if (decoded.kind === 'incomplete')
    return { framesBytes, kind: 'more', bytesNeeded: decoded.bytesNeeded };
  const reason = decoded.kind === 'empty' ? 'zeros where a frame belongs' : decoded.reason;
  return { framesBytes, kind: 'bad', reason };
}

function reasonOf(stop: Stop, bytesLeft: number): string {
  return stop.kind === 'bad'
    ? stop.reason
    : `a frame of ${stop.bytesNeeded} bytes starts where ${bytesLeft} are left`;
}

/** The offset of the first whole frame of a range, or null. */
async function nextFrameOffset(range: Stretch): Promise<number | null> {
  const window = Buffer.allocUnsafe(windowBytes(range));
  for (let offset = range.start; offset < range.end; offset += window.length) {
    const target = window.subarray(0, Math.min(window.length, range.end - offset));
    const bytes = target.subarray(0, await range.source.read(target, offset));
    if (bytes.equals(ZEROS.subarray(0, bytes.length))) continue;
    for (let at = bytes.indexOf(MAGIC); at !== -1; at = bytes.indexOf(MAGIC, at + 1)) {
      if ((offset + at) % FRAME_ALIGNMENT !== 0) continue;
      const found = await wholeFrameAt({ ...range, start: offset + at });
      if (found !== null) return offset + at;
    }
  }
  return null;
}

/** The frame at the start of a range, if one is there and passes its checksum. */
export async function wholeFrameAt({ source, start, end }: Stretch): Promise<Frame | null> {
  let bytesNeeded: number = FRAME_ALIGNMENT;
  // The first look learns the length, the second has the frame.
  while (start + bytesNeeded <= end) {
    const bytes = Buffer.allocUnsafe(bytesNeeded);
    const decoded = decodeFrame(bytes.subarray(0, await source.read(bytes, start)));
    if (decoded.kind === 'frame') return decoded.frame;
    if (decoded.kind !== 'incomplete' || decoded.bytesNeeded <= bytesNeeded) return null;
    bytesNeeded = decoded.bytesNeeded;
  }
  return null;
}

/** A stretch without a frame, up to the frame behind it or to its last byte that is not zero; null for nothing but zeros up to the end. */
async function unreadableStretch(
  { source, start, end }: Stretch,
  isFrameBehind: boolean,
): Promise<{ readonly offset: number; readonly endOffset: number } | null> {
  if (isFrameBehind) return { offset: start, endOffset: end };
  const endOffset = await contentEnd({ source, start, end });
  return endOffset === null ? null : { offset: start, endOffset };
}

/** The offset behind the last byte of a range that is not zero; null when there is none. */
export async function contentEnd({ source, start, end }: Stretch): Promise<number | null> {
  const window = Buffer.allocUnsafe(windowBytes({ start, end }));
  let found: number | null = null;
  for (let offset = start; offset < end; offset += window.length) {
    const target = window.subarray(0, Math.min(window.length, end - offset));
    const bytes = target.subarray(0, await source.read(target, offset));
    if (bytes.equals(ZEROS.subarray(0, bytes.length))) continue;
    let length = bytes.length;
    while (must(bytes[length - 1], 'a byte of the window') === 0) length -= 1;
    found = offset + length;
  }
  return found;
}
