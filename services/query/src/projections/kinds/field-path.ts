import { LIMITS } from '@allsource/shared/limits';
import { definitionFault, type DefinitionValue, shownValue } from './definition-members.ts';

/** What `$name` in front of a path stands for: something of the event itself instead of its payload. */
export const ENVELOPE_FIELDS = [
  '$id',
  '$event_type',
  '$entity_id',
  '$version',
  '$position',
  '$timestamp',
  '$metadata',
] as const;
export type EnvelopeField = (typeof ENVELOPE_FIELDS)[number];

/** Where a value of an event stands: names of members, one within the other, from the payload or from a field of the event on. */
export interface FieldPath {
  readonly text: string;
  readonly envelope: EnvelopeField | null;
  readonly names: readonly string[];
}

/**
 * Reads a path such as `customer.address.city`, relative to the payload. `$event_type`, `$entity_id`, `$timestamp` and so on are the event's own; `$metadata.source` leads into the
 * metadata. Paths lead through objects only.
 */
export function parseFieldPath({ value, pointer }: DefinitionValue): FieldPath {
  const max = LIMITS.projectionPathLengthMax;
  if (typeof value !== 'string' || value === '' || value.length > max)
    throw definitionFault(
      pointer,
      `is ${shownValue(value)}; allowed is a path of 1 to ${max} characters, such as customer.city or $entity_id`,
    );
  const names = value.split('.');
  if (names.includes(''))
    throw definitionFault(
      pointer,
      `is ${shownValue(value)}; allowed are names with single dots between them, such as customer.city`,
    );
  if (!value.startsWith('$')) return { text: value, envelope: null, names };
  const [first, ...rest] = names;
  const envelope = ENVELOPE_FIELDS.find((field) => field === first);
  if (envelope === undefined || (rest.length > 0 && envelope !== '$metadata'))
    throw definitionFault(
      pointer,
      `is ${shownValue(value)}; of the event itself there are ${ENVELOPE_FIELDS.join(', ')}, and only $metadata has members`,
      { allowed: ENVELOPE_FIELDS },
    );
  return { text: value, envelope, names: rest };
}
