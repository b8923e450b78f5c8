/** What operators do with a running store, and the routes of the services among themselves. */
import { FEED_CONTENT_TYPE, FEED_PATH, HEAD_PATH } from '../../protocol/feed.ts';
import { INTERNAL_APPEND_PATH } from '../../protocol/internal-append-path.ts';
import { INSPECTION_CONTENT_TYPE } from '../../protocol/inspection.ts';
import { STREAM_MEDIA_TYPES } from '../../protocol/stream-format.ts';
import { named, object, oneOf, text, whole } from '../json-schema.ts';
import { parameter, required } from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';
import { APPENDS, BATCH, EVENT_EXAMPLE } from './appends.ts';

const POSITION = whole(undefined, { min: 1, max: Number.MAX_SAFE_INTEGER });

export const OPERATIONS: RouteDocs = {
  'POST /operations/verify': {
    id: 'verifyLog',
    tag: 'Operations',
    tenant: false,
    description: 'Verifies the log up to its head while the store runs.',
    answers: {
      200: {
        description: '`start`, `progress` and `finding` lines, then `summary` or `failure`.',
        content: {
          [INSPECTION_CONTENT_TYPE]: {
            schema: object(
              { record: oneOf(['start', 'progress', 'finding', 'summary', 'failure', 'check']) },
              {},
              { additionalProperties: true },
            ),
          },
        },
      },
    },
    errors: ['operation_running', 'not_available', 'shutting_down', 'upstream_unavailable'],
  },
};

export const INTERNAL: RouteDocs = {
  [`GET ${FEED_PATH}`]: {
    id: 'followLog',
    tag: 'Internal',
    description: 'Stays open and follows the log unless `to` is given.',
    query: {
      from: parameter('The first position; 1 when left out.', POSITION, 1),
      to: parameter('The last position.', POSITION, 1),
      only: parameter("Only the store's own events.", oneOf(['system']), 'system'),
    },
    answers: {
      200: { description: 'The log as frames.', content: { [FEED_CONTENT_TYPE]: {} } },
    },
    errors: ['invalid_parameter', 'log_damaged', 'shutting_down', 'position_beyond_head'],
  },
  [`GET ${HEAD_PATH}`]: {
    id: 'getHead',
    tag: 'Internal',
    answers: {
      200: answer(
        'How far the log reaches; `writer` names the run of core where it posts its head in memory too.',
        object({ head: whole(), log_id: text() }, { writer: text() }),
      ),
    },
  },
  [`POST ${INTERNAL_APPEND_PATH}`]: {
    ...(APPENDS['POST /events/batch'] as RouteDoc),
    id: 'appendInternal',
    tag: 'Internal',
    description: 'What pipelines put out, for any tenant.',
    query: { tenant_id: required('Whose events they are.', text(), 'default') },
    body: body(BATCH, { events: [EVENT_EXAMPLE] }),
    answers: { 200: answer('All events are durable.', named('BatchAnswer')) },
  },
  'POST /internal/v1/events/arrow': {
    id: 'appendArrow',
    tag: 'Internal',
    description: 'Appends the record batches of an Arrow IPC stream, each all or nothing.',
    query: { tenant_id: required('Whose events they are.', text(), 'default') },
    headers: { 'idempotency-key': parameter('Of the stream.', text()) },
    body: { content: { [STREAM_MEDIA_TYPES.arrow]: {} } },
    answers: {
      200: {
        description: 'Each batch as soon as it is durable, then a summary.',
        content: { 'application/x-ndjson': { schema: named('StreamedAppend') } },
      },
    },
    errors: [
      'invalid_parameter',
      'invalid_tenant_id',
      'tenant_not_found',
      'unsupported_media_type',
      'malformed_arrow',
      'invalid_body',
      'version_conflict',
      'schema_violation',
      'shutting_down',
      'stream_silent',
    ],
  },
};
