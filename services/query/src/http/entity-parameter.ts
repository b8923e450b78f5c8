import type { Call } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { entityIdFault } from '@allsource/shared/model';

/** The entity that a path names. Throws `invalid_entity_id` for what can be no entity's id. */
export function entityParameter(call: Call): string {
  return checkedEntityId(call.pathParameter('entityId'));
}

/** The same text, if it can be an entity's id. */
export function checkedEntityId(text: string): string {
  const fault = entityIdFault(text);
  if (fault === null) return text;
  throw problem('invalid_entity_id', fault);
}
