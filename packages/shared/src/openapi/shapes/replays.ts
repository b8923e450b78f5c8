/** Replays, and what is wished of one. */
import { LIMITS } from '../../limits/limits.ts';
import { ENTITY_ID_BYTES_MAX } from '../../model/names.ts';
import { EVENT_TYPE_TEXT, idText } from './events.ts';
import {
  flag,
  instant,
  list,
  number,
  object,
  oneOf,
  orNull,
  text,
  uuid,
  whole,
  type JsonSchema,
} from '../json-schema.ts';

const REPLAY = {
  replay_id: uuid(),
  projection_name: text('`all` for all projections.'),
  status: oneOf(['pending', 'running', 'completed', 'failed', 'cancelled']),
  created_at: instant(),
  started_at: instant(),
  updated_at: instant(),
  completed_at: orNull(instant()),
  total_events: whole(),
  processed_events: whole(),
  failed_events: whole(),
  progress_percentage: number(),
  events_per_second: number(),
  estimated_seconds_left: orNull(number()),
  error_message: orNull(text()),
  filters: object({
    entity_id: orNull(text()),
    event_types: orNull(list(text())),
    from_timestamp: orNull(instant()),
    to_timestamp: orNull(instant()),
  }),
  config: object({
    batch_size: whole(),
    parallel: flag(),
    workers: whole(),
    emit_progress: flag(),
    progress_interval: orNull(whole()),
  }),
  results: list(
    object({
      projection_name: text(),
      replaced: oneOf(
        ['all', 'keys', 'none'],
        'Which states were replaced: all, those of the keys that the filter names, or none.',
      ),
      key_count: orNull(whole('Keys that were given a state; null where that is not known.')),
      digest: orNull(text('Of a filtered replay: equal states have equal digests.')),
    }),
  ),
  initiated_by: text('The id of the key.'),
};

/** What a replay may be restricted to, and how it is carried out. */
const REPLAY_FILTER = {
  entity_id: orNull(idText(ENTITY_ID_BYTES_MAX)),
  event_type: orNull(EVENT_TYPE_TEXT),
  event_types: orNull(list(EVENT_TYPE_TEXT, { minItems: 1, maxItems: LIMITS.replayTypesMax })),
  from_timestamp: orNull(instant()),
  to_timestamp: orNull(instant()),
  config: orNull(
    object(
      {},
      {
        batch_size: orNull(whole(undefined, { min: 1, max: LIMITS.replayBatchEventsMax })),
        parallel: orNull(flag()),
        workers: orNull(whole(undefined, { min: 1, max: LIMITS.replayWorkersMax })),
        emit_progress: orNull(flag()),
        progress_interval: orNull(whole(undefined, { min: 1, max: Number.MAX_SAFE_INTEGER })),
      },
    ),
  ),
};
export const REPLAY_WISH = {
  ...REPLAY_FILTER,
  projection_name: orNull(text('All projections when left out.', { minLength: 1, maxLength: 200 })),
};

export const REPLAY_SHAPES: Readonly<Record<string, JsonSchema>> = {
  Replay: object(REPLAY),
  ReplayWish: object({}, REPLAY_WISH),
  RebuildWish: object({}, REPLAY_FILTER),
};
