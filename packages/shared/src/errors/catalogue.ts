/**
 * The one catalogue of what can go wrong in front of a user. A code is stable: clients branch on it.
 * `corePrefix` is the message prefix that existing AllSource clients know from the writer's flat error bodies.
 */
export interface ErrorKind {
  readonly status: number;
  readonly title: string;
  /** True when the same request may succeed later without being changed. */
  readonly retryable: boolean;
  readonly corePrefix: string;
}

// A bundler may leave out the entries that nobody asks for.
/* @__NO_SIDE_EFFECTS__ */
function kind(status: number, title: string, corePrefix: string, retryable = false): ErrorKind {
  return { status, title, retryable, corePrefix };
}

export const ERROR_CATALOGUE = {
  malformed_json: kind(400, 'The body is not JSON', 'Invalid input: '),
  malformed_arrow: kind(400, 'The body is not an Arrow IPC stream', 'Invalid input: '),
  invalid_body: kind(422, 'The body has the wrong shape', 'Validation error: '),
  invalid_event_type: kind(400, 'The event type breaks the naming rules', 'Invalid input: '),
  invalid_entity_id: kind(400, 'The entity id breaks the naming rules', 'Invalid input: '),
  invalid_tenant_id: kind(400, 'The tenant id breaks the naming rules', 'Invalid input: '),
  invalid_consumer_id: kind(400, 'The consumer id breaks the naming rules', 'Invalid input: '),
  invalid_timestamp: kind(400, 'The timestamp is not an RFC 3339 instant', 'Invalid input: '),
  future_timestamp: kind(400, 'The timestamp is in the future', 'Invalid input: '),
  json_too_deep: kind(400, 'The JSON is nested too deeply', 'Invalid input: '),
  invalid_parameter: kind(400, 'A parameter has a value that is not allowed', 'Invalid input: '),
  invalid_idempotency_key: kind(400, 'The Idempotency-Key is not usable', 'Invalid input: '),
  idempotency_key_reused: kind(
    422,
    'The Idempotency-Key was used for another body',
    'Invalid input: ',
  ),
  invalid_schema: kind(400, 'The schema is not one that is taken', 'Validation error: '),
  schema_incompatible: kind(
    400,
    'The schema does not go with the version before',
    'Validation error: ',
  ),
  schema_not_found: kind(404, 'There is no such schema', 'Validation error: '),
  schema_violation: kind(
    422,
    'A payload does not fit the schema of its type',
    'Validation error: ',
  ),
  too_many_schemas: kind(
    409,
    'The tenant has as many schemas as it may have',
    'Validation error: ',
  ),
  invalid_upcaster: kind(400, 'The upcaster is not one that is taken', 'Validation error: '),
  upcasters_incomplete: kind(
    409,
    'The upcasters would not lead from every version to the newest',
    'Validation error: ',
  ),
  upcaster_not_found: kind(404, 'There is no such upcaster', 'Validation error: '),
  upcast_failed: kind(
    422,
    'An event cannot be brought into the form asked for',
    'Validation error: ',
  ),
  position_beyond_head: kind(400, 'The position lies beyond the end of the log', 'Invalid input: '),
  unsupported_media_type: kind(415, 'The content type is not accepted here', 'Invalid input: '),
  payload_too_large: kind(413, 'A payload is over its limit', 'Invalid input: '),
  batch_too_large: kind(413, 'The batch holds too many events', 'Invalid input: '),
  line_too_large: kind(413, 'A line is over its limit', 'Invalid input: '),
  body_too_large: kind(413, 'The body is over its limit', 'Invalid input: '),
  malformed_request: kind(400, 'The request is not HTTP as it should be', 'Invalid input: '),
  request_too_slow: kind(408, 'The request did not come in time', 'Invalid input: ', true),
  headers_too_large: kind(431, 'The URL and the headers are over their limit', 'Invalid input: '),
  expectation_failed: kind(417, 'The request expects what is not done here', 'Invalid input: '),
  stream_silent: kind(408, 'The request stopped in the middle', 'Invalid input: ', true),
  unauthenticated: kind(401, 'No valid key or token was presented', ''),
  forbidden: kind(403, 'The key or token may not do this', ''),
  tenant_not_found: kind(404, 'There is no such tenant', 'Tenant not found: '),
  tenant_exists: kind(409, 'The tenant exists already', 'Tenant already exists: '),
  event_not_found: kind(404, 'There is no such event', 'Entity not found: '),
  entity_not_found: kind(404, 'The entity has no events', 'Entity not found: '),
  not_found: kind(404, 'There is no such thing', ''),
  route_not_found: kind(404, 'There is no such route', ''),
  method_not_allowed: kind(405, 'The route does not take this method', ''),
  upgrade_required: kind(426, 'This is a WebSocket', ''),
  version_conflict: kind(409, 'The entity is at another version', '', true),
  operation_running: kind(409, 'The operation is running already', ''),
  operation_ended: kind(409, 'The operation has ended', ''),
  definition_conflict: kind(409, 'The definition was changed meanwhile', '', true),
  definition_exists: kind(409, 'The name is in use', ''),
  wrong_status: kind(409, 'What it does at the moment does not allow this', ''),
  too_many_definitions: kind(409, 'The tenant has as many as it may have', ''),
  not_available: kind(501, 'This is not available', ''),
  projection_fault: kind(422, 'An event cannot be folded into a projection', 'Validation error: '),
  query_budget_exceeded: kind(422, 'The query needs more than it may cost', 'Invalid query: '),
  read_behind: kind(503, 'The read store has not caught up', '', true),
  writer_poisoned: kind(503, 'The writer has stopped after a disk error', 'Storage error: '),
  storage_full: kind(507, 'The disk is full', 'Storage error: ', true),
  overloaded: kind(503, 'Too much is waiting for the disk', 'Queue full: ', true),
  too_many_connections: kind(503, 'Too many live connections', '', true),
  starting: kind(503, 'The service is starting', '', true),
  shutting_down: kind(503, 'The service is shutting down', '', true),
  upstream_unavailable: kind(503, 'A service behind this one does not answer', '', true),
  forwarding_loop: kind(508, 'The services forward to each other', ''),
  log_damaged: kind(500, 'A part of the log is damaged', 'Storage error: '),
  read_store_damaged: kind(503, 'A part of the read store is damaged', 'Storage error: ', true),
  internal: kind(500, 'Something failed inside', 'Internal error: '),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** True for a text that is a code of the catalogue. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, text);
}
