import { LIMITS } from '@allsource/shared/limits';
import type { SchemaUpcaster } from '../registry/schema-fold.ts';

/** The steps of a subject, by the version that they begin at. */
export type UpcasterSteps<Step = SchemaUpcaster> = ReadonlyMap<number, Step>;

/** The steps from one version to a later one, in order; null when they do not lead there. */
export function pathOf<Step extends Pick<SchemaUpcaster, 'toVersion'>>(
  upcasters: UpcasterSteps<Step>,
  from: number,
  to: number,
): Step[] | null {
  const path: Step[] = [];
  for (let version = from; version !== to; ) {
    const step = upcasters.get(version);
    if (step === undefined || step.toVersion > to || path.length === LIMITS.upcastStepsMax)
      return null;
    path.push(step);
    version = step.toVersion;
  }
  return path;
}

/** The versions older than the newest from which no steps lead to it. */
export function versionsWithoutPath(
  upcasters: UpcasterSteps<Pick<SchemaUpcaster, 'toVersion'>>,
  newest: number,
): number[] {
  const lengths = new Map([[newest, 0]]);
  const missing: number[] = [];
  // From the newest down: each step leads to a version that is known already.
  for (let version = newest - 1; version >= 1; version--) {
    const next = upcasters.get(version)?.toVersion;
    const length = next === undefined ? undefined : lengths.get(next);
    if (length === undefined || length >= LIMITS.upcastStepsMax) missing.push(version);
    else lengths.set(version, length + 1);
  }
  return missing.toReversed();
}
