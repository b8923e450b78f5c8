/**
 * The rules for the names that clients choose: event types, entities, tenants, consumers. Each `...Fault` function
 * returns null for a good name and otherwise a sentence that says what is wrong, with the value and what is allowed.
 */

export const EVENT_TYPE_BYTES_MAX = 128;
export const ENTITY_ID_BYTES_MAX = 128;
export const TENANT_ID_LENGTH_MAX = 64;
export const CONSUMER_ID_BYTES_MAX = 128;
export const PROJECTION_NAME_BYTES_MAX = 128;

/** Event types with this prefix are the store's own; no client may append them and no tenant's read shows them. */
export const SYSTEM_TYPE_PREFIX = '_system.';
/** The tenant that owns the store's own configuration events. No client may use it. */
export const SYSTEM_TENANT = '_system';

/** The forms of names, as the OpenAPI documents show them too. What they cannot say is how many bytes a name has. */
export const EVENT_TYPE_PATTERN = '^[a-z0-9_]+(?:\\.[a-z0-9_]+)*$';
export const TENANT_ID_PATTERN = '^[A-Za-z0-9_-]+$';
/** Ids of entities and consumers, and names of projections: no white space at the ends, no control character, no half of a surrogate pair. */
export const TEXT_ID_PATTERN = '^[^\\s\\p{Cc}\\p{Cs}](?:[^\\p{Cc}\\p{Cs}]*[^\\s\\p{Cc}\\p{Cs}])?$';

// Bundlers of clients may leave these out.
const EVENT_TYPE = /* @__PURE__ */ new RegExp(EVENT_TYPE_PATTERN);
const TENANT_ID = /* @__PURE__ */ new RegExp(TENANT_ID_PATTERN);
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what this refuses.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** How much of a value is shown, in code units. */
const SHOWN_MAX = 80;
/** The first half of a character, without the second. */
const HALF = /[\ud800-\udbff]$/;

/** Shows a value inside an error sentence: quoted, escaped and cut, so that input cannot flood or forge a log line. */
export function quoted(value: string): string {
  const cut = value.length > SHOWN_MAX ? `${value.slice(0, SHOWN_MAX).replace(HALF, '')}…` : value;
  return `'${JSON.stringify(cut).slice(1, -1)}'`;
}

/** Why a text is not an event type a client may use, or null. */
export function eventTypeFault(value: string): string | null {
  if (value.length === 0)
    return 'Event type is empty; use lowercase words joined by dots, such as order.placed.';
  if (Buffer.byteLength(value) > EVENT_TYPE_BYTES_MAX) {
    return `Event type ${quoted(value)} is ${Buffer.byteLength(value)} bytes; at most ${EVENT_TYPE_BYTES_MAX} are allowed.`;
  }
  if (value.startsWith(SYSTEM_TYPE_PREFIX)) {
    return `Event type ${quoted(value)} starts with ${SYSTEM_TYPE_PREFIX}, which is reserved for the store itself.`;
  }
  if (EVENT_TYPE.test(value)) return null;
  return `Event type ${quoted(value)} must be lowercase with dots/underscores: letters a-z, digits and _ in words joined by single dots.`;
}

/** Why a text is not an entity id, or null. */
export function entityIdFault(value: string): string | null {
  return textIdFault('Entity id', value, ENTITY_ID_BYTES_MAX);
}

/** Why a text is not a consumer id, or null. */
export function consumerIdFault(value: string): string | null {
  return textIdFault('Consumer id', value, CONSUMER_ID_BYTES_MAX);
}

/** Why a text is not the name of a projection, or null. */
export function projectionNameFault(value: string): string | null {
  return textIdFault('Projection name', value, PROJECTION_NAME_BYTES_MAX);
}

function textIdFault(what: string, value: string, bytesMax: number): string | null {
  if (value.trim().length === 0)
    return `${what} is empty or blank; give 1 to ${bytesMax} bytes of text.`;
  if (Buffer.byteLength(value) > bytesMax) {
    return `${what} ${quoted(value)} is ${Buffer.byteLength(value)} bytes; at most ${bytesMax} are allowed.`;
  }
  if (CONTROL.test(value)) return `${what} ${quoted(value)} contains a control character.`;
  if (value.trim() !== value) return `${what} ${quoted(value)} starts or ends with white space.`;
  if (!value.isWellFormed())
    return `${what} ${quoted(value)} contains half of a surrogate pair, which is no character.`;
  return null;
}

/** Why a text is not a tenant id a client may use, or null. */
export function tenantIdFault(value: string): string | null {
  if (value.length === 0 || value.length > TENANT_ID_LENGTH_MAX || !TENANT_ID.test(value)) {
    return `Tenant id ${quoted(value)} must be 1 to ${TENANT_ID_LENGTH_MAX} letters, digits, '-' or '_'.`;
  }
  return value === SYSTEM_TENANT
    ? `Tenant id '${SYSTEM_TENANT}' is reserved for the store itself.`
    : null;
}
