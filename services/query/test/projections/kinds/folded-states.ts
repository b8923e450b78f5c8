import { compileProjection } from '../../../src/projections/kinds/compile-projection.ts';
import type {
  CompiledProjection,
  FoldedEvent,
  JsonValue,
  StateTable,
} from '../../../src/projections/kinds/compiled-projection.ts';
import type { ProjectionType } from '@allsource/shared/protocol';

export type Definition = Readonly<Record<string, unknown>>;

/** States that go through JSON text, as those of a file do, and keep nothing of an event whose fold throws. */
export class FoldedStates implements StateTable {
  readonly #texts = new Map<string, string>();
  readonly #changes = new Map<string, string | null>();
  readonly #compiled: CompiledProjection;

  constructor(projection: CompiledProjection) {
    this.#compiled = projection;
  }

  get(key: string): JsonValue | undefined {
    const changed = this.#changes.get(key);
    const text = changed === undefined ? this.#texts.get(key) : changed;
    // A frozen copy: a fold that changes a state in place fails.
    return text === undefined || text === null ? undefined : frozen(JSON.parse(text) as JsonValue);
  }

  set(key: string, state: JsonValue): void {
    this.#changes.set(key, JSON.stringify(state));
  }

  delete(key: string): void {
    this.#changes.set(key, null);
  }

  fold(events: readonly FoldedEvent[]): this {
    for (const event of events) {
      this.#changes.clear();
      this.#compiled.fold(event, this);
      for (const [key, text] of this.#changes)
        if (text === null) this.#texts.delete(key);
        else this.#texts.set(key, text);
    }
    return this;
  }

  /** The states as their readers see them, by key. */
  shown(): Map<string, unknown> {
    return shownOf(this.#compiled, this.#texts);
  }

  texts(): ReadonlyMap<string, string> {
    return this.#texts;
  }
}

/** What several workers hold, put together. */
export function mergedShown(
  projection: CompiledProjection,
  parts: readonly FoldedStates[],
): Map<string, unknown> {
  const keys = new Set(parts.flatMap((part) => [...part.texts().keys()]));
  const merged = [...keys].map((key): [string, string] => {
    const states = parts.flatMap((part) => part.texts().get(key) ?? []);
    const values = states.map((text) => JSON.parse(text) as JsonValue);
    return [
      key,
      values.length === 1 ? (states[0] ?? '') : JSON.stringify(projection.merge(key, values)),
    ];
  });
  return shownOf(projection, new Map(merged));
}

function shownOf(
  projection: CompiledProjection,
  texts: ReadonlyMap<string, string>,
): Map<string, unknown> {
  const shown = [...texts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, text]) => {
      const value = projection.present(key, JSON.parse(text) as JsonValue);
      return value === null ? [] : [[key, JSON.parse(JSON.stringify(value)) as unknown] as const];
    });
  return new Map(shown);
}

function frozen(value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value)) frozen(member);
  return Object.freeze(value);
}

export async function compiled(
  type: ProjectionType,
  definition: Definition,
): Promise<CompiledProjection> {
  return await compileProjection({ type, definition });
}

/** What readers see after all events. */
export async function folded(
  type: ProjectionType,
  definition: Definition,
  events: readonly FoldedEvent[],
): Promise<Map<string, unknown>> {
  return new FoldedStates(await compiled(type, definition)).fold(events).shown();
}

export type Draft = Partial<FoldedEvent> & { readonly payload?: string };

/** Events in the order of the log: positions from 1 on, versions by entity. */
export function eventsOf(drafts: readonly Draft[]): FoldedEvent[] {
  const versions = new Map<string, number>();
  return drafts.map((draft, index) => {
    const entityId = draft.entityId ?? 'entity-1';
    const version = (versions.get(entityId) ?? 0) + 1;
    versions.set(entityId, version);
    return {
      id: `00000000-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
      eventType: 'thing.happened',
      tenant: 'acme',
      timestamp: Date.UTC(2026, 0, 1) * 1000,
      recordedAt: Date.UTC(2026, 0, 1) * 1000,
      payload: '{}',
      metadata: null,
      ...draft,
      entityId,
      version,
      position: index + 1,
    };
  });
}

/** The states after many events: values as they are, without going through text. */
export async function quicklyFolded(
  type: ProjectionType,
  definition: Definition,
  events: readonly FoldedEvent[],
): Promise<Map<string, unknown>> {
  const one = await compiled(type, definition);
  const states = new Map<string, JsonValue>();
  for (const event of events) one.fold(event, states);
  const shown = [...states].flatMap(([key, state]) => {
    const value = one.present(key, state);
    return value === null ? [] : [[key, value] as const];
  });
  return new Map<string, unknown>(shown);
}
