/**
 * The store's own events: configuration is events in the same log. Each has a type below `_system.`, lives in a system frame and is
 * folded by every service that needs it. The payload types are what `parseSystemEvent` returns; the JSON on disk has these names.
 * Access events belong to the tenant `_system`; consumer, projection, schema and definition events belong to the tenant whose they are.
 */
import type { FrameEvent } from './frame.ts';

export const ROLES = ['admin', 'developer', 'readonly', 'serviceaccount'] as const;
export type Role = (typeof ROLES)[number];

export interface TenantCreated {
  readonly id: string;
  readonly name: string;
}

/** The key itself is never stored: `key_hash` is the SHA-256 of its text in hex, `key_prefix` its first characters for display. */
export interface ApiKeyCreated {
  readonly id: string;
  readonly name: string;
  readonly key_hash: string;
  readonly key_prefix: string;
  readonly tenant_id: string;
  readonly role: Role;
  /** RFC 3339, or null for a key that does not expire. */
  readonly expires_at: string | null;
}

export interface ApiKeyRevoked {
  readonly id: string;
}

export interface ConsumerRegistered {
  readonly consumer_id: string;
  readonly event_type_filters: readonly string[];
}

export interface ConsumerAcknowledged {
  readonly consumer_id: string;
  readonly position: number;
}

/** The state's raw JSON text follows in the payload as the member `state`; folds take it from the raw payload. */
export interface ProjectionStateSaved {
  readonly projection: string;
  readonly entity_id: string;
  readonly state: unknown;
}

export const COMPATIBILITY_MODES = ['NONE', 'BACKWARD', 'FORWARD', 'FULL'] as const;
/** What a further version of a schema has to keep of the one before. */
export type CompatibilityMode = (typeof COMPATIBILITY_MODES)[number];

export const SCHEMA_ENFORCEMENTS = ['permissive', 'warn', 'strict'] as const;
/** What becomes of an event whose payload does not fit its schema: nothing is checked, it is counted, it is refused. */
export type SchemaEnforcement = (typeof SCHEMA_ENFORCEMENTS)[number];

/** The schema's text as it was sent is the member `schema`; folds take it from the raw payload. */
export interface SchemaRegistered {
  readonly id: string;
  readonly subject: string;
  readonly version: number;
  readonly description: string | null;
  readonly tags: readonly string[];
  readonly schema: unknown;
}

/** A step from one version of a schema to a later one. Folds take the text of the mappings from the raw payload. */
export interface SchemaUpcasterSet {
  readonly subject: string;
  readonly from_version: number;
  readonly to_version: number;
  readonly description: string | null;
  readonly mappings: unknown;
  /** Instead of mappings: the source of a function. */
  readonly function?: string;
}

export interface SchemaUpcasterRemoved {
  readonly subject: string;
  readonly from_version: number;
}

export interface SchemaCompatibilitySet {
  readonly subject: string;
  readonly compatibility: CompatibilityMode;
}

export interface SchemaEnforcementSet {
  readonly tenant_id: string;
  readonly schema_enforcement: SchemaEnforcement;
}

export const DEFINITION_KINDS = ['projection', 'pipeline'] as const;
/** What the query service carries out for a tenant. */
export type DefinitionKind = (typeof DEFINITION_KINDS)[number];

/** The document's text as it was sent is the member `document`; folds take it from the raw payload. */
export interface DefinitionSet {
  readonly kind: DefinitionKind;
  readonly name: string;
  readonly document: unknown;
}

export interface DefinitionRemoved {
  readonly kind: DefinitionKind;
  readonly name: string;
}

interface SystemPayloads {
  '_system.tenant.created': TenantCreated;
  '_system.api_key.created': ApiKeyCreated;
  '_system.api_key.revoked': ApiKeyRevoked;
  '_system.consumer.registered': ConsumerRegistered;
  '_system.consumer.acknowledged': ConsumerAcknowledged;
  '_system.projection_state.saved': ProjectionStateSaved;
  '_system.schema.registered': SchemaRegistered;
  '_system.schema.compatibility_set': SchemaCompatibilitySet;
  '_system.schema.upcaster_set': SchemaUpcasterSet;
  '_system.schema.upcaster_removed': SchemaUpcasterRemoved;
  '_system.tenant.schema_enforcement_set': SchemaEnforcementSet;
  '_system.definition.set': DefinitionSet;
  '_system.definition.removed': DefinitionRemoved;
}

export type SystemEventType = keyof SystemPayloads;

/** One system event, typed by its name. `entity` is the entity it is filed under. */
export type SystemEvent = {
  [T in SystemEventType]: { readonly type: T; readonly payload: SystemPayloads[T] };
}[SystemEventType];

const SYSTEM_EVENT_TYPES: ReadonlySet<string> = new Set<SystemEventType>([
  '_system.tenant.created',
  '_system.api_key.created',
  '_system.api_key.revoked',
  '_system.consumer.registered',
  '_system.consumer.acknowledged',
  '_system.projection_state.saved',
  '_system.schema.registered',
  '_system.schema.compatibility_set',
  '_system.schema.upcaster_set',
  '_system.schema.upcaster_removed',
  '_system.tenant.schema_enforcement_set',
  '_system.definition.set',
  '_system.definition.removed',
]);

/**
 * Reads a system event out of a system frame; null for a type this build does not know, which a fold passes over. Its payload is parsed when it is first asked for: most folds pass over
 * most types, and a state that clients keep may have megabytes.
 */
export function parseSystemEvent(event: FrameEvent): SystemEvent | null {
  const { type } = event;
  if (!SYSTEM_EVENT_TYPES.has(type)) return null;
  let payload: unknown;
  return {
    type,
    get payload() {
      // It was written by this program from the typed union above, behind the frame's checksum.
      payload ??= JSON.parse(event.payload.toString('utf8'));
      return payload;
    },
  } as SystemEvent;
}
