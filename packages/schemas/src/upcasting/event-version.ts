import { rawMembers } from '@allsource/shared/json';
import type { Position } from '@allsource/shared/model';
import type { SchemaVersion } from '../registry/schema-fold.ts';

/** The member of an event's metadata that says under which version its payload was made. */
export const VERSION_MEMBER = 'schema_version';
const QUOTED_MEMBER = Buffer.from(`"${VERSION_MEMBER}"`);

export interface VersionedEvent {
  readonly position: Position;
  metadata(): Buffer | null;
}

/**
 * The version of its schema that an event was made under: what its metadata says, where that version exists; otherwise the newest that was registered before the
 * event. The registrations stand in the same log, so that is exact. An event that is older than the first version counts as made under it. Null
 * where there is no schema.
 */
export function versionOfEvent(
  versions: readonly SchemaVersion[],
  event: VersionedEvent,
): number | null {
  if (versions.length === 0) return null;
  return saidVersion(event.metadata(), versions.length) ?? Math.max(1, inForce(versions, event));
}

/** How many versions were registered before the event. */
function inForce(versions: readonly SchemaVersion[], { position }: VersionedEvent): number {
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((versions[middle] as SchemaVersion).position < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function saidVersion(metadata: Buffer | null, newest: number): number | null {
  if (metadata === null || !metadata.includes(QUOTED_MEMBER)) return null;
  const said = Number(rawMembers(metadata)?.get(VERSION_MEMBER));
  return Number.isInteger(said) && said >= 1 && said <= newest ? said : null;
}
