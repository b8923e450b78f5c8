import {
  formatEventId,
  type Micros,
  micros,
  partitionOf,
  position,
  version,
  writeEventId,
} from '@allsource/shared/model';
import { encodeFrame, type Frame } from '@allsource/shared/protocol';
import { Random } from './random.ts';

/** An event as the naive model knows it. */
export interface ModelEvent {
  readonly position: number;
  readonly id: string;
  readonly tenant: string;
  readonly type: string;
  readonly entity: string;
  readonly version: number;
  readonly partition: number;
  readonly timestamp: number;
  readonly recordedAt: number;
  readonly payload: string;
  readonly metadata: string | null;
}

export interface EventDraft {
  readonly type: string;
  readonly entity: string;
  readonly payload?: string;
  readonly metadata?: string | null;
  /** Microseconds; the commit's recorded_at when left out. */
  readonly timestamp?: number;
}

export interface CommitOptions {
  readonly isSystem?: boolean;
  /** An id of another make than the store's own. */
  readonly foreignIds?: boolean;
}

const START = 1_767_225_600_000_000;

/** Writes a log in memory as core would, and keeps beside it what a naive model has to know. System events are not in the model. */
export class GeneratedLog {
  readonly frames: Frame[] = [];
  readonly events: ModelEvent[] = [];
  readonly logId: Buffer;
  readonly #random: Random;
  readonly #streams = new Map<string, { version: number; position: number }>();
  #clock = START;

  constructor(seed = 1, logName = 'test-log') {
    this.#random = new Random(seed);
    this.logId = Buffer.alloc(8, logName);
  }

  get logIdHex(): string {
    return this.logId.toString('hex');
  }

  get head(): number {
    return this.frames.at(-1)?.lastPosition ?? 0;
  }

  /** The time of the next commit, in microseconds. */
  get now(): number {
    return this.#clock;
  }

  commit(tenant: string, drafts: readonly EventDraft[], options: CommitOptions = {}): Frame {
    this.#clock += this.#random.below(5) * 700;
    const first = this.head + 1;
    const recordedAt = micros(this.#clock);
    const model = drafts.map((draft, i) => this.#modelEvent(tenant, { ...draft, at: first + i }));
    const frame = encodeFrame({
      logId: this.logId,
      position: position(first),
      recordedAt,
      durablePosition: position(this.head),
      previousChecksum: this.frames.at(-1)?.checksum ?? 0,
      tenant: Buffer.from(tenant),
      isSystem: options.isSystem === true,
      idempotency: null,
      events: model.map((event) => ({
        id: this.#id(event, options),
        timestamp: event.timestamp as Micros,
        version: version(event.version),
        previousPosition: position(0),
        partition: event.partition,
        type: Buffer.from(event.type),
        entity: Buffer.from(event.entity),
        payload: Buffer.from(event.payload),
        metadata: event.metadata === null ? null : Buffer.from(event.metadata),
      })),
    });
    this.frames.push(frame);
    if (options.isSystem !== true) {
      for (const [i, event] of model.entries())
        this.events.push({ ...event, id: formatEventId(frame.event(i).idBytes, 0) });
    }
    return frame;
  }

  #modelEvent(tenant: string, draft: EventDraft & { readonly at: number }): ModelEvent {
    const key = `${tenant} ${draft.entity}`;
    const next = (this.#streams.get(key)?.version ?? 0) + 1;
    this.#streams.set(key, { version: next, position: draft.at });
    return {
      position: draft.at,
      id: '',
      tenant,
      type: draft.type,
      entity: draft.entity,
      version: next,
      partition: partitionOf(Buffer.from(tenant), Buffer.from(draft.entity), 256),
      timestamp: draft.timestamp ?? this.#clock,
      recordedAt: this.#clock,
      payload: draft.payload ?? '{}',
      metadata: draft.metadata ?? null,
    };
  }

  #id(event: ModelEvent, options: CommitOptions): Buffer {
    const id = Buffer.alloc(16);
    const recordedAtMs = Math.floor(event.recordedAt / 1000);
    const random = this.#random.below(2 ** 22);
    writeEventId(id, 0, { recordedAtMs, position: position(event.position), random });
    // The millisecond of another clock: the position inside still leads to the event.
    if (options.foreignIds === true) id.writeUIntBE(recordedAtMs + 12_345, 0, 6);
    return id;
  }
}

export const TENANTS = ['acme', 'globex', 'initech'] as const;
export const TYPES = [
  'order.placed',
  'order.paid',
  'order.item_added',
  'user.created',
  'user',
  'note',
] as const;

const PAYLOADS: ((random: Random) => string)[] = [
  (random) => `{"status":"${random.pick(['open', 'closed'])}","n":${random.below(4)}}`,
  (random) => `{"n":${random.pick(['1', '1.0', '10e-1', '2'])},"name":"Zoë ${random.below(3)} 🎉"}`,
  () => '{"big":9007199254740993,"small":0.1000,"__proto__":{"polluted":true}}',
  () => '{"big":9007199254740992}',
  (random) => `[${random.below(9)}, null]`,
  () => '"text"',
  () => '{}',
  (random) => `{ "status" : "open", "list": [1, {"a": ${random.below(3)}}], "status": "late" }`,
];

export interface RandomLogOptions {
  readonly seed: number;
  readonly events: number;
  /** How many events the next commit has; 1 to 6 when left out. */
  readonly frameEvents?: (random: Random) => number;
  /** Share of the events that happened before they were recorded. */
  readonly pastShare: number;
}

/** A log with everything that may stand in one: several tenants with the same entities, batches, system commits, imports of the past. */
export function randomLog(options: RandomLogOptions): GeneratedLog {
  const { seed, events, pastShare, frameEvents = (random) => 1 + random.below(6) } = options;
  const random = new Random(seed);
  const log = new GeneratedLog(seed);
  while (log.events.length < events) {
    if (random.chance(0.1)) {
      const drafts = Array.from({ length: 1 + random.below(3) }, () => ({
        type: '_system.consumer.acknowledged',
        entity: 'consumer:c',
      }));
      log.commit(random.pick(TENANTS), drafts, { isSystem: true });
      continue;
    }
    const drafts = Array.from({ length: frameEvents(random) }, () =>
      randomDraft(random, log, pastShare),
    );
    log.commit(random.pick(TENANTS), drafts, { foreignIds: random.chance(0.02) });
  }
  return log;
}

function randomDraft(random: Random, log: GeneratedLog, pastShare: number): EventDraft {
  const draft = {
    type: random.pick(TYPES),
    entity: random.pick(['o-1', 'o-2', 'Grüße/ü', `e-${random.below(40)}`]),
    payload: random.pick(PAYLOADS)(random),
    metadata: random.chance(0.3) ? `{"trace": "t-${random.below(100)}"}` : null,
  };
  if (!random.chance(pastShare)) return draft;
  return { ...draft, timestamp: log.now - random.below(1_000_000_000) };
}
