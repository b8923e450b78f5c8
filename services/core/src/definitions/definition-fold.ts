import { type Position, POSITION_ZERO } from '@allsource/shared/model';
import {
  type DefinitionKind,
  type LoggedSystemEvent,
  SystemFold,
} from '@allsource/shared/protocol';
import type { LogFold } from '../append/journal.ts';

/** A definition of a tenant: of which kind, and its name. */
export interface DefinitionName {
  readonly tenant: string;
  readonly kind: DefinitionKind;
  readonly name: string;
}

type SavedChange = readonly [tenant: string, kind: DefinitionKind, name: string, at: Position];

/**
 * The fold of where each definition in force was last changed. Core knows no more of definitions: what they say stays in the log, and who carries them out
 * folds it from there.
 */
export class DefinitionFold extends SystemFold implements LogFold {
  readonly sectionName = 'definitions/1';
  /** By tenant and kind, then by name. */
  readonly #changes = new Map<string, Map<string, SavedChange>>();

  protected override fold({ parsed, event, frame: { tenant } }: LoggedSystemEvent): void {
    if (parsed.type === '_system.definition.set') {
      const { kind, name } = parsed.payload;
      this.#put([tenant, kind, name, event.position]);
    } else if (parsed.type === '_system.definition.removed') {
      const { kind, name } = parsed.payload;
      this.#changes.get(placeOf(tenant, kind))?.delete(name);
    }
  }

  save(): Buffer[] {
    const changes = [...this.#changes.values()].flatMap((byName) => [...byName.values()]);
    return [Buffer.from(JSON.stringify({ position: this.appliedPosition, changes }))];
  }

  load(part: Buffer): void {
    const saved = JSON.parse(part.toString()) as { position: Position; changes: SavedChange[] };
    this.standAt(saved.position);
    for (const change of saved.changes) this.#put(change);
  }

  #put(change: SavedChange): void {
    const [tenant, kind, name] = change;
    const place = placeOf(tenant, kind);
    const byName = this.#changes.get(place) ?? new Map<string, SavedChange>();
    byName.set(name, change);
    this.#changes.set(place, byName);
  }

  /** The position of the last change of a definition in force; 0 when there is none. */
  changedPosition({ tenant, kind, name }: DefinitionName): Position {
    return this.#changes.get(placeOf(tenant, kind))?.get(name)?.[3] ?? POSITION_ZERO;
  }

  /** How many definitions of a kind a tenant has. */
  count(tenant: string, kind: DefinitionKind): number {
    return this.#changes.get(placeOf(tenant, kind))?.size ?? 0;
  }
}

/** Neither part can hold the separator. */
function placeOf(tenant: string, kind: DefinitionKind): string {
  return `${kind}/${tenant}`;
}
