/** Projections: those of the store, and those that tenants define. */
import {
  FAULT_POLICIES,
  PROJECTION_TYPES,
  WANTED_STATUSES,
} from '../../protocol/projection-definition.ts';
import {
  anything,
  flag,
  instant,
  type JsonSchema,
  list,
  named,
  number,
  object,
  oneOf,
  orNull,
  text,
  uuid,
  whole,
} from '../json-schema.ts';

const STATUS = oneOf(['created', 'running', 'paused', 'failed', 'stopped', 'rebuilding']);
const CONFIG = object({
  batch_size: whole(),
  enable_checkpoints: flag(),
  checkpoint_interval: whole(),
  parallel_processing: flag(),
  max_concurrency: whole(),
});

const LAG_EVENTS = 'Positions of the log that it has not looked at yet.';
const LAG_SECONDS = 'How long ago the first event that it lacks was recorded.';

const ROW = {
  id: text(),
  name: text(),
  title: text(),
  type: oneOf(PROJECTION_TYPES),
  kind: oneOf(PROJECTION_TYPES),
  status: STATUS,
  detail: orNull(text('Why it is as it is, where there is something to say.')),
  wanted_status: oneOf(WANTED_STATUSES),
  version: whole('The newest build.', { min: 1 }),
  description: orNull(text()),
  event_types: list(text()),
  initial_state: anything(),
  created_at: instant(),
  updated_at: instant(),
  position: whole('What is read is true at this position.'),
  lag_events: orNull(whole(LAG_EVENTS)),
  lag_seconds: orNull(number(LAG_SECONDS)),
  is_stalled: flag(),
  stalled_reason: orNull(text()),
  live_build: orNull(whole('The build that is read.')),
  parked_entities: whole(),
  error_count: whole(),
};

const STATS = object({
  events_processed: whole(),
  last_event_at: orNull(instant()),
  last_checkpoint_at: orNull(instant()),
  error_count: whole(),
  skipped_count: whole(),
  last_error: orNull(text()),
  last_error_at: orNull(instant()),
  total_ms: number(),
  avg_us: number(),
});

const COMPARISON = object({
  with_build: whole(),
  position: whole(),
  rows: whole(),
  rows_before: whole(),
  keys_compared: whole(),
  keys_equal: whole(),
  examples: list(text()),
});

const BUILD = object({
  build: whole(),
  status: oneOf(['building', 'ready', 'live', 'previous', 'failed']),
  position: whole(),
  rows: whole(),
  workers: whole(),
  compared: orNull(COMPARISON),
  note: orNull(text()),
});

/** The members of a projection of the store itself. */
export const STORE_PROJECTION = {
  id: text(),
  name: text(),
  title: text(),
  type: text(),
  kind: text(),
  status: oneOf(['running', 'rebuilding']),
  detail: orNull(text('Why it does not go on; null while it does.')),
  version: whole(),
  description: text(),
  definition: text(),
  event_types: list(text()),
  initial_state: anything(),
  created_at: instant(),
  updated_at: instant(),
  position: whole('The position of the log that it has applied.'),
  lag_events: whole(LAG_EVENTS),
  lag_seconds: number(LAG_SECONDS),
  is_stalled: flag(),
  stalled_reason: orNull(text()),
  parked_entities: whole(),
  error_count: whole(),
};

/** The members of a projection that a tenant has defined. */
export const OWN_PROJECTION = {
  ...ROW,
  definition: { type: 'object', additionalProperties: true },
  config: CONFIG,
  on_fault: object({ policy: oneOf(FAULT_POLICIES), retries: whole() }),
  metadata: orNull({ type: 'object', additionalProperties: true }),
  pinned_build: orNull(whole()),
  changed_position: whole('The position of the event that last changed it.'),
  failure: orNull(text()),
  stats: orNull(STATS),
  builds: list(BUILD),
  parked_events: whole(),
  restarts: whole(),
  metrics_label: text('How the metrics name it.'),
};

export const PROJECTION_SHAPES: Readonly<Record<string, JsonSchema>> = {
  StoreProjection: object(STORE_PROJECTION),
  OwnProjectionRow: object(ROW),
  OwnProjection: object(OWN_PROJECTION),
  NewProjection: {
    description:
      'A projection that was just created; one by template that has not caught up is `building`.',
    ...object({ ...OWN_PROJECTION, status: text() }),
  },
  ProjectionCommanded: object({
    projection: text(),
    status: text(),
    data: named('OwnProjection'),
  }),
  ParkedEntity: object({
    entity_id: text(),
    position: whole('Of the event that cannot be folded.'),
    event_id: uuid(),
    event_type: text(),
    reason: text(),
    attempts: whole(),
    parked_at: instant(),
    events_waiting: whole(),
  }),
  SkippedEvent: object({
    position: whole(),
    event_id: uuid(),
    entity_id: text(),
    reason: text(),
    skipped_at: instant(),
  }),
};
