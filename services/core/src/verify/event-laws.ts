import { partitionOf } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import { EntityEnds } from './entity-ends.ts';
import type { PositionRanges } from './position-ranges.ts';

/** 2^48: the upper four bits of a position in an event id stand apart. */
const ID_HIGH = 2 ** 48;

export interface BrokenLaw {
  readonly position: number;
  readonly reason: string;
}

/**
 * What must hold inside and between frames that are whole: versions of an entity without a gap (I-3), each event pointing back to the one before,
 * recorded_at that never decreases (I-5), a durable position before the frame, ids that carry their position, partitions that fit.
 * A checksum cannot see these: only a faulty writer breaks them.
 */
export class EventLaws {
  readonly #entities = new EntityEnds();
  readonly #unread: PositionRanges;
  #recordedAt = 0;

  /** `unread` are the positions known to be unreadable so far: a version that is missing there is no second fault. */
  constructor(unread: PositionRanges) {
    this.#unread = unread;
  }

  get entityCount(): number {
    return this.#entities.count;
  }

  /** Takes the next frame in order and says which laws it breaks. */
  brokenBy(frame: Frame, partitionCount: number | null): BrokenLaw[] {
    const broken: BrokenLaw[] = [];
    const { position } = frame;
    if (frame.recordedAt < this.#recordedAt)
      broken.push({ position, reason: 'it was recorded before the frame in front of it' });
    else this.#recordedAt = frame.recordedAt;
    if (frame.durablePosition >= position)
      broken.push({
        position,
        reason: `it says that position ${frame.durablePosition} was durable before it`,
      });
    for (const event of frame.events()) {
      const reason = this.#versionFault(event) ?? placeFault(event, partitionCount);
      if (reason !== null) broken.push({ position: event.position, reason });
    }
    return broken;
  }

  #versionFault(event: FrameEvent): string | null {
    const { position, version, previousPosition, frame } = event;
    const { isSystem, tenantBytes } = frame;
    const slot = this.#entities.slotOf({
      isSystem,
      tenant: tenantBytes,
      entity: event.entityBytes,
    });
    const before = {
      version: this.#entities.version(slot),
      position: this.#entities.position(slot),
    };
    this.#entities.set(slot, { version, position });
    if (version === before.version + 1 && previousPosition === before.position) return null;
    const isExplained =
      version > before.version + 1 &&
      previousPosition > before.position &&
      this.#unread.has(previousPosition);
    if (isExplained) return null;
    return `its entity is at version ${before.version} of position ${before.position}, and it says version ${version} behind position ${previousPosition}`;
  }
}

function placeFault(event: FrameEvent, partitionCount: number | null): string | null {
  const { frame, position, idOffset } = event;
  const { bytes } = frame;
  const idPosition =
    (bytes.readUInt16BE(idOffset + 8) & 0xf) * ID_HIGH + bytes.readUIntBE(idOffset + 10, 6);
  if (idPosition !== position) return `its id carries position ${idPosition}`;
  if (partitionCount === null) return null;
  const partition = partitionOf(frame.tenantBytes, event.entityBytes, partitionCount);
  return event.partition === partition
    ? null
    : `it says partition ${event.partition} and its entity belongs to ${partition}`;
}
