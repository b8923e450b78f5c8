import { unreachable } from '@allsource/shared/lang';
import type {
  CompiledProjection,
  FoldedEvent,
  JsonValue,
  StateTable,
} from './compiled-projection.ts';
import { definitionFault, DefinitionMembers, type DefinitionValue } from './definition-members.ts';
import { EventFields } from './event-fields.ts';
import { type FieldPath, parseFieldPath } from './field-path.ts';
import { keyAt } from './state-key.ts';

const COUNTED_BY = ['event_type', 'entity', 'field'] as const;
type CountedBy = (typeof COUNTED_BY)[number];

/** The number of events of each key: `{"count":N}`. */
class EventCounter implements CompiledProjection {
  readonly #by: CountedBy;
  readonly #field: FieldPath | null;

  constructor(by: CountedBy, field: FieldPath | null) {
    this.#by = by;
    this.#field = field;
  }

  fold(event: FoldedEvent, states: StateTable): void {
    const key = this.#keyOf(event);
    states.set(key, { count: countOf(states.get(key)) + 1 });
  }

  merge(_key: string, states: readonly JsonValue[]): JsonValue {
    return { count: states.reduce<number>((sum, state) => sum + countOf(state), 0) };
  }

  present(_key: string, state: JsonValue): JsonValue {
    return state;
  }

  close(): void {}

  #keyOf(event: FoldedEvent): string {
    if (this.#field !== null) return keyAt(new EventFields(event), this.#field);
    return this.#by === 'entity' ? event.entityId : event.eventType;
  }
}

function countOf(state: JsonValue | undefined): number {
  return (state as { readonly count: number } | undefined)?.count ?? 0;
}

/** `{}`, `{"by":"entity"}` or `{"by":"field","field":"customer.country"}`. */
export function compileEventCounter(definition: DefinitionValue): CompiledProjection {
  const members = new DefinitionMembers(definition, ['by', 'field']);
  const by = members.has('by') ? members.oneOf('by', COUNTED_BY) : 'event_type';
  switch (by) {
    case 'field':
      return new EventCounter(by, parseFieldPath(members.at('field')));
    case 'event_type':
    case 'entity':
      if (members.has('field'))
        throw definitionFault(
          `${members.pointer}/field`,
          `goes with "by":"field" only, and 'by' is '${by}'`,
        );
      return new EventCounter(by, null);
    default:
      return unreachable(by);
  }
}
