/**
 * Gives commits their place: positions, versions, ids and the link to the frame before, in the order of the calls. It works ahead
 * of durability: a second append to an entity gets the next version while the first is still on its way to the disk.
 *
 * State has two layers. The durable layer is the entity fold at the watermark. The pending layer holds what was placed since; it
 * shrinks as frames become durable and is thrown away whole when an append fails, so that afterwards everything is again as the log
 * says. Invariants: positions are gapless (I-2), versions are gapless for each entity (I-3), recorded_at never decreases (I-5).
 */
import {
  type Clock,
  type Micros,
  partitionOf,
  POSITION_ZERO,
  type Position,
  positionAfter,
  type Version,
  VERSION_ZERO,
  version,
  writeEventId,
} from '@allsource/shared/model';
import { encodeFrame, type Frame, type FrameEventInput } from '@allsource/shared/protocol';
import type { LogHead } from '../storage/log-store.ts';
import type { EntitySpace, Placement, PlacementEvent, PlacementOutcome } from './commit-builder.ts';
import type { EntityFold } from './entity-fold.ts';

/** A commit whose events are at hand one by one. */
export interface EventPlacement extends Placement {
  readonly events: readonly PlacementEvent[];
}

export type SequencerOutcome =
  | { readonly kind: 'placed'; readonly frame: Frame }
  | Extract<PlacementOutcome, { kind: 'conflict' }>;

export interface SequencerOptions {
  readonly head: LogHead;
  readonly entities: EntityFold;
  readonly clock: Clock;
  /** The recorded_at of the newest frame, or 0. */
  readonly recordedAt: Micros;
  /** 22 random bits for event ids. */
  readonly random: () => number;
}

interface PendingHead {
  readonly version: Version;
  readonly lastPosition: Position;
}

const RANDOM_BITS_MASK = 0x3fffff;

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #pending: Record<EntitySpace, Map<string, PendingHead>> = {
    events: new Map(),
    system: new Map(),
  };
  readonly #tenantBytes = new Map<string, Buffer>();
  #position: Position;
  #checksum: number;
  #durablePosition: Position;
  #durableChecksum: number;
  #recordedAt: Micros;

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#position = options.head.position;
    this.#durablePosition = options.head.position;
    this.#checksum = options.head.checksum;
    this.#durableChecksum = options.head.checksum;
    this.#recordedAt = options.recordedAt;
  }

  /** Places a commit behind everything placed before, or says which expected version does not hold. Nothing changes on a conflict. */
  place(placement: EventPlacement): SequencerOutcome {
    const { space, tenant, events } = placement;
    const recordedAt = this.#nextRecordedAt();
    const batch = new Map<string, PendingHead>();
    const inputs: FrameEventInput[] = [];
    for (const [index, event] of events.entries()) {
      const head = batch.get(event.entity) ?? this.#head(space, tenant, event.entity);
      const current = head?.version ?? VERSION_ZERO;
      const { expectedVersion } = event;
      if (expectedVersion !== null && expectedVersion !== current) {
        return { kind: 'conflict', index, expected: expectedVersion, current };
      }
      const position = positionAfter(this.#position, index + 1);
      const next = { version: version(current + 1), lastPosition: position };
      batch.set(event.entity, next);
      inputs.push(this.#input(event, { tenant, recordedAt, head, next }));
    }
    const frame = this.#encode(placement, inputs, recordedAt);
    for (const [entity, head] of batch) this.#pending[space].set(pendingKey(tenant, entity), head);
    this.#position = frame.lastPosition;
    this.#checksum = frame.checksum;
    this.#recordedAt = recordedAt;
    return { kind: 'placed', frame };
  }

  #encode(placement: Placement, events: readonly FrameEventInput[], recordedAt: Micros): Frame {
    return encodeFrame({
      logId: this.#options.head.logId,
      position: positionAfter(this.#position, 1),
      recordedAt,
      durablePosition: this.#durablePosition,
      previousChecksum: this.#checksum,
      tenant: this.#bytesOf(placement.tenant),
      isSystem: placement.space === 'system',
      idempotency: placement.idempotency,
      events,
    });
  }

  #input(
    event: PlacementEvent,
    place: {
      readonly tenant: string;
      readonly recordedAt: Micros;
      readonly head: PendingHead | null;
      readonly next: PendingHead;
    },
  ): FrameEventInput {
    const entity = Buffer.from(event.entity, 'utf8');
    const id = Buffer.allocUnsafe(16);
    const { recordedAt, next } = place;
    const recordedAtMs = Math.floor(recordedAt / 1000);
    writeEventId(id, 0, {
      recordedAtMs,
      position: next.lastPosition,
      random: this.#options.random() & RANDOM_BITS_MASK,
    });
    return {
      id,
      timestamp: event.timestamp ?? recordedAt,
      version: next.version,
      previousPosition: place.head?.lastPosition ?? POSITION_ZERO,
      partition: partitionOf(
        this.#bytesOf(place.tenant),
        entity,
        this.#options.head.partitionCount,
      ),
      type: Buffer.from(event.type, 'latin1'),
      entity,
      payload: event.payload,
      metadata: event.metadata,
    };
  }

  #head(space: EntitySpace, tenant: string, entity: string): PendingHead | null {
    const pending = this.#pending[space].get(pendingKey(tenant, entity));
    if (pending !== undefined) return pending;
    const durable = this.#options.entities.head(space, tenant, entity);
    return durable === null
      ? null
      : { version: durable.version, lastPosition: durable.lastPosition };
  }

  // A wall clock that is set back must not make recorded_at decrease.
  #nextRecordedAt(): Micros {
    const now = this.#options.clock.nowMicros();
    return now > this.#recordedAt ? now : this.#recordedAt;
  }

  #bytesOf(tenant: string): Buffer {
    const known = this.#tenantBytes.get(tenant);
    if (known !== undefined) return known;
    const bytes = Buffer.from(tenant, 'utf8');
    this.#tenantBytes.set(tenant, bytes);
    return bytes;
  }

  /** Says that a frame is durable and in the entity fold: its entities need no pending entry any more. */
  settle(frame: Frame): void {
    this.#durablePosition = frame.lastPosition;
    this.#durableChecksum = frame.checksum;
    const pending = this.#pending[frame.isSystem ? 'system' : 'events'];
    if (pending.size === 0) return;
    for (const event of frame.events()) {
      const key = pendingKey(frame.tenant, event.entity);
      // A later commit of the same entity may be pending still; its entry stays.
      if (pending.get(key)?.lastPosition === event.position) pending.delete(key);
    }
  }

  /** Forgets everything that was placed and is not durable. */
  rollBack(): void {
    this.#pending.events.clear();
    this.#pending.system.clear();
    this.#position = this.#durablePosition;
    this.#checksum = this.#durableChecksum;
  }
}

function pendingKey(tenant: string, entity: string): string {
  return `${tenant}\u0000${entity}`;
}
