/**
 * Whether a version of a schema goes with the one before, by structure. BACKWARD: what was good stays good, so readers that know the newer version can read what
 * was written under the older one. FORWARD: the other way round. A field that the older version does not mention may be added as an optional one, and a
 * field may not be dropped: the law is about documents that use declared fields only, for in an open object any name could always stand.
 *
 * What cannot be decided by structure (`oneOf`, `not`, `if` and such, where they differ) counts as incompatible: a wrong yes would break readers later,
 * a wrong no is said at once and can be answered with another compatibility mode.
 */
import type { CompatibilityMode } from '@allsource/shared/protocol';
import type { CompiledSchema } from './compiled-schema.ts';
import type { Incompatibility } from './implication.ts';
import { SchemaImplication } from './schema-implication.ts';
import { valueKey } from './value-key.ts';

export interface SchemaVersions {
  readonly before: CompiledSchema;
  readonly after: CompiledSchema;
}

/** Why a version does not go with the one before; none when it does. */
export function incompatibilities(
  mode: CompatibilityMode,
  { before, after }: SchemaVersions,
): Incompatibility[] {
  if (mode === 'NONE') return [];
  if (valueKey(before.document.root.schema) === valueKey(after.document.root.schema)) return [];
  return [
    ...(mode === 'FORWARD'
      ? []
      : new SchemaImplication({ direction: 'Backward', narrow: before, wide: after }).faults()),
    ...(mode === 'BACKWARD'
      ? []
      : new SchemaImplication({ direction: 'Forward', narrow: after, wide: before }).faults()),
  ];
}
