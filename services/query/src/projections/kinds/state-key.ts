import { LIMITS } from '@allsource/shared/limits';
import type { JsonValue } from './compiled-projection.ts';
import { type DefinitionMembers, shownValue } from './definition-members.ts';
import type { EventFields } from './event-fields.ts';
import { type FieldPath, parseFieldPath } from './field-path.ts';
import { projectionFault } from './projection-fault.ts';

/** The key of events that have no value to be keyed by. */
export const NO_VALUE_KEY = '(none)';
/** Begins the keys that only a fold needs. No key of a value contains it. */
export const HIDDEN = '\u0001';

const CONTROL = /\p{Cc}/u;

/** The value at a path as a key, or a part of one. Throws a `projection_fault` for a value that cannot be one. */
export function keyAt(fields: EventFields, path: FieldPath): string {
  const value = fields.get(path) ?? null;
  const key = keyOf(value);
  if (key !== null) return key;
  throw projectionFault(
    `'${path.text}' is ${shownValue(value)}; to be a key it must be a number, true or false, or a text of 1 to ${LIMITS.projectionKeyLengthMax} characters without control characters.`,
    { field: path.text },
  );
}

function keyOf(value: JsonValue): string | null {
  if (value === null) return NO_VALUE_KEY;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value === '') return null;
  return value.length <= LIMITS.projectionKeyLengthMax && !CONTROL.test(value) ? value : null;
}

/** Where the key of an event comes from: the path of a field, or null for its entity. */
export type KeySource = FieldPath | null;

/** The key of an event. */
export function sourceKey(fields: EventFields, source: KeySource): string {
  return source === null ? fields.event.entityId : keyAt(fields, source);
}

/** The member `key`: 'entity', which it is when it is left out, or the path of a field. */
export function keySourceOf(members: DefinitionMembers): KeySource {
  const key = members.at('key');
  return key.value === undefined || key.value === 'entity' ? null : parseFieldPath(key);
}
