import { formatTimestamp } from '@allsource/shared/model';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import {
  type EarlierBuild,
  PROJECTION_TYPES,
  type ProjectionDefinition,
  WANTED_STATUSES,
} from '@allsource/shared/protocol';
import type { Definition } from '../definitions/definition-directory.ts';

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

const OBJECTS = ['config', 'on_fault', 'definition'] as const;

/**
 * The definition that a change in the log has made. Its document was checked before it was kept, by this program or by another version of it; null for one that this
 * version cannot carry out.
 */
export function definitionOf(kept: Definition): ProjectionDefinition | null {
  const document = JSON.parse(kept.document) as Partial<ProjectionDocument>;
  return isDocument(document) ? { ...document, ...knownByTheLog(kept) } : null;
}

function isDocument(document: Partial<ProjectionDocument>): document is ProjectionDocument {
  const { type, wanted, build, event_types: types } = document;
  return (
    PROJECTION_TYPES.some((known) => known === type) &&
    WANTED_STATUSES.some((known) => known === wanted) &&
    Number.isSafeInteger(build) &&
    Array.isArray(types) &&
    OBJECTS.every((member) => typeof document[member] === 'object' && document[member] !== null)
  );
}

function knownByTheLog(kept: Definition): Pick<ProjectionDefinition, KnownByTheLog> {
  return {
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
  const { definition: inner, wanted, build, pinned_build, earlier } = definition;
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
    earlier: earlier ?? [],
  };
}

/** The same definition with a further build, which computes everything from the first event on. What the build before it computes is kept for a rollback. */
export function withNextBuild(
  before: ProjectionDefinition,
  after: ProjectionDocument,
): ProjectionDocument {
  const { build, type, event_types, definition } = before;
  const kept: EarlierBuild = { build, type, event_types, definition };
  return {
    ...after,
    build: build + 1,
    pinned_build: null,
    earlier: [kept, ...(before.earlier ?? [])].slice(0, LIMITS.earlierBuildsMax),
  };
}

/** A document as the text that is kept. What earlier builds compute makes room for the rest. Throws `body_too_large`. */
export function documentText(document: ProjectionDocument): string {
  const text = JSON.stringify(document);
  const bytes = Buffer.byteLength(text);
  const limit = LIMITS.definitionBytesMax;
  if (bytes <= limit) return text;
  const { earlier = [] } = document;
  if (earlier.length > 0) return documentText({ ...document, earlier: earlier.slice(0, -1) });
  throw problem(
    'body_too_large',
    `The definition has ${bytes} bytes; at most ${limit} are allowed.`,
    { limit_bytes: limit },
  );
}
