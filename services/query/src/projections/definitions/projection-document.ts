import { formatTimestamp } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';
import type { Definition } from '../../definitions/definition-directory.ts';

/** The members of a definition that the log does not know by itself. */
type KnownByTheLog =
  | 'tenant'
  | 'name'
  | 'created_position'
  | 'changed_position'
  | 'created_at'
  | 'updated_at';

/** What is kept of a projection in the log. */
export type ProjectionDocument = Omit<ProjectionDefinition, KnownByTheLog>;

/** The definition that a change in the log has made. Its document was checked by this program before it was kept. */
export function definitionOf(kept: Definition): ProjectionDefinition {
  return {
    ...(JSON.parse(kept.document) as ProjectionDocument),
    tenant: kept.tenant,
    name: kept.name,
    created_position: kept.createdPosition,
    changed_position: kept.changedPosition,
    created_at: formatTimestamp(kept.createdAt),
    updated_at: formatTimestamp(kept.updatedAt),
  };
}

/** What is kept of a definition. */
export function documentOf(definition: ProjectionDocument): ProjectionDocument {
  const { type, event_types, description, metadata, config, on_fault } = definition;
  const { definition: inner, wanted, build, pinned_build } = definition;
  return {
    type,
    event_types,
    description,
    metadata,
    config,
    on_fault,
    definition: inner,
    wanted,
    build,
    pinned_build,
  };
}
