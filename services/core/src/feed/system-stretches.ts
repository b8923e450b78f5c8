/**
 * Where in the log system events lie, to the stretch of 4,096 positions. Whoever follows only system events, as each service does when it starts, passes over the rest without reading it:
 * a store of 100 million events has a few of them in a handful of stretches.
 *
 * It is a fold like any other, so it knows of every frame up to the watermark before a reader sees that watermark: a stretch that it does not name has no system event up to there.
 */
import { type Position, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { LogFold } from '../append/journal.ts';

const STRETCH_POSITIONS = 4_096;
const NUMBER_BYTES = 4;
const PART_BYTES = 64 * 1024;
const CAPACITY_AT_FIRST = 64;

export class SystemStretches implements LogFold {
  readonly sectionName = 'system/1';
  /** The numbers of stretches with system events, ascending. */
  #numbers = new Uint32Array(CAPACITY_AT_FIRST);
  #count = 0;

  apply(frame: Frame): void {
    if (!frame.isSystem) return;
    const last = stretchOf(frame.lastPosition);
    for (let number = stretchOf(frame.position); number <= last; number++) this.#add(number);
  }

  /** Frames come in order, and some twice: those behind a checkpoint are folded again. */
  #add(number: number): void {
    if (this.#count > 0 && number <= (this.#numbers[this.#count - 1] as number)) return;
    if (this.#count === this.#numbers.length) {
      const larger = new Uint32Array(this.#count * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#count++] = number;
  }

  /** The first position from `from` on where a system event may lie; null when there is none up to the watermark. */
  next(from: Position): Position | null {
    const wanted = stretchOf(from);
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#numbers[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    if (low === this.#count) return null;
    return position(Math.max(from, (this.#numbers[low] as number) * STRETCH_POSITIONS));
  }

  /** The numbers, four bytes each, little-endian; an empty part says that there are none. */
  save(): Buffer[] {
    const bytes = Buffer.allocUnsafe(this.#count * NUMBER_BYTES);
    for (let i = 0; i < this.#count; i++)
      bytes.writeUInt32LE(this.#numbers[i] as number, i * NUMBER_BYTES);
    const parts = [bytes.subarray(0, PART_BYTES)];
    for (let at = PART_BYTES; at < bytes.length; at += PART_BYTES)
      parts.push(bytes.subarray(at, at + PART_BYTES));
    return parts;
  }

  load(part: Buffer): void {
    if (part.length % NUMBER_BYTES !== 0) throw new RangeError('numbers of four bytes each');
    for (let at = 0; at < part.length; at += NUMBER_BYTES) this.#add(part.readUInt32LE(at));
  }
}

function stretchOf(at: Position): number {
  return Math.floor(at / STRETCH_POSITIONS);
}
