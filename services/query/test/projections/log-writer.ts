import {
  micros,
  POSITION_ZERO,
  partitionOf,
  position,
  version,
  writeEventId,
} from '@allsource/shared/model';
import { encodeFrame, type Frame } from '@allsource/shared/protocol';

export interface WrittenEvent {
  readonly type: string;
  readonly entity: string;
  /** JSON text. */
  readonly payload?: string;
  /** RFC 3339 or milliseconds since the epoch. */
  readonly at?: string | number;
}

/** Writes a log in memory as core would: real frames, versions from 1 for each entity, positions without gaps. */
export class LogWriter {
  readonly frames: Frame[] = [];
  readonly logId: Buffer;
  readonly #versions = new Map<string, number>();

  constructor(name = 'test-log') {
    this.logId = Buffer.alloc(8, name);
  }

  get logIdHex(): string {
    return this.logId.toString('hex');
  }

  get head(): number {
    return this.frames.at(-1)?.lastPosition ?? 0;
  }

  /** Appends one commit of a tenant. */
  commit(tenant: string, events: readonly WrittenEvent[], isSystem = false): Frame {
    const first = this.head + 1;
    const recordedAt = micros(1_800_000_000_000_000 + first);
    const frame = encodeFrame({
      logId: this.logId,
      position: position(first),
      recordedAt,
      durablePosition: position(this.head),
      previousChecksum: this.frames.at(-1)?.checksum ?? 0,
      tenant: Buffer.from(tenant),
      isSystem,
      idempotency: null,
      events: events.map((event, index) => this.#input(tenant, event, first + index)),
    });
    this.frames.push(frame);
    return frame;
  }

  #input(tenant: string, event: WrittenEvent, at: number) {
    const id = Buffer.alloc(16);
    writeEventId(id, 0, { recordedAtMs: 1_800_000_000_000, position: position(at), random: 1 });
    const stream = `${tenant}/${event.entity}`;
    const next = (this.#versions.get(stream) ?? 0) + 1;
    this.#versions.set(stream, next);
    const [tenantBytes, entity] = [Buffer.from(tenant), Buffer.from(event.entity)];
    return {
      id,
      timestamp: micros(new Date(event.at ?? 1_700_000_000_000).getTime() * 1000),
      version: version(next),
      previousPosition: POSITION_ZERO,
      partition: partitionOf(tenantBytes, entity, 256),
      type: Buffer.from(event.type),
      entity,
      payload: Buffer.from(event.payload ?? '{}'),
      metadata: null,
    };
  }
}
