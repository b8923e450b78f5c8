import { metricsLabel } from '../own-projections/metrics-label.ts';
import type { OwnProjection } from '../own-projections/own-projections.ts';

/** A projection of a tenant's own in a list: what it is, and what it does at the moment. */
export function projectionRow({ definition, state }: OwnProjection) {
  const { name, type, description } = definition;
  return {
    id: name,
    name,
    title: name,
    type,
    kind: type,
    status: state?.status ?? definition.wanted,
    detail: state?.failure ?? state?.stalled_reason ?? null,
    wanted_status: definition.wanted,
    version: definition.build,
    description,
    event_types: definition.event_types,
    initial_state: {},
    created_at: definition.created_at,
    updated_at: definition.updated_at,
    position: state?.position ?? 0,
    lag_events: state?.lag_events ?? null,
    lag_seconds: state?.lag_seconds ?? null,
    is_stalled: state?.is_stalled ?? false,
    stalled_reason: state?.stalled_reason ?? null,
    live_build: state?.live_build ?? null,
    parked_entities: state?.parked_entities ?? 0,
    error_count: state?.stats.error_count ?? 0,
  };
}

/** Everything that is known of a projection. */
export function projectionDetails(projection: OwnProjection) {
  const { definition, state } = projection;
  return {
    ...projectionRow(projection),
    definition: definition.definition,
    config: definition.config,
    on_fault: definition.on_fault,
    metadata: definition.metadata,
    pinned_build: definition.pinned_build,
    changed_position: definition.changed_position,
    failure: state?.failure ?? null,
    stats: state?.stats ?? null,
    builds: state?.builds ?? [],
    parked_events: state?.parked_events ?? 0,
    restarts: state?.restarts ?? 0,
    metrics_label: metricsLabel(definition.tenant, definition.name),
  };
}
