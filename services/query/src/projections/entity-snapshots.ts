import { formatRawMembers, rawMembers, visitRawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import type { FrameEvent } from '@allsource/shared/protocol';
import type { KeyFold, Projection } from './projection.ts';

/** The members merged so far, as raw text; null once they have passed the limit. */
class Snapshot implements KeyFold {
  #members: Map<string, string> | null;
  #bytes: number;

  constructor(members: Map<string, string> | null) {
    this.#members = members;
    this.#bytes = 0;
    for (const [name, value] of members ?? []) this.#bytes += name.length + value.length;
  }

  add(event: FrameEvent): void {
    const members = this.#members;
    if (members === null) return;
    // A payload that is no object has no members to merge; the entity keeps the state it has.
    visitRawMembers(event.payload, (name, value) => {
      const before = members.get(name);
      this.#bytes += value.length + (before === undefined ? name.length : -before.length);
      members.set(name, value);
    });
    if (this.#bytes > LIMITS.entitySnapshotBytesMax) this.#members = null;
  }

  print(): string | null {
    return this.#members === null ? null : formatRawMembers(this.#members);
  }
}

/**
 * The current state of each entity: the members of its payloads merged in order, the newest value of each name. Values are the client's own
 * text, so no number changes. Without its limit an entity with ever new names would make each of its events dearer than the one before.
 */
export const entitySnapshots: Projection = {
  number: 1,
  name: 'entity_snapshots',
  kind: 'entity_snapshot',
  title: 'Entity snapshots',
  description: 'The payloads of each entity merged in order: its current state.',
  keyedBy: 'entity',
  keyOf: (event) => event.entity,
  isFirstOfKey: (event) => event.version === 1,
  open: (stored) => new Snapshot(stored === null ? new Map() : storedMembers(stored.state)),
};

function storedMembers(state: string | null): Map<string, string> | null {
  return state === null ? null : rawMembers(Buffer.from(state));
}
