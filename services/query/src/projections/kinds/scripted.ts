/**
 * A projection that its owner wrote: `(state, event) => state`, run in a sandbox. It is as deterministic as the others: the sandbox has no clock and no randomness, keeps nothing from
 * one call to the next, and counts steps instead of time.
 */
import { SandboxedFunction, SandboxFault } from '@allsource/sandbox';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, micros } from '@allsource/shared/model';
import type {
  CompiledProjection,
  FoldedEvent,
  JsonValue,
  StateTable,
} from './compiled-projection.ts';
import { definitionFault, DefinitionMembers, type DefinitionValue } from './definition-members.ts';
import { EventFields } from './event-fields.ts';
import { projectionFault } from './projection-fault.ts';
import { type KeySource, keySourceOf, sourceKey } from './state-key.ts';

const FUNCTION_NAME = 'reduce';

interface ScriptedOptions {
  readonly reduce: SandboxedFunction;
  readonly key: KeySource;
  /** The state of a key that has none, as JSON text. */
  readonly initial: string;
}

class ScriptedProjection implements CompiledProjection {
  readonly #options: ScriptedOptions;

  constructor(options: ScriptedOptions) {
    this.#options = options;
  }

  fold(event: FoldedEvent, states: StateTable): void {
    const { key: source, initial } = this.#options;
    const key = source === null ? event.entityId : sourceKey(new EventFields(event), source);
    const before = states.get(key);
    const text = this.#reduced(before === undefined ? initial : JSON.stringify(before), event);
    // Null says that the key has no state any more.
    if (text === 'null') states.delete(key);
    else states.set(key, JSON.parse(text) as JsonValue);
  }

  /** Keys of several workers do not occur: where a key is not of one entity, one worker folds all events. */
  merge(_key: string, [first = null]: readonly JsonValue[]): JsonValue {
    return first;
  }

  present(_key: string, state: JsonValue): JsonValue {
    return state;
  }

  close(): void {}

  #reduced(state: string, event: FoldedEvent): string {
    try {
      return this.#options.reduce.call(state, eventText(event));
    } catch (error) {
      if (!(error instanceof SandboxFault)) throw error;
      throw projectionFault(`The function failed: ${error.message}.`, faultMembers(error));
    }
  }
}

function faultMembers({ kind, place }: SandboxFault): Readonly<Record<string, string | number>> {
  return place === null ? { kind } : { kind, line: place.line, column: place.column };
}

/** The event as the function sees it. */
function eventText(event: FoldedEvent): string {
  const { id, eventType, entityId, tenant, position, version } = event;
  const names = `"id":"${id}","event_type":"${eventType}","entity_id":${JSON.stringify(entityId)},"tenant_id":"${tenant}"`;
  const numbers = `"position":${position},"version":${version}`;
  const times = `"timestamp":"${formatTimestamp(micros(event.timestamp))}","recorded_at":"${formatTimestamp(micros(event.recordedAt))}"`;
  return `{${names},${numbers},${times},"payload":${event.payload},"metadata":${event.metadata ?? 'null'}}`;
}

/** `{"language":"javascript","source":"(state, event) => ...","key":"entity","initial_state":{}}`. */
export async function compileScripted(definition: DefinitionValue): Promise<CompiledProjection> {
  const members = new DefinitionMembers(definition, ['language', 'source', 'key', 'initial_state']);
  members.oneOf('language', ['javascript']);
  const source = members.text('source', LIMITS.sandboxSourceBytesMax);
  const key = keySourceOf(members);
  const initial = members.has('initial_state') ? members.at('initial_state').value : {};
  const reduce = await loaded(source, members.at('source').pointer);
  return new ScriptedProjection({ reduce, key, initial: JSON.stringify(initial) });
}

async function loaded(source: string, pointer: string): Promise<SandboxedFunction> {
  try {
    return await SandboxedFunction.load({ source, name: FUNCTION_NAME });
  } catch (error) {
    if (!(error instanceof SandboxFault)) throw error;
    throw definitionFault(
      pointer,
      `cannot be used: ${error.message}; allowed is a function (state, event) => state, or statements that declare one named '${FUNCTION_NAME}'`,
      faultMembers(error),
    );
  }
}
