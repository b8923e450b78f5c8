import { rawMembers } from '@allsource/shared/json';
import { must } from '@allsource/shared/lang';
import { type Micros, type Position, POSITION_ZERO } from '@allsource/shared/model';
import { type DefinitionKind, type Frame, parseSystemEvent } from '@allsource/shared/protocol';

/** A definition in force, as the log has it. The object is the same until the definition is changed. */
export interface Definition {
  readonly tenant: string;
  readonly kind: DefinitionKind;
  readonly name: string;
  /** The document, JSON text of an object. */
  readonly document: string;
  /** Positions of the events that made it and last changed it, and when they were accepted. */
  readonly createdPosition: Position;
  readonly changedPosition: Position;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
}

/** What has happened to the definitions: some were changed, or all are forgotten and will be folded again. */
export type DefinitionChange = 'changed' | 'forgotten';

/**
 * The fold of all definitions in force: projections and pipelines of all tenants. It lives in memory and begins empty at every start, so definitions survive the
 * loss of every read store.
 */
export class DefinitionDirectory {
  /** By kind and tenant, then by name. */
  readonly #definitions = new Map<string, Map<string, Definition>>();
  readonly #listeners = new Set<(change: DefinitionChange) => void>();
  #appliedPosition: Position = POSITION_ZERO;

  /** The position this fold is true at. */
  get appliedPosition(): Position {
    return this.#appliedPosition;
  }

  /** Calls back behind each frame that has changed a definition. Returns how to end that. */
  onChanged(listener: (change: DefinitionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Folds one frame. Frames come in position order; one that was applied already is passed over. */
  apply(frame: Frame): void {
    if (frame.lastPosition <= this.#appliedPosition) return;
    this.#appliedPosition = frame.lastPosition;
    if (frame.isSystem && this.#applyEvents(frame)) this.#tell('changed');
  }

  #applyEvents(frame: Frame): boolean {
    let isChanged = false;
    for (const event of frame.events()) {
      const parsed = parseSystemEvent(event);
      if (parsed?.type === '_system.definition.set') {
        const document = must(rawMembers(event.payload)?.get('document'), 'a document');
        this.#set(frame, { ...parsed.payload, document, position: event.position });
        isChanged = true;
      } else if (parsed?.type === '_system.definition.removed') {
        const { kind, name } = parsed.payload;
        this.#place(kind, frame.tenant).delete(name);
        isChanged = true;
      }
    }
    return isChanged;
  }

  #set(
    { tenant, recordedAt }: Frame,
    set: Pick<Definition, 'kind' | 'name' | 'document'> & { readonly position: Position },
  ): void {
    const { kind, name, document, position } = set;
    const place = this.#place(kind, tenant);
    const before = place.get(name);
    place.set(name, {
      tenant,
      kind,
      name,
      document,
      createdPosition: before?.createdPosition ?? position,
      changedPosition: position,
      createdAt: before?.createdAt ?? recordedAt,
      updatedAt: recordedAt,
    });
  }

  #place(kind: DefinitionKind, tenant: string): Map<string, Definition> {
    const key = `${kind}/${tenant}`;
    const known = this.#definitions.get(key);
    if (known !== undefined) return known;
    const fresh = new Map<string, Definition>();
    this.#definitions.set(key, fresh);
    return fresh;
  }

  #tell(change: DefinitionChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** Forgets everything, to be folded again from the first frame. */
  clear(): void {
    this.#definitions.clear();
    this.#appliedPosition = POSITION_ZERO;
    this.#tell('forgotten');
  }

  /** A definition of a tenant; null when there is none. */
  find(kind: DefinitionKind, tenant: string, name: string): Definition | null {
    return this.#definitions.get(`${kind}/${tenant}`)?.get(name) ?? null;
  }

  /** The definitions of a tenant by name. */
  ofTenant(kind: DefinitionKind, tenant: string): Definition[] {
    const found = [...(this.#definitions.get(`${kind}/${tenant}`)?.values() ?? [])];
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The definitions of all tenants. */
  all(kind: DefinitionKind): Definition[] {
    return [...this.#definitions.entries()].flatMap(([place, byName]) =>
      place.startsWith(`${kind}/`) ? [...byName.values()] : [],
    );
  }
}
