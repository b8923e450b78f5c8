import { createHash } from 'node:crypto';
import { POSITION_ZERO, micros, position, version } from '@allsource/shared/model';
import { encodeFrame, type Frame } from '@allsource/shared/protocol';

/** Numbers that look random and repeat for a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function logIdOf(name: string): Buffer {
  return createHash('sha256').update(name).digest().subarray(0, 8);
}

export interface SampleCommit {
  readonly events: number;
  readonly isSystem?: boolean;
  readonly payloadBytes?: number;
}

/** A log in memory, made of real frames. */
export class SampleLog {
  readonly logId: Buffer;
  readonly frames: Frame[] = [];
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
    this.logId = logIdOf(name);
  }

  get head(): number {
    return this.frames.at(-1)?.lastPosition ?? 0;
  }

  append({ events, isSystem = false, payloadBytes = 20 }: SampleCommit): Frame {
    const last = this.frames.at(-1);
    const first = this.head + 1;
    const frame = encodeFrame({
      logId: this.logId,
      position: position(first),
      recordedAt: micros(1_700_000_000_000_000 + first),
      durablePosition: position(this.head),
      previousChecksum: last?.checksum ?? 0,
      tenant: Buffer.from(isSystem ? '_system' : 'acme'),
      isSystem,
      idempotency: null,
      events: Array.from({ length: events }, (_, index) => ({
        id: createHash('sha256')
          .update(`${this.#name}:${first + index}`)
          .digest()
          .subarray(0, 16),
        timestamp: micros(1_700_000_000_000_000),
        version: version(first + index),
        previousPosition: POSITION_ZERO,
        partition: (first + index) % 256,
        type: Buffer.from(isSystem ? '_system.sample' : 'order.placed'),
        entity: Buffer.from(`order-${first + index}`),
        payload: Buffer.from(`{"n":"${'x'.repeat(payloadBytes)}"}`),
        metadata: null,
      })),
    });
    this.frames.push(frame);
    return frame;
  }

  /** Frames from the one that holds `from` to the one that holds `to`. */
  range(from: number, to: number): Frame[] {
    return this.frames.filter((frame) => frame.lastPosition >= from && frame.position <= to);
  }
}
