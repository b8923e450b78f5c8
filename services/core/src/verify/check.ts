import type { InspectionCheck } from '@allsource/shared/protocol';

/** Nothing to do. */
export function fine(check: string, evidence: string): InspectionCheck {
  return { record: 'check', check, status: 'ok', evidence, advice: null };
}

/** It will become a fault if nobody acts. */
export function warning(check: string, evidence: string, advice: string): InspectionCheck {
  return { record: 'check', check, status: 'warning', evidence, advice };
}

/** It hinders the store. */
export function fault(check: string, evidence: string, advice: string): InspectionCheck {
  return { record: 'check', check, status: 'fault', evidence, advice };
}

/** Data cannot be read. */
export function damage(check: string, evidence: string, advice: string): InspectionCheck {
  return { record: 'check', check, status: 'damage', evidence, advice };
}
