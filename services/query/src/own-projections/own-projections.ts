/**
 * The projections of the tenants' own: they are created, changed, commanded and deleted here. Each of these is one change of a definition in the log, made and folded before
 * it is answered; what carries definitions out hears of it from the fold.
 *
 * A change rests on the definition that it was computed from. Where another one came between, the definition is read again and the change is computed again, a few
 * times; a caller who has named the change that he knows of is refused instead (`definition_conflict`).
 */
import { Problem, problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';
import { type ProjectionDefinition, TypeFilter } from '@allsource/shared/protocol';
import type { TenantCatalog } from '../catalog/tenant-catalog.ts';
import type { Definition, DefinitionDirectory } from '../definitions/definition-directory.ts';
import { requireSettled } from '../definitions/settled-definitions.ts';
import type { DefinitionWriter } from '../definitions/definition-writer.ts';
import type { ProjectionRuntime, ProjectionState } from '../projections/projection-runtime.ts';
import type { MeasuredProjection } from '../observability/projection-metrics.ts';
import type { Command } from './lifecycle.ts';
import { metricsLabel } from './metrics-label.ts';
import type { ProjectionDraft } from './parse-projection.ts';
import {
  definitionOf,
  documentOf,
  documentText,
  type ProjectionDocument,
} from './projection-document.ts';

export interface OwnProjectionsOptions {
  readonly directory: Pick<DefinitionDirectory, 'find' | 'ofTenant' | 'all'>;
  /** False while the definitions are not all read. */
  readonly isSettled: () => boolean;
  readonly writer: Pick<DefinitionWriter, 'set' | 'remove'>;
  readonly runtime: ProjectionRuntime;
  /** Makes sure that what a definition says can be computed. Throws a problem with a pointer into it. */
  readonly check: (definition: Pick<ProjectionDefinition, 'type' | 'definition'>) => Promise<void>;
  /** Told once of a definition that another version has kept and this one cannot carry out. */
  readonly onUnknownForm: (kept: Definition) => void;
}

/** A projection with what it does at the moment; null: that is not known yet. */
export interface OwnProjection {
  readonly definition: ProjectionDefinition;
  readonly state: ProjectionState | null;
}

/** Which projection of which tenant. */
export interface OwnName {
  readonly tenant: string;
  readonly name: string;
}

/** A projection that is to be changed. */
export interface ChangeTarget extends OwnName {
  /** The position of the last change that the caller knows of; null or left out: any. */
  readonly expectedPosition?: number | null;
}

const TRIES = 5;
const MEASURED_FOR_MS = 1_000;
const KIND = 'projection';

export class OwnProjections {
  readonly #options: OwnProjectionsOptions;
  /** By the object that the directory keeps, so that a definition is parsed once. */
  readonly #parsed = new WeakMap<Definition, ProjectionDefinition | null>();
  #measured: { readonly atMs: number; readonly rows: readonly MeasuredProjection[] } | null = null;

  constructor(options: OwnProjectionsOptions) {
    this.#options = options;
  }

  get runtime(): ProjectionRuntime {
    return this.#options.runtime;
  }

  /** False while the definitions are being read. */
  get isSettled(): boolean {
    return this.#options.isSettled();
  }

  /** A projection of a tenant; null when it has none of that name. Throws `starting` while the definitions are being read. */
  find(tenant: string, name: string): OwnProjection | null {
    requireSettled(this.#options.isSettled(), 'projections');
    const kept = this.#options.directory.find(KIND, tenant, name);
    return kept === null ? null : this.#withState(kept);
  }

  /** A projection of a tenant. Throws `not_found`. */
  known(tenant: string, name: string): OwnProjection {
    const found = this.find(tenant, name);
    if (found !== null) return found;
    throw problem('not_found', `There is no projection ${quoted(name)}.`);
  }

  /** The projections of a tenant by name. */
  ofTenant(tenant: string): OwnProjection[] {
    requireSettled(this.#options.isSettled(), 'projections');
    return this.#options.directory
      .ofTenant(KIND, tenant)
      .flatMap((kept) => this.#withState(kept) ?? []);
  }

  /** The projections of all tenants. */
  all(): OwnProjection[] {
    return this.#options.directory.all(KIND).flatMap((kept) => this.#withState(kept) ?? []);
  }

  /** How many projections a tenant has, or all tenants together (null). */
  count(tenant: string | null): number {
    const { directory } = this.#options;
    return (tenant === null ? directory.all(KIND) : directory.ofTenant(KIND, tenant)).length;
  }

  /** What the metrics show of all projections, looked at once for all who ask within a second. */
  measured(): readonly MeasuredProjection[] {
    const nowMs = performance.now();
    if (this.#measured === null || nowMs - this.#measured.atMs > MEASURED_FOR_MS)
      this.#measured = { atMs: nowMs, rows: this.all().map(measuredOf) };
    return this.#measured.rows;
  }

  /** Hands all definitions in force to what carries them out; while they are not all read, nothing. */
  reconcile(): void {
    if (!this.#options.isSettled()) return;
    const kept = this.#options.directory.all(KIND);
    this.#options.runtime.reconcile(kept.flatMap((one) => this.#definition(one) ?? []));
    this.#measured = null;
  }

  /** Creates a projection. Throws `definition_exists`, `too_many_definitions`, or what is wrong with its definition. */
  async create(tenant: string, { name, document }: ProjectionDraft): Promise<OwnProjection> {
    requireSettled(this.#options.isSettled(), 'projections');
    if (this.#options.directory.find(KIND, tenant, name) !== null) throw exists(name);
    documentText(document);
    await this.#options.check(document);
    try {
      await this.#write({ tenant, name, expectedPosition: 0 }, document);
    } catch (error) {
      throw isConflict(error) ? exists(name) : error;
    }
    return this.known(tenant, name);
  }

  /** Changes a definition; what it says of the computation is checked before it is kept. */
  change(
    target: ChangeTarget,
    change: (before: ProjectionDefinition) => ProjectionDocument,
  ): Promise<OwnProjection> {
    return this.#again(target, async ({ definition }) => {
      const after = change(definition);
      if (after.build !== definition.build) await this.#options.check(after);
      return after;
    });
  }

  /** Commands a projection. Throws `wrong_status` where what it does does not allow that. */
  command(target: OwnName, command: Command): Promise<OwnProjection> {
    return this.#again(target, async (projection) => command(projection));
  }

  /** Deletes a projection with its states. Throws `not_found`. */
  async remove(tenant: string, name: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { changed_position: expectedPosition } = this.known(tenant, name).definition;
      try {
        await this.#options.writer.remove({ kind: KIND, tenant, name, expectedPosition });
        this.reconcile();
        return;
      } catch (error) {
        if (!isConflict(error) || tries === TRIES) throw error;
      }
    }
  }

  async #again(
    { tenant, name, expectedPosition = null }: ChangeTarget,
    changed: (projection: OwnProjection) => Promise<ProjectionDocument | null>,
  ): Promise<OwnProjection> {
    for (let tries = 1; ; tries++) {
      const projection = this.known(tenant, name);
      const { definition } = projection;
      if (expectedPosition !== null && expectedPosition !== definition.changed_position)
        throw changedMeanwhile(definition);
      const after = await changed(projection);
      if (after === null) return projection;
      try {
        const target = { tenant, name, expectedPosition: definition.changed_position };
        await this.#write(target, documentOf(after));
        return this.known(tenant, name);
      } catch (error) {
        if (!isConflict(error) || tries === TRIES) throw error;
      }
    }
  }

  async #write(
    target: { readonly tenant: string; readonly name: string; readonly expectedPosition: number },
    document: ProjectionDocument,
  ): Promise<void> {
    const text = documentText(document);
    await this.#options.writer.set({ kind: KIND, ...target }, text);
    // The answer says what has become of the change.
    this.reconcile();
  }

  #withState(kept: Definition): OwnProjection | null {
    const definition = this.#definition(kept);
    if (definition === null) return null;
    return { definition, state: this.#options.runtime.status(kept.tenant, kept.name) };
  }

  #definition(kept: Definition): ProjectionDefinition | null {
    const known = this.#parsed.get(kept);
    if (known !== undefined) return known;
    const definition = definitionOf(kept);
    if (definition === null) this.#options.onUnknownForm(kept);
    this.#parsed.set(kept, definition);
    return definition;
  }
}

function measuredOf({ definition, state }: OwnProjection): MeasuredProjection {
  return {
    label: metricsLabel(definition.tenant, definition.name),
    status: state?.status ?? definition.wanted,
    isWanted: definition.wanted === 'running',
    isStalled: state?.is_stalled ?? false,
    lagEvents: state?.lag_events ?? 0,
    lagSeconds: state?.lag_seconds ?? 0,
    parkedEntities: state?.parked_entities ?? 0,
    errors: state?.stats.error_count ?? 0,
  };
}

/** How many events of a tenant a projection folds, as far as the catalog knows them. */
export function eventsToFold(
  catalog: Pick<TenantCatalog, 'eventCountOf'>,
  eventTypes: readonly string[],
): number {
  const filter = new TypeFilter(eventTypes);
  return catalog.eventCountOf((type) => filter.matches(type));
}

function isConflict(error: unknown): boolean {
  return error instanceof Problem && error.code === 'definition_conflict';
}

function exists(name: string): Error {
  return problem(
    'definition_exists',
    `There is a projection ${quoted(name)} already. Change that one, or choose another name.`,
  );
}

function changedMeanwhile({ name, changed_position }: ProjectionDefinition): Error {
  return problem(
    'definition_conflict',
    `The projection ${quoted(name)} was changed at position ${changed_position} meanwhile. Look at it again, then decide again.`,
    { changed_position },
  );
}
