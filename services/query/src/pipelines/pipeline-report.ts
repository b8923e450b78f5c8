import { formatTimestamp, micros } from '@allsource/shared/model';
import type { PipelineDocument } from './definition/pipeline-definition.ts';
import type { PipelineState } from './run/host-protocol.ts';
import type { PipelineProgress } from './run/pipeline-file.ts';

/**
 * What a pipeline is doing: `disabled` as its definition says; `starting` until its process has spoken of it; `catching_up` while it is behind; `waiting` when something keeps
 * it from going on; `failed` when it cannot be carried out; `running` otherwise.
 */
export type PipelineStatus =
  | 'disabled'
  | 'starting'
  | 'catching_up'
  | 'waiting'
  | 'failed'
  | 'running';

/** A pipeline, and what its process has said of it. */
export interface Glance {
  readonly document: PipelineDocument;
  readonly state: PipelineState | null;
  readonly failure: string | null;
}

/** The same with what its file says. */
export interface Observed extends Glance {
  readonly progress: PipelineProgress | null;
  readonly outbox: { readonly pending: number; readonly dead: number };
}

/** What a pipeline is doing, and what is to be said of it. */
export function statusOf({ document, state, failure }: Glance): {
  readonly status: PipelineStatus;
  readonly detail: string | null;
} {
  if (!document.enabled) return { status: 'disabled', detail: null };
  if (failure !== null) return { status: 'failed', detail: failure };
  if (state === null) return { status: 'starting', detail: null };
  if (state.waiting !== null) return { status: 'waiting', detail: state.waiting };
  return { status: state.hasCaughtUp ? 'running' : 'catching_up', detail: null };
}

/** The statistics of a pipeline: the members of the contract, and what this store knows beside. */
export function statsJson(observed: Observed) {
  const { document, state, progress, outbox } = observed;
  const position = Math.max(state?.position ?? 0, progress?.position ?? 0);
  return {
    pipeline_id: document.id,
    events_processed: progress?.processed ?? 0,
    events_filtered: progress?.filtered ?? 0,
    events_failed: progress?.failed ?? 0,
    last_processed: instantOf(progress?.lastProcessed ?? null),
    ...statusOf(observed),
    position,
    lag_events: Math.max(0, (state?.head ?? position) - position),
    generation: document.generation,
    events_late: progress?.late ?? 0,
    events_cut: progress?.cut ?? 0,
    outputs: progress?.outputs ?? 0,
    outputs_emitted: progress?.emitted ?? 0,
    outputs_delivered: progress?.delivered ?? 0,
    outputs_pending: outbox.pending,
    dead_letters: outbox.dead,
    rows: progress?.rowCount ?? 0,
  };
}

/** A pipeline as it was registered, with what it is doing. Secrets are left out. */
export function pipelineJson({ document, state, failure }: Glance) {
  const { id, name, description, source_event_types, operators, enabled, output } = document;
  return {
    id,
    name,
    description,
    source_event_types,
    operators,
    enabled,
    output,
    start_from: document.start_from,
    generation: document.generation,
    created_at: document.created_at,
    updated_at: document.updated_at,
    ...statusOf({ document, state, failure }),
  };
}

function instantOf(value: number | null): string | null {
  return value === null ? null : formatTimestamp(micros(value));
}
