/** Consumers, states of projections, snapshots and schemas of event types. */
import { CONSUMER_ID_BYTES_MAX } from '../../model/names.ts';
import { COMPATIBILITY_MODES, SCHEMA_ENFORCEMENTS } from '../../protocol/system-events.ts';
import {
  anything,
  flag,
  instant,
  list,
  named,
  object,
  oneOf,
  orNull,
  text,
  uuid,
  whole,
  type JsonSchema,
} from '../json-schema.ts';

const SNAPSHOT_FACTS = {
  entity_id: text(),
  created_at: instant(),
  as_of: instant(),
  event_count: whole(),
  size_bytes: whole(),
  snapshot_type: oneOf(['manual', 'automatic', 'ondemand']),
  stored_bytes: whole(),
  version: whole(),
  position: whole(),
};

export const STATE_SHAPES: Readonly<Record<string, JsonSchema>> = {
  Consumer: object({
    consumer_id: text(`At most ${CONSUMER_ID_BYTES_MAX} bytes.`),
    event_type_filters: list(text()),
    cursor_position: orNull(whole()),
  }),
  ProjectionState: object(
    {
      projection: text(),
      entity_id: text(),
      state: anything('As it was saved; null where none is.'),
      found: flag(),
    },
    { kind: text(), status: text() },
  ),
  ProjectionStates: object(
    {
      projection: text(),
      states: list(
        object(
          { entity_id: text(), state: anything() },
          {
            found: flag(),
            too_large: flag('The state has passed the limit of what is kept.'),
          },
        ),
      ),
      total: whole(),
    },
    { count: whole(), has_more: flag() },
  ),
  SchemaRegistration: object(
    {
      schema_id: uuid(),
      subject: text(),
      version: whole(undefined, { min: 1 }),
      created_at: instant(),
    },
    {
      versions_without_path: list(
        whole('An older version that the upcasters of the subject do not bring to this one.'),
      ),
    },
  ),
  SchemaFacts: object(
    {
      id: uuid(),
      subject: text(),
      event_type: text(),
      version: whole(undefined, { min: 1 }),
      created_at: instant(),
      description: orNull(text()),
      tags: list(text()),
      compatibility: oneOf(COMPATIBILITY_MODES),
    },
    { schema: anything('The JSON Schema as it was sent.') },
  ),
  SchemaEnforcement: oneOf(
    SCHEMA_ENFORCEMENTS,
    'Nothing is checked; misfits are counted; misfits are refused.',
  ),
  SnapshotTaken: object({ snapshot_id: uuid(), ...SNAPSHOT_FACTS }),
  SnapshotEntry: object({ id: uuid(), ...SNAPSHOT_FACTS }),
  SnapshotWithState: object({ snapshot_id: uuid(), ...SNAPSHOT_FACTS, state: anything() }),
  SnapshotPage: object({
    snapshots: list(named('SnapshotEntry')),
    total: whole(),
    count: whole(),
    has_more: flag(),
    next_cursor: orNull(text()),
  }),
  SnapshotRun: object({
    run_id: uuid(),
    status: text(),
    entities_total: orNull(whole()),
    entities_done: whole(),
    snapshots_taken: whole(),
    entities_unchanged: whole(),
    entities_too_large: whole(),
    created_at: instant(),
    completed_at: orNull(instant()),
    error: orNull(text()),
    follow: text('Where to ask how far it is.'),
  }),
};
