import { LIMITS } from '@allsource/shared/limits';

/** Steps that the validation of a payload of this size may take. */
export function payloadSteps(bytes: number): number {
  return LIMITS.schemaStepsBase + bytes * LIMITS.schemaStepsPerByte;
}

/** Steps that the validations of one append may take together, when its payloads have this size. */
export function appendSteps(bytes: number): number {
  return LIMITS.schemaAppendStepsBase + bytes * LIMITS.schemaAppendStepsPerByte;
}
