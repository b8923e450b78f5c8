import { rawMembers } from '@allsource/shared/json';
import { must } from '@allsource/shared/lang';
import { type Micros, type Position, POSITION_ZERO } from '@allsource/shared/model';
import {
  type DefinitionKind,
  type LoggedSystemEvent,
  type Frame,
  SystemFold,
} from '@allsource/shared/protocol';

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
export class DefinitionDirectory extends SystemFold {
  /** By kind and tenant, then by name. */
  readonly #definitions = new Map<string, Map<string, Definition>>();
  readonly #listeners = new Set<(change: DefinitionChange) => void>();
  #isChanged = false;

  /** Calls back behind each frame that has changed a definition. Returns how to end that. */
  onChanged(listener: (change: DefinitionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Folds one frame, and tells the listeners behind it. */
  override apply(frame: Frame): void {
    this.#isChanged = false;
    super.apply(frame);
    if (this.#isChanged) this.#tell('changed');
  }

  protected override fold({ parsed, event, frame }: LoggedSystemEvent): void {
    if (parsed.type === '_system.definition.set') {
      const document = must(rawMembers(event.payload)?.get('document'), 'a document');
      this.#set(frame, { ...parsed.payload, document, position: event.position });
      this.#isChanged = true;
    } else if (parsed.type === '_system.definition.removed') {
      const { kind, name } = parsed.payload;
      this.#place(kind, frame.tenant).delete(name);
      this.#isChanged = true;
    }
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
    this.standAt(POSITION_ZERO);
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
