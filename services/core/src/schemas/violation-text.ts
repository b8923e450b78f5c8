import { type SchemaViolation, unescapeToken } from '@allsource/schemas/json-schema';

/** A violation as clients of AllSource know it: the names on the way, with dots between them, and what is wrong. */
export function violationText({ pointer, message }: SchemaViolation): string {
  const path = pointer.split('/').slice(1).map(unescapeToken);
  return [...path, message].join('.');
}
