import { problem } from '@allsource/shared/errors';
import { rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';

/**
 * The payloads of an entity's events laid over each other in stream order: of each member the text of the last event that has it. Payloads
 * that are no objects have no members.
 */
export class EntityFold {
  readonly members: Map<string, string>;
  #length = 0;

  /** Goes on from the members of a snapshot. */
  constructor(members = new Map<string, string>()) {
    this.members = members;
    for (const [name, value] of members) this.#length += name.length + value.length;
  }

  /** Lays a payload over the state. Throws `payload_too_large` where the state passes its limit. */
  add(payload: Buffer): void {
    const { members } = this;
    for (const [name, value] of rawMembers(payload) ?? []) {
      const before = members.get(name);
      this.#length += value.length + (before === undefined ? name.length : -before.length);
      members.set(name, value);
    }
    const limit = LIMITS.entityStateLengthMax;
    if (this.#length <= limit) return;
    throw problem(
      'payload_too_large',
      `The state of this entity passes ${limit} characters, which is the most that is folded. Query its events instead.`,
      { limit_characters: limit },
    );
  }
}
