/** An operation of the control plane, as it is listed and watched. */
export interface Operation {
  readonly id: unknown;
  readonly type: 'replay';
  readonly status: unknown;
  readonly tenant_id: string;
  readonly parameters: object;
  readonly progress: object;
  readonly result: unknown;
  readonly initiated_by: unknown;
  readonly created_at: unknown;
  readonly started_at: unknown;
  readonly completed_at: unknown;
  readonly error: unknown;
}

/** A replay of the query service as an operation. What the owner did not say is null. */
export function replayOperation(
  replay: Readonly<Record<string, unknown>>,
  tenant: string,
): Operation {
  const member = (name: string): unknown => replay[name] ?? null;
  const isFailed = replay['status'] === 'failed';
  return {
    id: member('replay_id'),
    type: 'replay',
    status: member('status'),
    tenant_id: tenant,
    parameters: {
      projection_name: member('projection_name'),
      filters: member('filters'),
      config: member('config'),
    },
    progress: {
      total_events: member('total_events'),
      processed_events: member('processed_events'),
      failed_events: member('failed_events'),
      percentage: member('progress_percentage'),
      events_per_second: member('events_per_second'),
      estimated_seconds_left: member('estimated_seconds_left'),
      message: isFailed ? null : member('error_message'),
    },
    result: member('results'),
    initiated_by: member('initiated_by'),
    created_at: member('created_at'),
    started_at: member('started_at'),
    completed_at: member('completed_at'),
    error: isFailed ? member('error_message') : null,
  };
}
