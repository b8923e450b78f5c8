/** A log in memory behind core's ports, with real frames: what the tests of readers append to and read from. */
import { randomInt } from 'node:crypto';
import {
  EVENT_ID_BYTES,
  micros,
  type Position,
  POSITION_ZERO,
  partitionOf,
  position,
  version,
  writeEventId,
} from '@allsource/shared/model';
import { encodeFrame, type Frame, type FrameEventInput } from '@allsource/shared/protocol';
import type {
  EntityDirectory,
  EntityHead,
  SystemAppender,
  SystemEventDraft,
} from '../../src/append/append-port.ts';
import type { DurableLog } from '../../src/read/durable-log.ts';
import type { Stretch } from '../../src/storage/stretch.ts';

export interface EventDraft {
  readonly type?: string;
  readonly entity?: string;
  /** JSON text. */
  readonly payload?: string;
  readonly metadata?: string;
  readonly timestampMs?: number;
}

/** Folds of the code under test; they get each frame before the appender is answered. */
interface Fold {
  apply(frame: Frame): void;
}

const STRETCH_FRAMES_MAX = 3;

export class MemoryLog implements DurableLog, SystemAppender, EntityDirectory {
  readonly logId = Buffer.from('testlog0');
  readonly folds: Fold[] = [];
  readonly frames: Frame[] = [];
  /** How many frames were read out of the log, and by how many calls. */
  framesRead = 0;
  reads = 0;
  /** Makes every read of the log fail, as damage would. */
  readFault: Error | null = null;
  /** Awaited before each stretch that is read; tests slow readers with it. */
  beforeRead: () => Promise<void> = () => new Promise((resolve) => setImmediate(resolve));
  readonly #listeners = new Set<(frame: Frame) => void>();
  readonly #entities = new Map<string, EntityHead>();
  readonly #eventCounts = new Map<string, number>();

  get head(): Position {
    return this.frames.at(-1)?.lastPosition ?? POSITION_ZERO;
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Reads one frame, then two, then three, and again. */
  async *read(from: Position): AsyncGenerator<Stretch> {
    this.reads += 1;
    const { head } = this;
    const { length } = this.frames.filter((frame) => frame.position <= head);
    let index = this.#indexOf(from);
    for (let wanted = 1; index < length; wanted = (wanted % STRETCH_FRAMES_MAX) + 1) {
      await this.beforeRead();
      if (this.readFault !== null) throw this.readFault;
      const stretch = this.frames.slice(index, Math.min(index + wanted, length));
      this.framesRead += stretch.length;
      yield stretch;
      index += stretch.length;
    }
  }

  #indexOf(from: Position): number {
    let low = 0;
    let high = this.frames.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.frames[middle]?.lastPosition ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  subscribe(listener: (frame: Frame) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Appends one commit of a tenant. */
  append(tenant: string, events: readonly EventDraft[]): Frame {
    return this.#commit(tenant, events, false);
  }

  async appendSystem(tenant: string, drafts: readonly SystemEventDraft[]): Promise<Frame> {
    await new Promise((resolve) => setImmediate(resolve));
    const events = drafts.map(({ entity, event, payloadText }) => ({
      type: event.type,
      entity,
      payload: payloadText ?? JSON.stringify(event.payload),
    }));
    return this.#commit(tenant, events, true);
  }

  #commit(tenant: string, drafts: readonly EventDraft[], isSystem: boolean): Frame {
    const first = this.head + 1;
    const nowMs = Date.now();
    const events = drafts.map((draft, i) =>
      this.#place(draft, { tenant, isSystem, at: position(first + i), nowMs }),
    );
    const frame = encodeFrame({
      logId: this.logId,
      position: position(first),
      recordedAt: micros(nowMs * 1000),
      durablePosition: this.head,
      previousChecksum: this.frames.at(-1)?.checksum ?? 0,
      tenant: Buffer.from(tenant),
      isSystem,
      idempotency: null,
      events,
    });
    this.frames.push(frame);
    for (const fold of this.folds) fold.apply(frame);
    for (const listener of this.#listeners) listener(frame);
    return frame;
  }

  #place(
    draft: EventDraft,
    where: {
      readonly tenant: string;
      readonly isSystem: boolean;
      readonly at: Position;
      readonly nowMs: number;
    },
  ): FrameEventInput {
    const { tenant, isSystem, at, nowMs } = where;
    const entity = draft.entity ?? 'entity-1';
    const key = `${isSystem ? 's' : 'e'} ${tenant} ${entity}`;
    const before = this.#entities.get(key);
    const id = Buffer.alloc(EVENT_ID_BYTES);
    writeEventId(id, 0, { recordedAtMs: nowMs, position: at, random: randomInt(2 ** 22) });
    const next = version((before?.version ?? 0) + 1);
    this.#entities.set(key, { version: next, lastPosition: at });
    if (!isSystem) this.#eventCounts.set(tenant, this.eventCount(tenant) + 1);
    return {
      id,
      timestamp: micros((draft.timestampMs ?? nowMs) * 1000),
      version: next,
      previousPosition: position(before?.lastPosition ?? 0),
      partition: partitionOf(Buffer.from(tenant), Buffer.from(entity), 256),
      type: Buffer.from(draft.type ?? 'test.event'),
      entity: Buffer.from(entity),
      payload: Buffer.from(draft.payload ?? '{}'),
      metadata: draft.metadata === undefined ? null : Buffer.from(draft.metadata),
    };
  }

  entityHead(tenant: string, entity: string): EntityHead | null {
    return this.#entities.get(`e ${tenant} ${entity}`) ?? null;
  }

  entityCount(tenant: string): number {
    return [...this.#entities.keys()].filter((key) => key.startsWith(`e ${tenant} `)).length;
  }

  eventCount(tenant: string): number {
    return this.#eventCounts.get(tenant) ?? 0;
  }
}
