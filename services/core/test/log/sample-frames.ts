import {
  micros,
  type Position,
  partitionOf,
  position,
  POSITION_ZERO,
  positionAfter,
  version,
} from '@allsource/shared/model';
import { encodeFrame, type Frame, type FrameEventInput } from '@allsource/shared/protocol';
import type { LogHead } from '../../src/storage/log-store.ts';
import type { Stretch } from '../../src/storage/stretch.ts';

/** What the frames of a test look like. */
export interface SampleShape {
  readonly events?: number;
  readonly payloadBytes?: number;
  /** The letter that fills the payload. */
  readonly filler?: string;
  /** The payload in place of one with a filler. The log does not look into it, so it need not be JSON. */
  readonly payload?: Buffer;
  /** The watermark that the frame tells of; the position before it when it is left out. */
  readonly durablePosition?: Position;
}

export const SAMPLE_LOG_ID = Buffer.from('a11500ceb0017e57', 'hex');
const TENANT = Buffer.from('acme');
const ENTITY = Buffer.from('order-17');
const TYPE = Buffer.from('order.placed');

/** Makes frames that chain on from a head, as the append path does. */
export class SampleFrames {
  #logId: Buffer;
  #position: Position = POSITION_ZERO;
  #checksum = 0;

  constructor(head: Pick<LogHead, 'logId' | 'position' | 'checksum'>) {
    this.#logId = head.logId;
    this.#position = head.position;
    this.#checksum = head.checksum;
  }

  next(shape: SampleShape = {}): Frame {
    const first = positionAfter(this.#position, 1);
    const frame = encodeFrame({
      logId: this.#logId,
      position: first,
      recordedAt: micros(1_700_000_000_000_000 + first),
      durablePosition: shape.durablePosition ?? this.#position,
      previousChecksum: this.#checksum,
      tenant: TENANT,
      isSystem: false,
      idempotency: null,
      events: Array.from({ length: shape.events ?? 1 }, (_, i) =>
        sampleEvent(positionAfter(first, i), shape),
      ),
    });
    this.#position = frame.lastPosition;
    this.#checksum = frame.checksum;
    return frame;
  }

  take(count: number, shape: SampleShape = {}): Frame[] {
    return Array.from({ length: count }, () => this.next(shape));
  }
}

function sampleEvent(at: Position, shape: SampleShape): FrameEventInput {
  const { payloadBytes = 24, filler = 'x' } = shape;
  const id = Buffer.alloc(16);
  id.writeUInt32BE(at, 12);
  const number = String(at);
  const text = `{"n":${number},"x":"${filler.repeat(Math.max(0, payloadBytes - 12 - number.length))}"}`;
  return {
    id,
    timestamp: micros(1_700_000_000_000_000),
    version: version(at),
    previousPosition: position(Math.max(0, at - 1)),
    partition: partitionOf(TENANT, ENTITY, 256),
    type: TYPE,
    entity: ENTITY,
    payload: shape.payload ?? Buffer.from(text),
    metadata: null,
  };
}

/** Everything that a read yields. */
export async function collect(read: AsyncIterable<Stretch>): Promise<Frame[]> {
  const all: Frame[] = [];
  for await (const stretch of read) all.push(...stretch);
  return all;
}

/** The bytes of frames, to compare with. */
export function bytesOf(frames: readonly Frame[]): string {
  return Buffer.concat(frames.map((frame) => frame.bytes)).toString('base64');
}
