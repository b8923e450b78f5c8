/** Pipelines: as they were registered, what they have done, and what they have come to. */
import {
  anything,
  flag,
  instant,
  type JsonSchema,
  list,
  named,
  object,
  oneOf,
  orNull,
  text,
  uuid,
  whole,
} from '../json-schema.ts';

const STATUS = {
  status: oneOf(['disabled', 'starting', 'catching_up', 'waiting', 'failed', 'running']),
  detail: orNull(text('What it waits for, or why it failed.')),
};
const RESULTS = {
  pipeline_id: uuid(),
  position: whole('The position of the log at which the answer is true.'),
  generation: whole(),
};

export const PIPELINE_SHAPES: Readonly<Record<string, JsonSchema>> = {
  PipelineRegistered: object(
    { pipeline_id: uuid(), name: text(), enabled: flag(), generation: whole() },
    {
      webhook_secrets: {
        type: 'object',
        description:
          'The secrets that were made, by route. This answer is the only one that shows them.',
        additionalProperties: text(),
      },
    },
  ),
  Pipeline: object({
    id: uuid(),
    name: text(),
    description: orNull(text()),
    source_event_types: list(text()),
    operators: list(anything()),
    enabled: flag(),
    output: anything(),
    start_from: oneOf(['beginning', 'now']),
    generation: whole(),
    created_at: instant(),
    updated_at: instant(),
    ...STATUS,
  }),
  PipelineStats: object({
    pipeline_id: uuid(),
    events_processed: whole(),
    events_filtered: whole(),
    events_failed: whole(),
    last_processed: orNull(instant()),
    ...STATUS,
    position: whole(),
    lag_events: whole(),
    generation: whole(),
    events_late: whole(),
    events_cut: whole(),
    outputs: whole(),
    outputs_emitted: whole(),
    outputs_delivered: whole(),
    outputs_pending: whole(),
    dead_letters: whole(),
    rows: whole(),
  }),
  PipelineRow: object({
    key: text(),
    value: anything('As the operators have left it; null where the row has gone.'),
    position: whole(),
    updated_at: instant(),
  }),
  PipelineResults: {
    description: 'A page of rows by key, the rows that changed since a position, or one row.',
    anyOf: [
      object({
        ...RESULTS,
        results: list(named('PipelineRow')),
        count: whole(),
        total: whole(),
        has_more: flag(),
        next_after: orNull(text()),
      }),
      object({
        ...RESULTS,
        results: list(named('PipelineRow')),
        count: whole(),
        has_more: flag(),
        next_since: orNull(whole()),
        next_after: orNull(text()),
      }),
      object({ ...RESULTS, result: named('PipelineRow') }),
    ],
  },
  DeadLetter: object({
    id: text(),
    position: whole(),
    kind: text(),
    route: text(),
    attempts: whole(),
    error: orNull(text()),
    body: anything(),
  }),
};
