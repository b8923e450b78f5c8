import { formatRawMembers, rawMembers, visitRawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import type {
  CompiledProjection,
  FoldedEvent,
  JsonValue,
  StateTable,
} from './compiled-projection.ts';
import { type DefinitionValue, requireKnownMembers } from './definition-members.ts';
import { exactJson } from './exact-json.ts';
import { projectionFault } from './projection-fault.ts';

/**
 * The current state of each entity: the members of its payloads merged in order, the newest value of each name. The state is the text of the merged object, so
 * no number of a client changes. A payload that is no object has no members, and leaves the state as it is.
 */
class EntitySnapshot implements CompiledProjection {
  fold(event: FoldedEvent, states: StateTable): void {
    const before = states.get(event.entityId);
    const members = before === undefined ? new Map<string, string>() : membersOf(before);
    visitRawMembers(Buffer.from(event.payload), (name, value) => members.set(name, value));
    const state = formatRawMembers(members);
    if (state.length > LIMITS.entitySnapshotBytesMax)
      throw projectionFault(
        `The state of the entity would have ${state.length} characters; at most ${LIMITS.entitySnapshotBytesMax} are kept.`,
        { limit: LIMITS.entitySnapshotBytesMax },
      );
    states.set(event.entityId, state);
  }

  merge(_key: string, [first = null]: readonly JsonValue[]): JsonValue {
    return first;
  }

  present(_key: string, state: JsonValue): JsonValue {
    return exactJson(state as string);
  }

  print(_key: string, state: JsonValue): string {
    return typeof state === 'string' ? state : JSON.stringify(state);
  }

  close(): void {}
}

function membersOf(state: JsonValue): Map<string, string> {
  return rawMembers(Buffer.from(state as string)) ?? new Map<string, string>();
}

/** `{}`. */
export function compileEntitySnapshot(definition: DefinitionValue): CompiledProjection {
  requireKnownMembers(definition, []);
  return new EntitySnapshot();
}
