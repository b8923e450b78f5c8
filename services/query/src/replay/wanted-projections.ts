import { BUILT_IN_PROJECTIONS, builtInProjection } from '../projections/built-in.ts';
import type { Projection } from '../projections/projection.ts';

/** The projections that a name means, null being all; throws for one that is not there. */
export function wantedProjections(name: string | null): readonly Projection[] {
  if (name === null) return BUILT_IN_PROJECTIONS;
  const projection = builtInProjection(name);
  if (projection === null) throw new RangeError(unknownProjection(name));
  return [projection];
}

/** What is said of a name that is no projection of the store. */
export function unknownProjection(name: string): string {
  const known = BUILT_IN_PROJECTIONS.map((projection) => projection.name).join(', ');
  return `There is no projection '${name}' of the store itself; there are ${known}.`;
}
