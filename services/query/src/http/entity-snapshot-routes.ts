import { problem } from '@allsource/shared/errors';
import { quoted } from '@allsource/shared/model';
import type { Call, Route } from '@allsource/service-kit/http';
import { API_BASES } from '../gateway/api-path.ts';
import { entitySnapshots } from '../projections/entity-snapshots.ts';
import type { ProjectionFolds } from '../projections/projection-folds.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';
import { entityParameter } from './entity-parameter.ts';
import { keptState } from './projection-routes.ts';

export interface EntitySnapshotRoutesOptions {
  readonly projections: ProjectionFolds;
  readonly gate: ReadGate;
}

/** The current state of an entity, as the projection keeps it: one lookup, however many events the entity has. */
export function entitySnapshotRoutes(options: EntitySnapshotRoutesOptions): Route[] {
  return API_BASES.map((base) => ({
    method: 'GET',
    path: `${base}/entities/:entityId/snapshot`,
    needs: 'read',
    summary: 'The current state of an entity.',
    handle: (call) => answer(call, options),
  }));
}

async function answer(
  call: Call,
  { projections, gate }: EntitySnapshotRoutesOptions,
): Promise<void> {
  const tenant = call.tenant();
  const entity = entityParameter(call);
  await gate.admit(call);
  const stored = await projections.whole(() => {
    stampPosition(call, projections.appliedPosition);
    return projections.state(entitySnapshots, tenant, entity);
  });
  if (stored === null) {
    throw problem('entity_not_found', `The entity ${quoted(entity)} has no events.`);
  }
  call.json(
    200,
    `{"entity_id":${JSON.stringify(entity)},"snapshot":${keptState(stored)},"from_projection":"entity_snapshots"}`,
  );
}
