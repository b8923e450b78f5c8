import { LIMITS } from '@allsource/shared/limits';
import type {
  CompiledProjection,
  FoldedEvent,
  JsonValue,
  StateTable,
} from './compiled-projection.ts';
import { type Condition, optionalCondition } from './condition.ts';
import { type Aggregate, aggregated, FUNCTIONS, shownAggregate } from './declarative-aggregate.ts';
import { definitionFault, DefinitionMembers, type DefinitionValue } from './definition-members.ts';
import { EventFields } from './event-fields.ts';
import { parseFieldPath } from './field-path.ts';
import { type KeySource, keySourceOf, sourceKey } from './state-key.ts';

/** One member of the states. */
interface Member {
  readonly name: string;
  readonly aggregate: Aggregate;
  /** False for a mapped member that no event has given a value yet: it is left out. */
  readonly isShownEmpty: boolean;
  readonly where: Condition | null;
}

/** What the members are kept as, by their names. */
type Kept = Readonly<Record<string, JsonValue>>;

/** Mapped fields and aggregates of the events of each key, said in JSON. Values that are taken over stay the text that was sent, so no number of them changes. */
class DeclarativeProjection implements CompiledProjection {
  readonly #members: readonly Member[];
  readonly #key: KeySource;

  constructor(members: readonly Member[], key: KeySource) {
    this.#members = members;
    this.#key = key;
  }

  fold(event: FoldedEvent, states: StateTable): void {
    const fields = new EventFields(event);
    const key = sourceKey(fields, this.#key);
    const before = keptOf(states.get(key));
    const after = new Map(Object.entries(before));
    for (const { name, aggregate, where } of this.#members) {
      if (where !== null && !where(fields)) continue;
      const value = aggregated(aggregate, after.get(name), fields);
      if (value !== undefined) after.set(name, value);
    }
    // From entries, because a member may be called __proto__.
    states.set(key, Object.fromEntries(after));
  }

  /** Keys of several workers do not occur: where a key is not of one entity, one worker folds all events. */
  merge(_key: string, [first = null]: readonly JsonValue[]): JsonValue {
    return first;
  }

  present(_key: string, state: JsonValue): JsonValue {
    const kept = keptOf(state);
    const shown = this.#members.flatMap(({ name, aggregate, isShownEmpty }) => {
      const value = Object.hasOwn(kept, name) ? kept[name] : undefined;
      const isLeftOut = value === undefined && !isShownEmpty;
      return isLeftOut ? [] : [[name, shownAggregate(aggregate, value)] as const];
    });
    return Object.fromEntries(shown);
  }

  close(): void {}
}

function keptOf(state: JsonValue | undefined): Kept {
  return (state ?? {}) as Kept;
}

/**
 * `{"mapping":{"status":"status"},"aggregates":{"paid":{"fn":"sum","field":"amount","where":{"field":"$event_type","value":"order.paid"}}},"key":"entity"}`.
 */
export function compileDeclarative(definition: DefinitionValue): CompiledProjection {
  const members = new DefinitionMembers(definition, ['mapping', 'aggregates', 'key']);
  const max = LIMITS.declarativeMembersMax;
  const mapped = members.has('mapping') ? members.named('mapping', max) : [];
  const aggregates = members.has('aggregates') ? members.named('aggregates', max) : [];
  const all = [...mapped.map(mappedMember), ...aggregates.map(aggregateMember)];
  requireMembers(members.pointer, all);
  return new DeclarativeProjection(all, keySourceOf(members));
}

function requireMembers(pointer: string, members: readonly Member[]): void {
  if (members.length === 0)
    throw definitionFault(
      pointer,
      "says nothing to compute; give 'mapping', 'aggregates' or both, or 'language' and 'source' for a function",
    );
  const names = members.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw definitionFault(
      `${pointer}/aggregates/${twice}`,
      "has the name of a member of 'mapping'; each member of a state has a name of its own",
    );
}

/** `"path"`, or `{"from":"path","keep":"first","where":...}`. */
function mappedMember([name, wanted]: [string, DefinitionValue]): Member {
  if (typeof wanted.value === 'string')
    return mapping(name, { fn: 'last', field: parseFieldPath(wanted) }, null);
  const members = new DefinitionMembers(wanted, ['from', 'keep', 'where']);
  const fn = members.has('keep') ? members.oneOf('keep', ['last', 'first']) : 'last';
  const field = parseFieldPath(members.at('from'));
  return mapping(name, { fn, field }, optionalCondition(members, 'where'));
}

function mapping(name: string, aggregate: Aggregate, where: Condition | null): Member {
  return { name, aggregate, where, isShownEmpty: false };
}

function aggregateMember([name, wanted]: [string, DefinitionValue]): Member {
  const members = new DefinitionMembers(wanted, ['fn', 'field', 'where']);
  const fn = members.oneOf('fn', FUNCTIONS);
  const isAboutField = fn !== 'count' || members.has('field');
  const field = isAboutField ? parseFieldPath(members.at('field')) : null;
  const where = optionalCondition(members, 'where');
  return { name, aggregate: { fn, field }, where, isShownEmpty: true };
}
