/** Who one is, tenants, keys, and figures. */
import { ROLES } from '../../protocol/system-events.ts';
import {
  flag,
  instant,
  named,
  number,
  object,
  oneOf,
  orNull,
  text,
  whole,
  type JsonSchema,
} from '../json-schema.ts';

export const ACCESS_SHAPES: Readonly<Record<string, JsonSchema>> = {
  Principal: object({
    id: text(),
    username: text(),
    email: { type: 'null' },
    role: oneOf(ROLES),
    tenant_id: text(),
    kind: text(),
  }),
  ApiKey: object({
    id: text(),
    name: text(),
    key_prefix: text('The first characters; the key itself is not kept.'),
    tenant_id: text(),
    role: oneOf(ROLES),
    created_at: instant(),
    expires_at: orNull(instant()),
    active: flag(),
    last_used: { type: 'null' },
  }),
  Tenant: object({
    id: text(),
    name: text(),
    description: { type: 'null' },
    active: flag(),
    status: text(),
    created_at: instant(),
    updated_at: instant(),
    schema_enforcement: named('SchemaEnforcement'),
  }),
  Stats: object(
    {
      total_events: whole(),
      total_entities: whole(),
      total_event_types: whole(),
      total_ingested: whole(),
      total_projections: whole(),
      total_schemas: whole(),
      uptime_seconds: whole(),
      memory_used_bytes: whole(),
      storage_used_bytes: whole(),
      ingest_rate_per_sec: number(),
      query_rate_per_sec: number(),
    },
    { head_position: whole(), position: whole() },
  ),
};
