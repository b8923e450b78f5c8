/** Events as they come, and durable consumers. */
import { LIMITS } from '../../limits/limits.ts';
import { CONSUMER_ID_BYTES_MAX, EVENT_TYPE_BYTES_MAX } from '../../model/names.ts';
import { constant, list, named, object, orNull, text, whole } from '../json-schema.ts';
import { ENTITY, parameter, UPCAST } from '../parameters.ts';
import { answer, body, type RouteDocs } from '../route-doc.ts';
import { idText } from '../shapes/events.ts';

const PATTERN = text('An event type, or a prefix such as `order.*`.', {
  minLength: 1,
  maxLength: EVENT_TYPE_BYTES_MAX + 2,
});

export const LIVE: RouteDocs = {
  'GET /events/stream': {
    id: 'streamEvents',
    tag: 'Live',
    description:
      'Opened as a WebSocket. The replay of the consumer named by `consumer_id` comes first, then `{"type":"replay_complete"}`, then live events. A plain GET is told to upgrade.',
    query: {
      consumer_id: parameter('A registered consumer, whose cursor is resumed.', text()),
      upcast: UPCAST,
    },
    answers: { 101: { description: 'The WebSocket is open.' } },
    errors: [
      'upgrade_required',
      'invalid_parameter',
      'too_many_connections',
      'invalid_consumer_id',
    ],
  },
  'GET /events/sse': {
    id: 'followEvents',
    tag: 'Live',
    description:
      'Server-sent events; the `id` of each is its position, so `Last-Event-ID` resumes without a gap.',
    query: {
      from: parameter(
        'The position to resume after; 0 = the whole history. Only what comes when left out.',
        whole(undefined, { max: Number.MAX_SAFE_INTEGER }),
        0,
      ),
      event_type: parameter('Only these types or patterns, joined by commas.', text(), 'order.*'),
      entity_id: ENTITY,
      upcast: UPCAST,
    },
    headers: { 'last-event-id': parameter('What browsers send when they reconnect.', text()) },
    answers: {
      200: {
        description: 'The events, until the client goes.',
        content: { 'text/event-stream': {} },
      },
    },
    errors: ['invalid_parameter', 'position_beyond_head', 'too_many_connections'],
  },
  'POST /consumers': {
    id: 'registerConsumer',
    tag: 'Live',
    description: 'Registers a consumer or changes its filters; its cursor stays.',
    body: body(
      object(
        { consumer_id: idText(CONSUMER_ID_BYTES_MAX) },
        { event_type_filters: orNull(list(PATTERN, { maxItems: LIMITS.filtersMax })) },
      ),
      { consumer_id: 'billing', event_type_filters: ['order.*'] },
    ),
    answers: { 200: answer('The consumer.', named('Consumer')) },
    errors: ['invalid_body', 'invalid_consumer_id'],
  },
  'GET /consumers/:consumerId': {
    id: 'getConsumer',
    tag: 'Live',
    description:
      'A consumer that was never registered is one without filters and without a cursor.',
    answers: { 200: answer('The consumer.', named('Consumer')) },
    errors: ['invalid_consumer_id'],
  },
  'GET /consumers/:consumerId/events': {
    id: 'pollConsumer',
    tag: 'Live',
    description: 'The next events behind the cursor; the cursor stays until it is acknowledged.',
    query: {
      limit: parameter(
        'Events of the answer; 100 when left out.',
        whole(undefined, { max: LIMITS.pageEventsMax }),
        100,
      ),
      upcast: UPCAST,
    },
    answers: {
      200: answer(
        'The events.',
        object(
          { events: list(named('PositionedEvent')), count: whole() },
          { upcast_errors: whole('Events of the answer that could not be upcast.') },
        ),
      ),
    },
    errors: ['invalid_parameter', 'invalid_consumer_id'],
  },
  'POST /consumers/:consumerId/ack': {
    id: 'acknowledgeConsumer',
    tag: 'Live',
    description: 'Records how far a consumer has come. The cursor never goes back.',
    body: body(object({ position: whole() }), { position: 1 }),
    answers: {
      200: answer(
        'The cursor.',
        object({
          status: constant('ok'),
          consumer_id: text(),
          position: whole(),
          cursor_position: orNull(whole()),
        }),
      ),
    },
    errors: ['invalid_body', 'invalid_consumer_id', 'position_beyond_head'],
  },
};
