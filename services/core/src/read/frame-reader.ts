import { LIMITS } from '@allsource/shared/limits';
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import { Frame, type FrameEvent } from '@allsource/shared/protocol';
import type { DurableLog } from './durable-log.ts';
import { firstFrameOf } from '../storage/stretch.ts';

/**
 * Reads single events by position and keeps the frames read last, so that events of one frame, and entities that are read again and
 * again, cost one read of the log. What is kept is bounded in bytes.
 */
export class FrameReader {
  readonly #log: DurableLog;
  readonly #cacheBytesMax: number;
  /** By the position of their first event; the one used last is the last. */
  readonly #frames = new Map<number, Frame>();
  /** The first positions of the kept frames, ascending: finds the frame that holds a position. */
  readonly #starts: number[] = [];
  #cachedBytes = 0;

  constructor(log: DurableLog, cacheBytesMax: number = LIMITS.frameCacheBytesMax) {
    this.#log = log;
    this.#cacheBytesMax = cacheBytesMax;
  }

  /** The event at a position from 1 to the head. */
  async eventAt(at: Position): Promise<FrameEvent> {
    const cached = this.#cached(at);
    if (cached !== null) return cached.event(at - cached.position);
    const single = (await this.#log.readEvent?.(at)) ?? null;
    if (single !== null) return single;
    const frame = await this.#read(at);
    return frame.event(at - frame.position);
  }

  #cached(at: Position): Frame | null {
    const start = this.#starts[this.#indexAfter(at) - 1];
    const frame = start === undefined ? undefined : this.#frames.get(start);
    if (frame === undefined || frame.lastPosition < at) return null;
    this.#frames.delete(frame.position);
    this.#frames.set(frame.position, frame);
    return frame;
  }

  async #read(at: Position): Promise<Frame> {
    const frame = await firstFrameOf(this.#log.read(at));
    if (frame === null) throw problem('internal', `The event at position ${at} could not be read.`);
    this.#keep(frame);
    return frame;
  }

  #keep(read: Frame): void {
    if (read.bytes.length > this.#cacheBytesMax || this.#frames.has(read.position)) return;
    // A frame is often a view into a larger window of the log, which a kept view would keep in memory.
    const frame = read.bytes.buffer.byteLength > read.bytes.length ? copyOf(read) : read;
    this.#frames.set(frame.position, frame);
    this.#starts.splice(this.#indexAfter(frame.position), 0, frame.position);
    this.#cachedBytes += frame.bytes.length;
    for (const [start, oldest] of this.#frames) {
      if (this.#cachedBytes <= this.#cacheBytesMax) return;
      this.#frames.delete(start);
      this.#starts.splice(this.#indexAfter(start) - 1, 1);
      this.#cachedBytes -= oldest.bytes.length;
    }
  }

  /** The index of the first kept start above a position. */
  #indexAfter(at: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#starts[middle] as number) <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function copyOf(frame: Frame): Frame {
  const bytes = Buffer.alloc(frame.bytes.length);
  frame.bytes.copy(bytes);
  return new Frame(bytes);
}
